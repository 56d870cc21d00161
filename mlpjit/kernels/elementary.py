"""Elementary functions that vectorize and have the same bits on every CPU.

Each is branch-free: range reduction, one polynomial (fitted by `tests/oracles/fit_polynomials.py`), scaling.
Constants are double literals; the compiler rounds them once to the dtype. Measured errors stand in the tests:
at most 2 ulp in float32. +-inf and NaN pass as in IEEE 754 / C99 Annex F.
"""

from __future__ import annotations

from mlpjit.kernels.rules import (
    ByDtype,
    absolute,
    copysign,
    device_float32,
    device_float64,
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
TWO_OVER_PI = 0.6366197723675814
INVERSE_SQRT_2PI = 0.3989422804014327
SQRT_2 = 1.4142135623730951


# float32 ---------------------------------------------------------------------------------------------------


@device_float32
def _power_of_two_32(n):
    """2^n for an integer n in the normal range of exponents."""
    return from_bits(ishl(iadd(n, 127), 23))


@device_float32
def _reduced_exp_32(x):
    """Return (q, n) with e^x = (1 + q) 2^n and |q| below 0.42; n is an integer."""
    shifted = fma(x, LOG2E, 12582912.0)
    n = isub(to_bits(shifted), to_bits(12582912.0))
    whole = shifted - 12582912.0
    r = fma(whole, -0.693145751953125, x)
    r = fma(whole, -1.4286068203094173e-06, r)
    p = fma(0.0013926250831497611, r, 0.008363232883682618)
    p = fma(p, r, 0.04166655421298415)
    p = fma(p, r, 0.16666576666119928)
    p = fma(p, r, 0.5)
    return fma(r * r, p, r), n


@device_float32
def _exp_32(x):
    """e^x. Two scalings, so that overflow and subnormal results round once."""
    x = select(x > 89.5, 89.5, x)
    x = select(x < -104.5, -104.5, x)
    q, n = _reduced_exp_32(x)
    half = iashr(n, 1)
    return (1.0 + q) * _power_of_two_32(half) * _power_of_two_32(isub(n, half))


@device_float32
def _log_32(x):
    """log x; -inf at 0, NaN below."""
    small = x < 1.1754943508222875e-38
    scaled = select(small, x * 8388608.0, x)
    bits = to_bits(scaled)
    n = iashr(isub(bits, 0x3F3504F3), 23)
    f = from_bits(isub(bits, ishl(n, 23))) - 1.0
    e = real(n) - select(small, 23.0, 0.0)
    p = fma(0.06971611471451178, f, -0.11479733846637635)
    p = fma(p, f, 0.1168541992348674)
    p = fma(p, f, -0.12425687331451106)
    p = fma(p, f, 0.1424905764569748)
    p = fma(p, f, -0.16667802319501254)
    p = fma(p, f, 0.200007157488921)
    p = fma(p, f, -0.24999996957950882)
    p = fma(p, f, 0.33333331180030046)
    z = f * f
    y = fma(e, 1.4286068203094173e-06, f * z * p)
    y = fma(e, 0.693145751953125, f + fma(-0.5, z, y))
    y = select(x == 0.0, real(-INFINITY), y)
    y = select(x < 0.0, real(NAN), y)
    # inf and NaN are returned as they came.
    return select((x < INFINITY) | (x <= 0.0), y, x)


@device_float32
def _expm1_positive_32(x):
    """e^x - 1 for x in [0, 30], accurate near 0."""
    q, n = _reduced_exp_32(x)
    scale = _power_of_two_32(n)
    return fma(scale, q, scale - 1.0)


@device_float32
def _expm1_negative_32(x):
    """e^x - 1 for x <= 0, accurate near 0; -1 below -30."""
    low = x < -30.0
    q, n = _reduced_exp_32(select(low, -30.0, x))
    scale = _power_of_two_32(n)
    return fma(scale, q, scale - 1.0)


@device_float32
def _tanh_32(x):
    """Tanh x = (e^2x - 1) / (e^2x + 1), in a form that keeps small x."""
    size = absolute(x)
    size = select(size > 10.0, 10.0, size)
    grown = _expm1_positive_32(size + size)
    total = grown + 2.0
    ratio = grown / total
    # What the sum lost, put back: 1 / total is (1 - ratio) / 2. Without it the error is 2.4 ulp.
    more = grown > 2.0
    lost = (select(more, grown, real(2.0)) - total) + select(more, real(2.0), grown)
    # And what the quotient lost, where 1 / total is known well enough: without it 2.04 ulp near 0.2.
    rest = fma(-ratio, lost, select(more, real(0.0), fma(-ratio, total, grown)))
    return copysign(fma(rest, 0.5 - 0.5 * ratio, ratio), x)


@device_float32
def _sigmoid_32(x):
    """1 / (1 + e^-x), relatively accurate down to subnormal results."""
    shrunk = _exp_32(-absolute(x))
    total = 1.0 + shrunk
    ratio = select(x < 0.0, shrunk, real(1.0)) / total
    # What the sum lost, put back; 1 / total is the upper of ratio and 1 - ratio. Without it 2.3 ulp.
    lost = (1.0 - total) + shrunk
    return fma(-ratio, lost * select(x < 0.0, 1.0 - ratio, ratio), ratio)


@device_float32
def _exp_minus_square_32(x):
    """e^(-x^2), with the rounding error of the square put back."""
    square = x * x
    lost = fma(x, x, -square)
    # x = inf: the square is inf and the loss NaN, the result 0.
    lost = select(square < INFINITY, lost, real(0.0))
    grown = _exp_32(-square)
    return fma(-lost, grown, grown)


@device_float32
def _mills_32(t):
    """Q(t) e^(t^2/2) for t >= 0, Q the upper tail of the standard normal distribution."""
    u = 4.0 / (t + 4.0)
    p = fma(0.01574184409667406, u, -0.058370979961915474)
    p = fma(p, u, 0.04158928633464349)
    p = fma(p, u, 0.041367809645448)
    p = fma(p, u, 0.0024003585723166216)
    p = fma(p, u, 0.09193209488065383)
    p = fma(p, u, 0.07027288218849083)
    p = fma(p, u, 0.09586338535702502)
    p = fma(p, u, 0.09945356608405848)
    p = fma(p, u, 0.09974975536334542)
    return p * u


@device_float32
def _normal_32(x):
    """Return (Phi(x), phi(x)): the standard normal distribution and its density, tails included."""
    size = absolute(x)
    half = size * 0.5
    # e^(-x^2/2): the square's rounding error is put back as in _exp_minus_square.
    square = size * half
    lost = select(square < INFINITY, fma(size, half, -square), real(0.0))
    grown = _exp_32(-square)
    grown = fma(-lost, grown, grown)
    tail = grown * _mills_32(size)
    far = select(x < 0.0, tail, 1.0 - tail)
    # Near 0 the tail's own rounding would show: an odd polynomial there, without it z Phi(z) is off by 3.8 ulp.
    inside = select(size < 1.0, x, real(0.0))
    z = inside * inside
    p = fma(-7.66053817138209e-06, z, 0.00011350229619286141)
    p = fma(p, z, -0.0011863439888019887)
    p = fma(p, z, 0.00997332848125617)
    p = fma(p, z, -0.0664903605671869)
    p = fma(p, z, 0.3989422801308406)
    return select(size < 1.0, fma(inside, p, 0.5), far), grown * INVERSE_SQRT_2PI


@device_float32
def _erf_32(x):
    """erf x: an odd polynomial below 1, 1 - erfc above."""
    size = absolute(x)
    inside = select(size < 1.0, size, real(1.0))
    z = inside * inside
    p = fma(7.875875062685488e-05, z, -0.000801686428716587)
    p = fma(p, z, 0.005189087423433974)
    p = fma(p, z, -0.026854212010626412)
    p = fma(p, z, 0.11283594715160218)
    p = fma(p, z, -0.37612626666720334)
    p = fma(p, z, 0.12837916584835093)
    near = fma(inside, p, inside)
    outside = select(size > 1.0, size, real(1.0))
    tail = _exp_minus_square_32(outside) * _mills_32(outside * SQRT_2)
    far = fma(-2.0, tail, 1.0)
    # NaN fails every comparison, so it took neither branch.
    return select(x == x, copysign(select(size < 1.0, near, far), x), x)


@device_float32
def _quarter_turn_32(x):
    """Return (r, z, n): x = r + n pi/2, |r| at most pi/4, z = r^2; good to |x| about 1e5."""
    shifted = fma(x, TWO_OVER_PI, 12582912.0)
    n = isub(to_bits(shifted), to_bits(12582912.0))
    whole = shifted - 12582912.0
    r = fma(whole, -1.5703125, x)
    r = fma(whole, -0.0004837512969970703, r)
    r = fma(whole, -7.549533620476723e-08, r)
    r = fma(whole, -2.563344151594519e-12, r)
    return r, r * r, n


@device_float32
def _sin_of_rest_32(r, z):
    p = fma(2.7249314054698804e-06, z, -0.00019840082012765537)
    p = fma(p, z, 0.008333331865959415)
    p = fma(p, z, -0.16666666663832763)
    return fma(r * z, p, r)


@device_float32
def _cos_of_rest_32(z):
    p = fma(-2.7300448619488353e-07, z, 2.4800596435621998e-05)
    p = fma(p, z, -0.0013888887664713619)
    p = fma(p, z, 0.0416666666643024)
    return fma(z * z, p, fma(-0.5, z, 1.0))


@device_float32
def _sin_32(x):
    """Sin x; NaN at +-inf."""
    r, z, n = _quarter_turn_32(x)
    y = select((n & 1) == 1, _cos_of_rest_32(z), _sin_of_rest_32(r, z))
    y = select((n & 2) == 2, -y, y)
    return select(x == 0.0, x, y)


@device_float32
def _cos_32(x):
    """Cos x; NaN at +-inf."""
    r, z, n = _quarter_turn_32(x)
    y = select((n & 1) == 1, _sin_of_rest_32(r, z), _cos_of_rest_32(z))
    return select(((n + 1) & 2) == 2, -y, y)


@device_float32
def _power_32(x, y):
    """x^y for x > 0 as e^(y log x): relative error about |y log x| ulp."""
    return _exp_32(y * _log_32(x))


# float64 ---------------------------------------------------------------------------------------------------


@device_float64
def _power_of_two_64(n):
    """2^n for an integer n in the normal range of exponents."""
    return from_bits(ishl(iadd(n, 1023), 52))


@device_float64
def _reduced_exp_64(x):
    """Return (q, n) with e^x = (1 + q) 2^n and |q| below 0.42; n is an integer."""
    shifted = fma(x, LOG2E, 6755399441055744.0)
    n = isub(to_bits(shifted), to_bits(6755399441055744.0))
    whole = shifted - 6755399441055744.0
    r = fma(whole, -0.6931471805582987, x)
    r = fma(whole, -1.6465949582897082e-12, r)
    p = fma(2.09147553258932e-09, r, 2.5105312729622103e-08)
    p = fma(p, r, 2.755727347871858e-07)
    p = fma(p, r, 2.755725517000089e-06)
    p = fma(p, r, 2.480158732567746e-05)
    p = fma(p, r, 0.0001984126987500228)
    p = fma(p, r, 0.0013888888888883711)
    p = fma(p, r, 0.008333333333326084)
    p = fma(p, r, 0.04166666666666667)
    p = fma(p, r, 0.1666666666666667)
    p = fma(p, r, 0.5)
    return fma(r * r, p, r), n


@device_float64
def _exp_64(x):
    """e^x. Two scalings, so that overflow and subnormal results round once."""
    x = select(x > 710.5, 710.5, x)
    x = select(x < -746.0, -746.0, x)
    q, n = _reduced_exp_64(x)
    half = iashr(n, 1)
    return (1.0 + q) * _power_of_two_64(half) * _power_of_two_64(isub(n, half))


@device_float64
def _log_64(x):
    """log x; -inf at 0, NaN below."""
    small = x < 2.2250738585072014e-308
    scaled = select(small, x * 4503599627370496.0, x)
    bits = to_bits(scaled)
    n = iashr(isub(bits, 0x3FE6A09E667F3BCD), 52)
    f = from_bits(isub(bits, ishl(n, 52))) - 1.0
    e = real(n) - select(small, 52.0, 0.0)
    s = f / (2.0 + f)
    z = s * s
    p = fma(0.13089629160674623, z, 0.13268485680654427)
    p = fma(p, z, 0.1538625044794019)
    p = fma(p, z, 0.18181795442371984)
    p = fma(p, z, 0.2222222239356661)
    p = fma(p, z, 0.2857142857079543)
    p = fma(p, z, 0.4000000000000089)
    p = fma(p, z, 0.6666666666666666)
    h = 0.5 * f * f
    y = fma(e, 1.6465949582897082e-12, s * fma(z, p, h))
    y = fma(e, 0.6931471805582987, f - (h - y))
    y = select(x == 0.0, real(-INFINITY), y)
    y = select(x < 0.0, real(NAN), y)
    # inf and NaN are returned as they came.
    return select((x < INFINITY) | (x <= 0.0), y, x)


@device_float64
def _expm1_positive_64(x):
    """e^x - 1 for x in [0, 30], accurate near 0."""
    q, n = _reduced_exp_64(x)
    scale = _power_of_two_64(n)
    return fma(scale, q, scale - 1.0)


@device_float64
def _expm1_negative_64(x):
    """e^x - 1 for x <= 0, accurate near 0; -1 below -60."""
    low = x < -60.0
    q, n = _reduced_exp_64(select(low, -60.0, x))
    scale = _power_of_two_64(n)
    return fma(scale, q, scale - 1.0)


@device_float64
def _tanh_64(x):
    """Tanh x = (e^2x - 1) / (e^2x + 1), in a form that keeps small x."""
    size = absolute(x)
    size = select(size > 20.0, 20.0, size)
    grown = _expm1_positive_64(size + size)
    total = grown + 2.0
    ratio = grown / total
    # What the sum lost, put back: 1 / total is (1 - ratio) / 2. Without it the error is 2.4 ulp.
    more = grown > 2.0
    lost = (select(more, grown, real(2.0)) - total) + select(more, real(2.0), grown)
    # And what the quotient lost, where 1 / total is known well enough: without it 2.04 ulp near 0.2.
    rest = fma(-ratio, lost, select(more, real(0.0), fma(-ratio, total, grown)))
    return copysign(fma(rest, 0.5 - 0.5 * ratio, ratio), x)


@device_float64
def _sigmoid_64(x):
    """1 / (1 + e^-x), relatively accurate down to subnormal results."""
    shrunk = _exp_64(-absolute(x))
    total = 1.0 + shrunk
    ratio = select(x < 0.0, shrunk, real(1.0)) / total
    # What the sum lost, put back; 1 / total is the upper of ratio and 1 - ratio. Without it 2.3 ulp.
    lost = (1.0 - total) + shrunk
    return fma(-ratio, lost * select(x < 0.0, 1.0 - ratio, ratio), ratio)


@device_float64
def _exp_minus_square_64(x):
    """e^(-x^2), with the rounding error of the square put back."""
    square = x * x
    lost = fma(x, x, -square)
    # x = inf: the square is inf and the loss NaN, the result 0.
    lost = select(square < INFINITY, lost, real(0.0))
    grown = _exp_64(-square)
    return fma(-lost, grown, grown)


@device_float64
def _mills_64(t):
    """Q(t) e^(t^2/2) for t >= 0, Q the upper tail of the standard normal distribution."""
    u = 5.0 / (t + 5.0)
    p = fma(-0.00092534151243972, u, 0.011304406406117367)
    p = fma(p, u, -0.06334963407558684)
    p = fma(p, u, 0.21521162963821575)
    p = fma(p, u, -0.4945997267140895)
    p = fma(p, u, 0.8164847769885554)
    p = fma(p, u, -1.010823140534612)
    p = fma(p, u, 0.9733623254533724)
    p = fma(p, u, -0.7454982059390811)
    p = fma(p, u, 0.4558711767344286)
    p = fma(p, u, -0.22986461348171344)
    p = fma(p, u, 0.09443435061558692)
    p = fma(p, u, -0.023898104524441896)
    p = fma(p, u, 0.02339909146042291)
    p = fma(p, u, 0.023836921315718473)
    p = fma(p, u, 0.03789424401895721)
    p = fma(p, u, 0.04974592277232775)
    p = fma(p, u, 0.061026564396091616)
    p = fma(p, u, 0.07021351012324419)
    p = fma(p, u, 0.07659693525369485)
    p = fma(p, u, 0.07978845551650066)
    p = fma(p, u, 0.0797884560887304)
    return p * u


@device_float64
def _normal_64(x):
    """Return (Phi(x), phi(x)): the standard normal distribution and its density, tails included."""
    size = absolute(x)
    half = size * 0.5
    # e^(-x^2/2): the square's rounding error is put back as in _exp_minus_square.
    square = size * half
    lost = select(square < INFINITY, fma(size, half, -square), real(0.0))
    grown = _exp_64(-square)
    grown = fma(-lost, grown, grown)
    tail = grown * _mills_64(size)
    return select(x < 0.0, tail, 1.0 - tail), grown * INVERSE_SQRT_2PI


@device_float64
def _erf_64(x):
    """erf x: an odd polynomial below 1, 1 - erfc above."""
    size = absolute(x)
    inside = select(size < 1.0, size, real(1.0))
    z = inside * inside
    p = fma(-4.230945824295338e-12, z, 8.709045129053106e-11)
    p = fma(p, z, -1.216456005728345e-09)
    p = fma(p, z, 1.4792401209404813e-08)
    p = fma(p, z, -1.6364642158167616e-07)
    p = fma(p, z, 1.6462045441468418e-06)
    p = fma(p, z, -1.4925647567519332e-05)
    p = fma(p, z, 0.00012055332902888736)
    p = fma(p, z, -0.000854832702193483)
    p = fma(p, z, 0.0052239776254232985)
    p = fma(p, z, -0.02686617064512984)
    p = fma(p, z, 0.1128379167095512)
    p = fma(p, z, -0.37612638903183754)
    p = fma(p, z, 0.1283791670955126)
    near = fma(inside, p, inside)
    outside = select(size > 1.0, size, real(1.0))
    tail = _exp_minus_square_64(outside) * _mills_64(outside * SQRT_2)
    far = fma(-2.0, tail, 1.0)
    # NaN fails every comparison, so it took neither branch.
    return select(x == x, copysign(select(size < 1.0, near, far), x), x)


@device_float64
def _quarter_turn_64(x):
    """Return (r, z, n): x = r + n pi/2, |r| at most pi/4, z = r^2; good to |x| about 1e5."""
    shifted = fma(x, TWO_OVER_PI, 6755399441055744.0)
    n = isub(to_bits(shifted), to_bits(6755399441055744.0))
    whole = shifted - 6755399441055744.0
    r = fma(whole, -1.5707963267341256, x)
    r = fma(whole, -6.077100506303966e-11, r)
    r = fma(whole, -2.0222662487959506e-21, r)
    return r, r * r, n


@device_float64
def _sin_of_rest_64(r, z):
    p = fma(-7.586576588171073e-13, z, 1.6058529572267877e-10)
    p = fma(p, z, -2.5052106219521895e-08)
    p = fma(p, z, 2.755731921930192e-06)
    p = fma(p, z, -0.00019841269841265017)
    p = fma(p, z, 0.008333333333333331)
    p = fma(p, z, -0.16666666666666666)
    return fma(r * z, p, r)


@device_float64
def _cos_of_rest_64(z):
    p = fma(4.745804889760674e-14, z, -1.1470459749675607e-11)
    p = fma(p, z, 2.087675578389404e-09)
    p = fma(p, z, -2.7557319221382114e-07)
    p = fma(p, z, 2.4801587301584618e-05)
    p = fma(p, z, -0.0013888888888888887)
    p = fma(p, z, 0.041666666666666664)
    return fma(z * z, p, fma(-0.5, z, 1.0))


@device_float64
def _sin_64(x):
    """Sin x; NaN at +-inf."""
    r, z, n = _quarter_turn_64(x)
    y = select((n & 1) == 1, _cos_of_rest_64(z), _sin_of_rest_64(r, z))
    y = select((n & 2) == 2, -y, y)
    return select(x == 0.0, x, y)


@device_float64
def _cos_64(x):
    """Cos x; NaN at +-inf."""
    r, z, n = _quarter_turn_64(x)
    y = select((n & 1) == 1, _sin_of_rest_64(r, z), _cos_of_rest_64(z))
    return select(((n + 1) & 2) == 2, -y, y)


@device_float64
def _power_64(x, y):
    """x^y for x > 0 as e^(y log x): relative error about |y log x| ulp."""
    return _exp_64(y * _log_64(x))


# Names that kernels use -----------------------------------------------------------------------------------

exp = ByDtype("exp", _exp_32, _exp_64)
log = ByDtype("log", _log_32, _log_64)
tanh = ByDtype("tanh", _tanh_32, _tanh_64)
sigmoid = ByDtype("sigmoid", _sigmoid_32, _sigmoid_64)
expm1_negative = ByDtype("expm1_negative", _expm1_negative_32, _expm1_negative_64)
erf = ByDtype("erf", _erf_32, _erf_64)
normal_distribution = ByDtype("normal_distribution", _normal_32, _normal_64)
sin = ByDtype("sin", _sin_32, _sin_64)
cos = ByDtype("cos", _cos_32, _cos_64)
power = ByDtype("power", _power_32, _power_64)
exp_float64, log_float64, power_float64 = _exp_64, _log_64, _power_64
sin_float64, cos_float64 = _sin_64, _cos_64


FUNCTIONS: dict[str, ByDtype] = {
    f.name: f for f in (exp, log, tanh, sigmoid, erf, sin, cos)
}  # fmt: skip
