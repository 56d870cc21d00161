"""Activations: f, df and d2f against 160-bit numbers, float32 against float64, kinks, tails, NaN and infinities.

How the bounds are meant: f within 2 ulp, of the gated ones 2 ulp of |z|; df and d2f within 2 ulp of max(|z|, 1); and
far out on the left, where an error of that size would be everything, within 1e-5 (float64: 1e-14) of their own size.
Where a rule needs more, it is named with what was measured.
"""

from __future__ import annotations

from functools import cache

import mpmath
import numpy as np
import pytest
from oracles.activations import ACTIVATIONS, VARIANTS
from oracles.rounding import ulp_errors

from mlpjit.kernels.network.activations import activations
from mlpjit.training import linking

INF, NAN = float("inf"), float("nan")
DTYPES = ["float32", "float64"]
TINY = float(np.finfo(np.float32).tiny)
# z times a gate that falls like an exponential: f in ulp of |z|. In float64, of its own: far out the rounding of z is
# worth z^2 / 2 ulp.
GATED = {"gelu": 20.0, "gelu_tanh": 20.0, "silu": 2.0, "mish": 3.0}
# Measured: mish 2.01 (float32), lecun_tanh 2.72 and 2.92, sine 2.30, snake 3.5 and 4.5 where z + sin^2 z is near 0.
VALUE_BOUND = {"mish": 2.1, "lecun_tanh": 3.0, "sine": 2.5, "snake": 5.0}
# 2 / (1 + |z|)^3 has 5.2 ulp of 1, which is 2.6 of 2, its value at 0; lecun_tanh's df 2.73, gelu_tanh's d2f 2.25.
# With a frequency of 2, sine's d2f is up to 4 and has 2.8, snake's 3.05.
DERIVATIVE_BOUND = {
    ("softsign", 2): 5.5, ("lecun_tanh", 1): 3.0, ("gelu_tanh", 2): 2.5, ("sine(frequency=2.0)", 2): 3.0,
    ("snake(frequency=2.0)", 2): 3.5,
}  # fmt: skip
# Where the left tail begins: beyond the zeros of df and d2f. Those with a period have none.
TAIL = {"silu": -3.0, "mish": -3.0, "sine": -INF, "snake": -INF}
# In float32 the slope of this gate is subnormal, and so has fewer digits, where df is some 1e2 times as large.
TAIL_FLOOR = {"gelu_tanh": 10.0}
# Sines are known as far as their argument can be reduced.
DOMAIN = {"sine": 5e4, "snake": 2.5e4}


ORACLES = ACTIVATIONS | VARIANTS


def base(name: str) -> str:
    """The name without the parameter."""
    return name.partition("(")[0]


def evaluate(name: str, z: np.ndarray) -> list[np.ndarray]:
    """Return f, df, d2f."""
    given = np.ascontiguousarray(z)
    found = [np.empty_like(given) for _ in range(3)]
    call = linking.activation(name, str(given.dtype), "evaluation").call
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
        triples = [ORACLES[name](mpmath.mpf(v)) for v in z.tolist()]
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
    assert {record.name for record in activations.records() if record.defaults} == {base(name) for name in VARIANTS}


@pytest.mark.parametrize("name", ORACLES)
def test_float64_values(name):
    _, value, error = errors64(name, 0)
    allowed = GATED.get(name, VALUE_BOUND.get(base(name), 2.0))
    assert (error <= allowed * np.maximum(ulp_of(value, "float64"), 5e-324)).all()


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("name", ORACLES)
def test_float64_derivatives(name, place):
    z, value, error = errors64(name, place)
    allowed = DERIVATIVE_BOUND.get((name, place), 2.0)
    assert (error <= allowed * ulp_of(np.maximum(np.abs(z), 1.0), "float64")).all()
    tail = (z < TAIL.get(base(name), -2.0)) & (np.abs(value) > 1e-300)
    assert (error[tail] <= 1e-14 * np.abs(value[tail])).all()


def every_257th(largest: float = 1e38) -> list[np.ndarray]:
    x = np.arange(0, 1 << 32, 257, dtype=np.int64).astype(np.uint32).view(np.float32)
    return np.array_split(x[np.abs(x) <= largest], 16)


