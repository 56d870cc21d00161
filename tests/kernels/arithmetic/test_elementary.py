"""Elementary functions: every 257th float32 against float64, float64 against 140-bit numbers, and the edges."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import scipy.special
from oracles.rounding import ulp_errors

from mlpjit.kernels.arithmetic.mapping import FUNCTIONS, evaluate

CHUNK = 1 << 20
EXACT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": scipy.special.expit,
    "erf": scipy.special.erf, "sin": np.sin, "cos": np.cos,
}  # fmt: skip
# Largest error in ulp. Measured on all 2^32: exp 1.08, log 0.83, log1p 1.36 (every 257th), tanh 1.95, sigmoid 1.97,
# erf 1.67.
BOUND32 = {"exp": 2.0, "log": 2.0, "log1p": 2.0, "tanh": 2.0, "sigmoid": 2.0, "erf": 2.0, "sin": 2.5, "cos": 2.5}
# Their argument is reduced by pi/2 in four parts, which serves the range they are documented for.
DOMAIN = {"sin": 1e5, "cos": 1e5}
BOUND64 = {"exp": 1.5, "log": 1.5, "log1p": 1.5, "tanh": 2.0, "sigmoid": 2.0, "erf": 2.0, "sin": 2.5, "cos": 2.5}
SAMPLES64: dict[str, list[tuple[float, float]]] = {
    "exp": [(-745.1, 709.7), (-1.0, 1.0), (-1e-9, 1e-9)], "log": [(0.0, 1e300), (0.5, 2.0), (0.99, 1.01)],
    "log1p": [(-1.0, 1.0), (-0.9999, 1e300), (-1e-9, 1e-9)],
    "tanh": [(-25.0, 25.0), (-1.0, 1.0), (-1e-9, 1e-9)], "sigmoid": [(-745.0, 40.0), (-5.0, 5.0)],
    "erf": [(-6.0, 6.0), (-1.3, 1.3), (-1e-9, 1e-9)], "sin": [(-1e5, 1e5), (-4.0, 4.0), (-1e-9, 1e-9)],
    "cos": [(-1e5, 1e5), (-4.0, 4.0)],
}  # fmt: skip


def worst_error(name: str, bits: np.ndarray) -> float:
    """Return the largest error in ulp over the float32 numbers with these bits."""
    x = bits.view(np.float32)
    x = x[~(np.abs(x) > DOMAIN[name])] if name in DOMAIN else x
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
    return float(ulp_errors(evaluate(name, x), exact).max(initial=0.0))


def precise(name: str, x: float) -> mpmath.mpf:
    with mpmath.workprec(140):
        if name == "sigmoid":
            return 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        return getattr(mpmath, name)(mpmath.mpf(x))


def test_every_function_has_an_oracle_and_a_bound():
    assert set(FUNCTIONS) == set(EXACT) == set(BOUND32) == set(BOUND64) == set(SAMPLES64)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_257th_float32(name):
    bits = np.arange(0, 1 << 32, 257, dtype=np.int64).astype(np.uint32)
    worst = max(worst_error(name, part) for part in np.array_split(bits, 16))
    assert worst <= BOUND32[name]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_float32(name):
    starts = range(0, 1 << 32, CHUNK)
    parts = (np.arange(start, start + CHUNK, dtype=np.int64).astype(np.uint32) for start in starts)
    assert max(worst_error(name, part) for part in parts) <= BOUND32[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_against_140_bits(name):
    rng = np.random.default_rng(11)
    for low, high in SAMPLES64[name]:
        x = rng.uniform(low, high, 1500)
        found, worst = evaluate(name, x), 0.0
        for given, measured in zip(x.tolist(), found.tolist(), strict=True):
            exact = precise(name, given)
            worst = max(worst, float(abs(measured - exact) / np.spacing(abs(float(exact)))))
        assert worst <= BOUND64[name], (low, high)


INF, NAN = float("inf"), float("nan")
# C99 Annex F, and the limits of tanh, sigmoid and erf.
EDGES = [
    ("exp", 0.0, 1.0), ("exp", -0.0, 1.0), ("exp", INF, INF), ("exp", -INF, 0.0),
    ("log", 1.0, 0.0), ("log", 0.0, -INF), ("log", -0.0, -INF), ("log", INF, INF), ("log", -INF, NAN),
    ("log", -1.0, NAN),
    ("log1p", 0.0, 0.0), ("log1p", -0.0, -0.0), ("log1p", -1.0, -INF), ("log1p", INF, INF), ("log1p", -2.0, NAN),
    ("log1p", -INF, NAN),
    ("tanh", 0.0, 0.0), ("tanh", -0.0, -0.0), ("tanh", INF, 1.0), ("tanh", -INF, -1.0), ("tanh", 40.0, 1.0),
    ("sigmoid", 0.0, 0.5), ("sigmoid", -0.0, 0.5), ("sigmoid", INF, 1.0), ("sigmoid", -INF, 0.0),
    ("erf", 0.0, 0.0), ("erf", -0.0, -0.0), ("erf", INF, 1.0), ("erf", -INF, -1.0), ("erf", 7.0, 1.0),
    ("sin", 0.0, 0.0), ("sin", -0.0, -0.0), ("sin", INF, NAN), ("sin", -INF, NAN),
    ("cos", 0.0, 1.0), ("cos", -0.0, 1.0), ("cos", INF, NAN), ("cos", -INF, NAN),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "x", "expected"), EDGES)
def test_edges_are_exact(name, x, expected, dtype):
    found = evaluate(name, np.full(33, x, dtype))  # the vector loop and its remainder
    np.testing.assert_array_equal(found, np.full(33, expected, dtype))
    if expected == expected:
        assert np.array_equal(np.signbit(found), np.full(33, np.signbit(expected)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_passes(name, dtype):
    x = np.array([NAN, -NAN, 0.5] * 11, dtype)
    np.testing.assert_array_equal(np.isnan(evaluate(name, x)), np.isnan(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "log1p"])
def test_what_is_odd_or_linear_near_0_keeps_subnormals(name, dtype):
    info = np.finfo(dtype)
    x = np.array([1.0, 3.0, 1000.0], dtype) * info.smallest_subnormal
    slope = {"tanh": 1.0, "sin": 1.0, "log1p": 1.0, "erf": 2.0 / np.sqrt(np.pi)}[name]
    expected = (np.array([1.0, 3.0, 1000.0]) * slope).round()
    for sign in (1, -1):
        found = evaluate(name, (sign * x).astype(dtype))
        np.testing.assert_array_equal(found / info.smallest_subnormal, sign * expected)


# The last number that stays finite, the first that overflows, the last that is not 0, the first that is.
BORDERS = {
    "float32": (88.72283, 88.72284, -103.97207, -103.97209),
    "float64": (709.782712893383, 709.782712893385, -745.1332191019411, -745.1332191019413),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_overflows_and_underflows_where_it_should(dtype):
    below, above, last, gone = (np.array([x], dtype) for x in BORDERS[dtype])
    info = np.finfo(dtype)
    assert np.isfinite(evaluate("exp", below)[0])
    assert evaluate("exp", above)[0] == np.inf
    assert evaluate("exp", last)[0] == info.smallest_subnormal
    assert evaluate("exp", gone)[0] == 0.0
    # Subnormal results round once: half the smallest number with all its digits is 0.5 ulp from the exact value.
    x = np.linspace(np.log(float(info.tiny)) - 10, np.log(float(info.tiny)), 200).astype(dtype)
    exact = np.array([float(precise("exp", float(v)) / mpmath.mpf(float(info.smallest_subnormal))) for v in x])
    assert np.abs(evaluate("exp", x) / info.smallest_subnormal - exact).max() <= 1.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_stay_between_their_bounds_whatever_is_put_in(name, dtype):
    x = np.logspace(5, 38 if dtype == "float32" else 308, 2000).astype(dtype)
    found = evaluate(name, np.concatenate([x, -x, [np.finfo(dtype).max]]).astype(dtype))
    assert np.abs(found).max() <= 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_of_subnormals(dtype):
    x = np.array([1, 2, 3, 12345], dtype) * np.finfo(dtype).smallest_subnormal
    exact = np.array([float(precise("log", float(v))) for v in x])
    np.testing.assert_allclose(evaluate("log", x), exact, rtol=2 * float(np.finfo(dtype).eps))


def test_an_array_of_any_length_has_the_same_bits():
    """The vector body and the scalar remainder of a loop compute the same."""
    x = np.random.default_rng(3).normal(size=67).astype(np.float32) * 3
    for name in FUNCTIONS:
        whole = evaluate(name, np.abs(x))
        pieces = [evaluate(name, np.abs(x[i : i + 1])) for i in range(len(x))]
        np.testing.assert_array_equal(whole, np.concatenate(pieces))
