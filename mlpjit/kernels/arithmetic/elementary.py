"""Elementary functions that vectorize and have the same bits on every CPU.

Each is branch-free: range reduction, one polynomial (`polynomials`), scaling, in the dtype of its caller. Measured
errors stand in the tests: at most 2 ulp in float32. +-inf and NaN pass as in IEEE 754 / C99 Annex F.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.polynomials import (
    EXP_HIGH,
    EXP_LOW,
    EXP_QUARTER_ZERO,
    EXP_ZERO,
    EXPONENT_BIAS,
    LOG2_HIGH,
    LOG2_LOW,
    MANTISSA_BITS,
    MILLS_SCALE,
    ROUNDER,
    SMALLEST_NORMAL,
    SQRT_HALF_BITS,
    SUBNORMAL_SCALE,
    SUBNORMAL_SHIFT,
    UNDERFLOW_SCALE,
    UNDERFLOW_SHIFT,
    erf_ratio,
    exp_tail,
    log_near_one,
    mills_ratio,
    normal_near_zero,
)
from mlpjit.kernels.language import (
    InFloat64,
    absolute,
    copysign,
    device,
    fma,
    from_bits,
    iadd,
    iashr,
    ishl,
    isub,
    real,
    select,
    to_bits,
)

INFINITY = float("inf")
NAN = float("nan")
LOG2E = 1.4426950408889634
INVERSE_SQRT_2PI = 0.3989422804014327
SQRT_2 = 1.4142135623730951


@device
def _power_of_two(n):
    """2^n for an integer n in the normal range of exponents."""
    return from_bits(ishl(iadd(n, EXPONENT_BIAS), MANTISSA_BITS))


@device
def _reduced_exp(x):
    """Return (q, n) with e^x = (1 + q) 2^n and |q| below 0.42; n is an integer."""
    shifted = fma(x, LOG2E, ROUNDER)
    n = isub(to_bits(shifted), to_bits(ROUNDER))
    whole = shifted - ROUNDER
    r = fma(whole, -LOG2_HIGH, x)
    r = fma(whole, -LOG2_LOW, r)
    return fma(r * r, exp_tail(r), r), n


@device
def exp(x):
    """e^x. Two scalings, so that overflow and subnormal results round once."""
    x = select(x > EXP_HIGH, EXP_HIGH, x)
    x = select(x < EXP_LOW, EXP_LOW, x)
    q, n = _reduced_exp(x)
    half = iashr(n, 1)
    return (1.0 + q) * _power_of_two(half) * _power_of_two(isub(n, half))


@device
def log(x):
    """log x; -inf at 0, NaN below."""
    small = x < SMALLEST_NORMAL
    bits = to_bits(select(small, x * SUBNORMAL_SCALE, x))
    n = iashr(isub(bits, SQRT_HALF_BITS), MANTISSA_BITS)
    f = from_bits(isub(bits, ishl(n, MANTISSA_BITS))) - 1.0
    y = log_near_one(f, real(n) - select(small, SUBNORMAL_SHIFT, 0.0))
    y = select(x == 0.0, real(-INFINITY), y)
    y = select(x < 0.0, real(NAN), y)
    # inf and NaN are returned as they came.
    return select((x < INFINITY) | (x <= 0.0), y, x)


@device
def _exp_of_negative(x):
    """Return (e^x, q, n) for x <= 0, e^x = (1 + q) 2^n with subnormal results rounded once; cheaper than exp."""
    q, n = _reduced_exp(select(x < EXP_ZERO, real(EXP_ZERO), x))
    scaled = _power_of_two(iadd(n, UNDERFLOW_SHIFT))
    return fma(scaled, q, scaled) * UNDERFLOW_SCALE, q, n


@device
def _power_of_two_or_zero(n):
    """2^n for n <= 0, 0 where that is no normal number."""
    biased = iadd(n, EXPONENT_BIAS)
    zero = isub(biased, biased)
    return from_bits(ishl(select(biased < zero, zero, biased), MANTISSA_BITS))


@device
def exp_pair(x):
    """Return (e^x, e^x - 1) for x <= 0, both accurate near 0 and far below."""
    grown, q, n = _exp_of_negative(x)
    scale = _power_of_two_or_zero(n)
    return grown, fma(scale, q, scale - 1.0)


@device
def _quotient(numerator, total, lost, inverse):
    """numerator / (total + lost) with lost below an ulp of total and inverse = 1 / total: one rounding in all."""
    ratio = numerator * inverse
    rest = fma(-ratio, total, numerator)
    return fma(fma(-ratio, lost, rest), inverse, ratio)


@device
def tanh_and_slope(x):
    """(tanh x, 1 - tanh^2 x) from s = 1 - e^(-2|x|): s / (2 - s) and 4 e^(-2|x|) / (2 - s)^2, one exp, one division."""
    double = -2.0 * absolute(x)
    q, n = _reduced_exp(select(double < EXP_QUARTER_ZERO, real(EXP_QUARTER_ZERO), double))
    scale = _power_of_two_or_zero(n)
    s = fma(-scale, q, 1.0 - scale)
    total = 2.0 - s
    lost = (2.0 - total) - s
    inverse = 1.0 / total
    value = _quotient(s, total, lost, inverse)
    # Squared, the inverse's own rounding would cost the slope 2 ulp.
    inverse = _quotient(real(1.0), total, lost, inverse)
    whole = (1.0 + q) * (inverse * inverse)
    return copysign(value, x), whole * _power_of_two(iadd(n, UNDERFLOW_SHIFT + 2)) * UNDERFLOW_SCALE


@device
def tanh(x):
    """Tanh x, small x kept."""
    return tanh_and_slope(x)[0]


@device
def sigmoid_and_slope(x):
    """(1 / (1 + e^-x), its derivative), the value relatively accurate down to subnormal results."""
    shrunk = _exp_of_negative(-absolute(x))[0]
    total = 1.0 + shrunk
    inverse = 1.0 / total
    value = _quotient(select(x < 0.0, shrunk, real(1.0)), total, (1.0 - total) + shrunk, inverse)
    return value, (shrunk * inverse) * inverse


@device
def sigmoid(x):
    """1 / (1 + e^-x)."""
    return sigmoid_and_slope(x)[0]


@device
def _exp_minus_square(x):
    """e^(-x^2), with the rounding error of the square put back."""
    square = x * x
    lost = fma(x, x, -square)
    # x = inf: the square is inf and the loss NaN, the result 0.
    lost = select(square < INFINITY, lost, real(0.0))
    grown = _exp_of_negative(-square)[0]
    return fma(-lost, grown, grown)


@device
def _mills(t):
    """Q(t) e^(t^2/2) for t >= 0, Q the upper tail of the standard normal distribution."""
    u = MILLS_SCALE / (t + MILLS_SCALE)
    return mills_ratio(u) * u


@device
def normal_distribution(x):
    """Return (Phi(x), phi(x)): the standard normal distribution and its density, tails included."""
    size = absolute(x)
    half = size * 0.5
    # e^(-x^2/2): the square's rounding error is put back as in _exp_minus_square.
    square = size * half
    lost = select(square < INFINITY, fma(size, half, -square), real(0.0))
    grown = _exp_of_negative(-square)[0]
    grown = fma(-lost, grown, grown)
    tail = grown * _mills(size)
    far = select(x < 0.0, tail, 1.0 - tail)
    # Near 0 the tail's own rounding would show: an odd polynomial there, without it z Phi(z) is off by 3.8 ulp.
    inside = select(size < 1.0, x, real(0.0))
    return select(size < 1.0, normal_near_zero(inside), far), grown * INVERSE_SQRT_2PI


@device
def erf_pair(x):
    """Return (erf x, e^(-x^2)): an odd polynomial below 1, 1 - erfc above."""
    size = absolute(x)
    inside = select(size < 1.0, size, real(1.0))
    near = fma(inside, erf_ratio(inside * inside), inside)
    bell = _exp_minus_square(size)
    far = fma(-2.0, bell * _mills(size * SQRT_2), 1.0)
    # NaN fails every comparison, so it took neither branch.
    return select(x == x, copysign(select(size < 1.0, near, far), x), x), bell


@device
def erf(x):
    """Erf x."""
    value, _ = erf_pair(x)
    return value


@device
def power(x, y):
    """x^y for x > 0 as e^(y log x): relative error about |y log x| ulp."""
    return exp(y * log(x))


@device
def log1p(x):
    """log(1 + x); -inf at -1, NaN below."""
    total = 1.0 + x
    lost = select(x > 1.0, 1.0 - (total - x), x - (total - 1.0))
    shift = ishl(iashr(isub(to_bits(total), SQRT_HALF_BITS), MANTISSA_BITS), MANTISSA_BITS)
    # What the sum lost goes back into its mantissa: 1 + x = 2^n (1 + f). Of a large x it is nothing.
    inverse = select(x < ROUNDER, from_bits(isub(to_bits(real(1.0)), shift)), real(0.0))
    f = fma(lost, inverse, from_bits(isub(to_bits(total), shift)) - 1.0)
    y = log_near_one(f, real(iashr(shift, MANTISSA_BITS)))
    y = select(x == -1.0, real(-INFINITY), y)
    y = select(x < -1.0, real(NAN), y)
    # +-0, inf and NaN are returned as they came.
    return select((x != 0.0) & (x < INFINITY), y, x)


@device
def log1p_of_fraction(x):
    """log(1 + x) for x from 0 to 1, where log1p needs none of its care: 1 + x = 2^n (1 + f) with n = 0 or 1."""
    upper = x > SQRT_2 - 1.0
    return log_near_one(select(upper, fma(0.5, x, -0.5), x), select(upper, real(1.0), real(0.0)))


# In float64 whatever the run's dtype: random numbers, rates.
log_float64, power_float64 = InFloat64("log_float64", log), InFloat64("power_float64", power)
