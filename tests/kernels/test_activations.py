"""Activations: f, df and d2f against 160-bit numbers, float32 against float64, kinks, tails, NaN and infinities.

How the bounds of float32 are meant: f within 2 ulp, of gelu 2 ulp of |z|; df and d2f within 2 ulp of max(|z|, 1);
and far out on the left, where an error of that size would be everything, within 1e-5 of their own size.
"""

from __future__ import annotations

from functools import cache

import mpmath
import numpy as np
import pytest
from oracles.activations import ACTIVATIONS
from oracles.rounding import ulp_errors

from mlpjit import compiled
from mlpjit.kernels.activations import activations

INF, NAN = float("inf"), float("nan")
DTYPES = ["float32", "float64"]
TINY = float(np.finfo(np.float32).tiny)


def evaluate(name: str, z: np.ndarray) -> list[np.ndarray]:
    """Return f, df, d2f."""
    given = np.ascontiguousarray(z)
    found = [np.empty_like(given) for _ in range(3)]
    call = compiled.activation(name, str(given.dtype), "evaluation").call
    call(given.size, given.ctypes.data, *(a.ctypes.data for a in found))
    return found


def ulp_of(x: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # the largest number has no neighbour above
        return np.spacing(np.abs(x).astype(dtype)).astype(np.float64)


@cache
def exact(name: str) -> tuple[np.ndarray, list[list[mpmath.mpf]]]:
    """Return float64 points and f, df, d2f there, to 160 bits."""
    rng = np.random.default_rng(5)
    spread = np.logspace(-300, 2.8, 120)
    z = np.concatenate([rng.uniform(-6, 6, 600), rng.uniform(-37, 37, 200), spread, -spread, [0.0]])
    with mpmath.workprec(160):
        triples = [ACTIVATIONS[name](mpmath.mpf(v)) for v in z.tolist()]
    return z, [list(column) for column in zip(*triples, strict=True)]


def errors64(name: str, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points, exact values and errors of f (0), df (1) or d2f (2) in float64."""
    z, columns = exact(name)
    found = evaluate(name, z)[place]
    pairs = zip(found.tolist(), columns[place], strict=True)
    errors = np.array([float(abs(mpmath.mpf(a) - b)) for a, b in pairs])
    return z, np.array([float(v) for v in columns[place]]), errors


def test_every_activation_has_an_oracle():
    assert set(activations) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", activations)
def test_float64_values(name):
    _, value, error = errors64(name, 0)
    # gelu falls like e^(-z^2/2), where the rounding of z itself is worth z^2 / 2 ulp.
    allowed = 20.0 if name == "gelu" else 2.0
    assert (error <= allowed * np.maximum(ulp_of(value, "float64"), 5e-324)).all()


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("name", activations)
def test_float64_derivatives(name, place):
    z, value, error = errors64(name, place)
    assert (error <= 2.0 * ulp_of(np.maximum(np.abs(z), 1.0), "float64")).all()
    tail = (z < -2.0) & (np.abs(value) > 1e-300)
    assert (error[tail] <= 1e-14 * np.abs(value[tail])).all()


def every_257th() -> list[np.ndarray]:
    x = np.arange(0, 1 << 32, 257, dtype=np.int64).astype(np.uint32).view(np.float32)
    return np.array_split(x[np.isfinite(x)], 16)


@pytest.mark.parametrize("name", activations)
def test_float32_against_float64(name):
    """Float64 is proven above, and its error does not show here."""
    for z in every_257th():
        (f, df, d2f), (f64, df64, d2f64) = evaluate(name, z), evaluate(name, z.astype(np.float64))
        if name == "gelu":
            assert (np.abs(f - f64) <= 2.0 * ulp_of(z, "float32")).all()
        else:
            assert ulp_errors(f, f64).max() <= 2.0
        unit = ulp_of(np.maximum(np.abs(z), np.float32(1.0)), "float32")
        for found, wanted in ((df, df64), (d2f, d2f64)):
            assert (np.abs(found - wanted) <= 2.0 * unit).all()
        for found, wanted, allowed in ((f, f64, 1e-5), (df, df64, 1e-5), (d2f, d2f64, 1e-4)):
            tail = (z < -2.0) & (np.abs(wanted) > TINY)
            assert (np.abs(found - wanted)[tail] <= allowed * np.abs(wanted[tail])).all()
            # Below the smallest normal number: as near as the subnormal numbers are.
            assert np.abs(found - wanted)[(z < -2.0) & ~tail].max(initial=0.0) <= allowed * TINY


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_slopes_keep_their_digits_in_both_tails(name):
    """1 - tanh^2 would have none beyond |z| = 9."""
    for z in every_257th():
        df, wanted = evaluate(name, z)[1], evaluate(name, z.astype(np.float64))[1]
        assert ulp_errors(df, wanted).max() <= 6.0


# f, df, d2f at -inf, at 0 and at +inf; where they have a kink the value that the docstring gives.
LIMITS = {
    "identity": [(-INF, 1, 0), (0, 1, 0), (INF, 1, 0)],
    "sigmoid": [(0, 0, 0), (0.5, 0.25, 0), (1, 0, 0)],
    "tanh": [(-1, 0, 0), (0, 1, 0), (1, 0, 0)],
    "relu": [(0, 0, 0), (0, 0, 0), (INF, 1, 0)],
    "leaky_relu": [(-INF, 0.01, 0), (0, 0.01, 0), (INF, 1, 0)],
    "elu": [(-1, 0, 0), (0, 1, 1), (INF, 1, 0)],
    "gelu": [(0, 0, 0), (0, 0.5, 0.7978845608028654), (INF, 1, 0)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", activations)
def test_limits_and_kinks(name, dtype):
    expected = np.array(LIMITS[name]).astype(dtype)
    points = [(-INF, expected[0]), (-0.0, expected[1]), (0.0, expected[1]), (INF, expected[2])]
    for z, wanted in points:
        found = np.array(evaluate(name, np.full(35, z, dtype)))
        np.testing.assert_allclose(found, np.repeat(wanted[:, None], 35, 1), rtol=float(np.finfo(dtype).eps), atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", activations)
def test_nan_passes_and_nothing_else_is_nan(name, dtype):
    info = np.finfo(dtype)
    z = np.array([NAN, info.max, -info.max, info.tiny, -info.tiny, info.smallest_subnormal] * 9, dtype)
    f, df, d2f = evaluate(name, z)
    np.testing.assert_array_equal(np.isnan(f), np.isnan(z))
    assert not np.isnan(df[~np.isnan(z)]).any()
    assert not np.isnan(d2f[~np.isnan(z)]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", activations)
def test_the_forward_loop_has_the_same_bits(name, dtype):
    z = np.random.default_rng(1).normal(size=103).astype(dtype) * 4
    f, df, d2f = evaluate(name, z)
    value, slope, bend = np.empty_like(z), z.copy(), np.empty_like(z)
    compiled.activation(name, dtype).call(z.size, value.ctypes.data, slope.ctypes.data)
    compiled.activation(name, dtype, "curvature").call(z.size, z.ctypes.data, bend.ctypes.data)
    np.testing.assert_array_equal([value, slope, bend], [f, df, d2f])


@pytest.mark.parametrize("name", activations)
def test_the_slope_limit_is_the_largest_slope(name):
    z = np.linspace(-8, 8, 160_001)
    assert np.abs(evaluate(name, z)[1]).max() == pytest.approx(activations[name].slope_limit, rel=1e-4)
