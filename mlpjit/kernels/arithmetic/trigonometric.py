"""Sine and cosine that vectorize and have the same bits on every CPU: a reduction to quarter turns, two polynomials."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.polynomials import (
    QUARTER_1,
    QUARTER_2,
    QUARTER_3,
    QUARTER_4,
    ROUNDER,
    cos_tail,
    sin_tail,
)
from mlpjit.kernels.language import (
    InFloat64,
    device,
    fma,
    isub,
    real,
    select,
    to_bits,
)

TWO_OVER_PI = 0.6366197723675814


@device
def _quarter_turn(x):
    """Return (r, z, n): x = r + n pi/2, |r| at most pi/4, z = r^2; good to |x| about 1e5."""
    shifted = fma(x, TWO_OVER_PI, ROUNDER)
    n = isub(to_bits(shifted), to_bits(ROUNDER))
    whole = shifted - ROUNDER
    r = fma(whole, -QUARTER_1, x)
    r = fma(whole, -QUARTER_2, r)
    r = fma(whole, -QUARTER_3, r)
    r = fma(whole, -QUARTER_4, r)
    # Far outside nothing of x is left; what remains is a sine and a cosine between -1 and 1.
    r = select(r > 1.0, real(1.0), r)
    r = select(r < -1.0, real(-1.0), r)
    return r, r * r, n


@device
def _sin_of_rest(r, z):
    return fma(r * z, sin_tail(z), r)


@device
def _cos_of_rest(z):
    return fma(z * z, cos_tail(z), fma(-0.5, z, 1.0))


@device
def sin(x):
    """Sin x; NaN at +-inf."""
    r, z, n = _quarter_turn(x)
    y = select((n & 1) == 1, _cos_of_rest(z), _sin_of_rest(r, z))
    y = select((n & 2) == 2, -y, y)
    return select(x == 0.0, x, y)


@device
def cos(x):
    """Cos x; NaN at +-inf."""
    r, z, n = _quarter_turn(x)
    y = select((n & 1) == 1, _sin_of_rest(r, z), _cos_of_rest(z))
    return select(((n + 1) & 2) == 2, -y, y)


sin_float64, cos_float64 = InFloat64("sin_float64", sin), InFloat64("cos_float64", cos)