@pytest.mark.parametrize("name", ORACLES)
def test_float32_against_float64(name):
    """Float64 is proven above, and its error does not show here."""
    bound = VALUE_BOUND.get(base(name), 2.0)
    for z in every_257th(DOMAIN.get(base(name), 1e38)):
        found, wanted = evaluate(name, z), evaluate(name, z.astype(np.float64))
        if name in GATED:
            assert (np.abs(found[0] - wanted[0]) <= bound * ulp_of(z, "float32")).all()
        else:
            assert ulp_errors(found[0], wanted[0]).max() <= bound
        unit = ulp_of(np.maximum(np.abs(z), np.float32(1.0)), "float32")
        for place in (1, 2):
            allowed = DERIVATIVE_BOUND.get((name, place), 2.0)
            assert (np.abs(found[place] - wanted[place]) <= allowed * unit).all()
        assert_tail(name, z, found, wanted)


def assert_tail(name: str, z: np.ndarray, found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Relative errors; below the smallest normal number, as near as the subnormal numbers are."""
    tail, floor = z < TAIL.get(base(name), -2.0), TINY * TAIL_FLOOR.get(name, 1.0)
    for one, exact, allowed in zip(found, wanted, (1e-5, 1e-5, 1e-4), strict=True):
        assert (np.abs(one - exact)[tail] <= allowed * np.maximum(np.abs(exact[tail]), floor)).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "erf", "softsign"])
def test_slopes_keep_their_digits_in_both_tails(name):
    """1 - tanh^2 would have none beyond |z| = 9."""
    for z in every_257th():
        df, wanted = evaluate(name, z)[1], evaluate(name, z.astype(np.float64))[1]
        assert ulp_errors(df, wanted).max() <= 6.0


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "erf"])
def test_bends_keep_their_digits_near_zero_and_in_both_tails(name):
    """1 - 2 sigmoid(z) would have none below |z| = 1e-7."""
    for z in every_257th():
        d2f, wanted = evaluate(name, z)[2], evaluate(name, z.astype(np.float64))[2]
        known = np.abs(wanted) > 100 * TINY
        assert ulp_errors(d2f, wanted)[known].max(initial=0.0) <= 9.0


# f, df, d2f at -inf, at 0 and at +inf; where they have a kink the value that the docstring gives.
LIMITS = {
    "identity": [(-INF, 1, 0), (0, 1, 0), (INF, 1, 0)],
    "sigmoid": [(0, 0, 0), (0.5, 0.25, 0), (1, 0, 0)],
    "tanh": [(-1, 0, 0), (0, 1, 0), (1, 0, 0)],
    "relu": [(0, 0, 0), (0, 0, 0), (INF, 1, 0)],
    "leaky_relu": [(-INF, 0.01, 0), (0, 0.01, 0), (INF, 1, 0)],
    "prelu": [(-INF, 0.25, 0), (0, 0.25, 0), (INF, 1, 0)],
    "elu": [(-1, 0, 0), (0, 1, 1), (INF, 1, 0)],
    "gelu": [(0, 0, 0), (0, 0.5, 0.7978845608028654), (INF, 1, 0)],
    "gelu_tanh": [(0, 0, 0), (0, 0.5, 0.7978845608028654), (INF, 1, 0)],
    "silu": [(0, 0, 0), (0, 0.5, 0.5), (INF, 1, 0)],
    "mish": [(0, 0, 0), (0, 0.6, 0.64), (INF, 1, 0)],
    "softplus": [(0, 0, 0), (0.6931471805599453, 0.5, 0.25), (INF, 1, 0)],
    "hard_swish": [(0, 0, 0), (0, 0.5, 0.3333333333333333), (INF, 1, 0)],
    "hard_sigmoid": [(0, 0, 0), (0.5, 0.16666666666666666, 0), (1, 0, 0)],
    "hard_tanh": [(-1, 0, 0), (0, 1, 0), (1, 0, 0)],
    "lecun_tanh": [(-1.7159, 0, 0), (0, 1.1439333333333333, 0), (1.7159, 0, 0)],
    "erf": [(-1, 0, 0), (0, 1.1283791670955126, 0), (1, 0, 0)],
    "softsign": [(-1, 0, 0), (0, 1, 0), (1, 0, 0)],
    "relu6": [(0, 0, 0), (0, 0, 0), (6, 0, 0)],
    "relu_squared": [(0, 0, 0), (0, 0, 0), (INF, INF, 2)],
    "celu": [(-1, 0, 0), (0, 1, 1), (INF, 1, 0)],
    "selu": [(-1.7580993408473766, 0, 0), (0, 1.7580993408473766, 1.7580993408473766), (INF, 1.0507009873554805, 0)],
    "sine": [(NAN, NAN, NAN), (0, 1, 0), (NAN, NAN, NAN)],
    "snake": [(-INF, NAN, NAN), (0, 1, 2), (INF, NAN, NAN)],
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
def test_a_slow_wave_is_one_far_out_too(dtype):
    """What must be small is the angle; a z beyond 1e6 was taken for it."""
    z = np.array([9e5, 1e6, 2.5e6, -7e6], dtype)
    angle = 0.01 * z.astype(np.float64)
    value, slope, _ = evaluate("sine(frequency=0.01)", z)
    np.testing.assert_allclose(value, np.sin(angle), atol=1e-6)
    np.testing.assert_allclose(slope, 0.01 * np.cos(angle), atol=1e-8)
    np.testing.assert_allclose(evaluate("snake(frequency=0.01)", z)[1], 1 + np.sin(2 * angle), atol=1e-6)


# f, df, d2f at kinks away from 0.
KINKS = {
    ("hard_tanh", -1): (-1, 0, 0), ("hard_tanh", 1): (1, 0, 0), ("relu6", 6): (6, 0, 0),
    ("hard_sigmoid", -3): (0, 0, 0), ("hard_sigmoid", 3): (1, 0, 0),
    ("hard_swish", -3): (0, 0, 0), ("hard_swish", 3): (3, 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "z"), KINKS)
def test_kinks_away_from_zero(name, z, dtype):
    np.testing.assert_array_equal(evaluate(name, np.full(35, z, dtype)), np.repeat([KINKS[name, z]], 35, 0).T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ORACLES)
def test_nan_passes_and_nothing_else_is_nan(name, dtype):
    info = np.finfo(dtype)
    z = np.array([NAN, info.max, -info.max, info.tiny, -info.tiny, info.smallest_subnormal] * 9, dtype)
    f, df, d2f = evaluate(name, z)
    np.testing.assert_array_equal(np.isnan(f), np.isnan(z))
    assert not np.isnan(df[~np.isnan(z)]).any()
    assert not np.isnan(d2f[~np.isnan(z)]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ORACLES)
def test_the_forward_loop_has_the_same_bits(name, dtype):
    z = np.random.default_rng(1).normal(size=103).astype(dtype) * 4
    f, df, d2f = evaluate(name, z)
    value, slope, bend = np.empty_like(z), z.copy(), np.empty_like(z)
    linking.activation(name, dtype).call(z.size, value.ctypes.data, slope.ctypes.data)
    linking.activation(name, dtype, "curvature").call(z.size, z.ctypes.data, bend.ctypes.data)
    np.testing.assert_array_equal([value, slope, bend], [f, df, d2f])


@pytest.mark.parametrize("name", ORACLES)
def test_the_slope_limit_is_the_largest_slope(name):
    """That of relu_squared has no largest: its slope at 1 stands for it."""
    z = np.linspace(-20, 1 if name == "relu_squared" else 20, 400_001)
    assert np.abs(evaluate(name, z)[1]).max() == pytest.approx(activations[name].slope_limit, rel=1e-4)


def test_the_tanh_form_of_gelu_is_that_near_to_it():
    """Fact A11: 4.732e-4, at 2.699."""
    z = np.linspace(0, 6, 600_001)
    error = np.abs(evaluate("gelu_tanh", z)[0] - evaluate("gelu", z)[0])
    assert error.max() == pytest.approx(4.732e-4, abs=1e-7)
    assert z[error.argmax()] == pytest.approx(2.699, abs=1e-3)
