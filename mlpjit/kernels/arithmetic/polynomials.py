"""The fitted polynomials and the numbers of `elementary`, one of each for float32 and float64.

Coefficients are printed by `tests/oracles/fit_polynomials.py`; the compiler rounds them once to the dtype.
"""

from __future__ import annotations

from mlpjit.kernels.language import ByDtype, DtypeConstant, device_float32, device_float64, fma

# Adding this rounds to a whole number, which then stands in the low bits.
ROUNDER = DtypeConstant("ROUNDER", 12582912.0, 6755399441055744.0)
MANTISSA_BITS = DtypeConstant("MANTISSA_BITS", 23, 52)
EXPONENT_BIAS = DtypeConstant("EXPONENT_BIAS", 127, 1023)
SMALLEST_NORMAL = DtypeConstant("SMALLEST_NORMAL", 1.1754943508222875e-38, 2.2250738585072014e-308)
SUBNORMAL_SCALE = DtypeConstant("SUBNORMAL_SCALE", 8388608.0, 4503599627370496.0)
SUBNORMAL_SHIFT = DtypeConstant("SUBNORMAL_SHIFT", 23.0, 52.0)
SQRT_HALF_BITS = DtypeConstant("SQRT_HALF_BITS", 0x3F3504F3, 0x3FE6A09E667F3BCD)
# log 2 in two parts, the first with zeros at its end so that its multiples are exact.
LOG2_HIGH = DtypeConstant("LOG2_HIGH", 0.693145751953125, 0.6931471805582987)
LOG2_LOW = DtypeConstant("LOG2_LOW", 1.4286068203094173e-06, 1.6465949582897082e-12)
# pi / 2 in parts, likewise.
QUARTER_1 = DtypeConstant("QUARTER_1", 1.5703125, 1.5707963267341256)
QUARTER_2 = DtypeConstant("QUARTER_2", 0.0004837512969970703, 6.077100506303966e-11)
QUARTER_3 = DtypeConstant("QUARTER_3", 7.549533620476723e-08, 2.0222662487959506e-21)
QUARTER_4 = DtypeConstant("QUARTER_4", 2.563344151594519e-12, 0.0)
# Beyond these the result is inf, 0, -1 or 1 by rounding.
EXP_HIGH = DtypeConstant("EXP_HIGH", 89.5, 710.5)
EXP_LOW = DtypeConstant("EXP_LOW", -104.5, -746.0)
# For x <= 0: scaled by 2^UNDERFLOW_SHIFT the results are normal numbers down to where they round to 0, which is at
# these (for e^x, and for 4 e^x); UNDERFLOW_SCALE takes the factor back, rounding once.
UNDERFLOW_SHIFT = DtypeConstant("UNDERFLOW_SHIFT", 25, 54)
UNDERFLOW_SCALE = DtypeConstant("UNDERFLOW_SCALE", 2.0**-25, 2.0**-54)
EXP_ZERO = DtypeConstant("EXP_ZERO", -104.5, -746.0)
EXP_QUARTER_ZERO = DtypeConstant("EXP_QUARTER_ZERO", -105.9, -747.4)
MILLS_SCALE = DtypeConstant("MILLS_SCALE", 4.0, 5.0)
SQRT_HALF = 0.7071067811865476


@device_float32
def _exp_tail_32(r):
    """(e^r - 1 - r) / r^2 for |r| up to log(2) / 2."""
    p = fma(0.0013926250831497611, r, 0.008363232883682618)
    p = fma(p, r, 0.04166655421298415)
    p = fma(p, r, 0.16666576666119928)
    return fma(p, r, 0.5)


@device_float64
def _exp_tail_64(r):
    """(e^r - 1 - r) / r^2 for |r| up to log(2) / 2."""
    p = fma(2.09147553258932e-09, r, 2.5105312729622103e-08)
    p = fma(p, r, 2.755727347871858e-07)
    p = fma(p, r, 2.755725517000089e-06)
    p = fma(p, r, 2.480158732567746e-05)
    p = fma(p, r, 0.0001984126987500228)
    p = fma(p, r, 0.0013888888888883711)
    p = fma(p, r, 0.008333333333326084)
    p = fma(p, r, 0.04166666666666667)
    p = fma(p, r, 0.1666666666666667)
    return fma(p, r, 0.5)


@device_float32
def _erf_ratio_32(z):
    """erf(x) / x - 1 in z = x^2, for x up to 1."""
    p = fma(7.875875062685488e-05, z, -0.000801686428716587)
    p = fma(p, z, 0.005189087423433974)
    p = fma(p, z, -0.026854212010626412)
    p = fma(p, z, 0.11283594715160218)
    p = fma(p, z, -0.37612626666720334)
    return fma(p, z, 0.12837916584835093)


@device_float64
def _erf_ratio_64(z):
    """erf(x) / x - 1 in z = x^2, for x up to 1."""
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
    return fma(p, z, 0.1283791670955126)


@device_float32
def _mills_ratio_32(u):
    """Q(t) e^(t^2/2) / u in u = C / (t + C), Q the normal distribution's upper tail."""
    p = fma(0.01574184409667406, u, -0.058370979961915474)
    p = fma(p, u, 0.04158928633464349)
    p = fma(p, u, 0.041367809645448)
    p = fma(p, u, 0.0024003585723166216)
    p = fma(p, u, 0.09193209488065383)
    p = fma(p, u, 0.07027288218849083)
    p = fma(p, u, 0.09586338535702502)
    p = fma(p, u, 0.09945356608405848)
    return fma(p, u, 0.09974975536334542)


@device_float64
def _mills_ratio_64(u):
    """Q(t) e^(t^2/2) / u in u = C / (t + C), Q the normal distribution's upper tail."""
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
    return fma(p, u, 0.0797884560887304)


@device_float32
def _sin_tail_32(z):
    """(sin(r) - r) / r^3 in z = r^2, for |r| up to pi/4."""
    p = fma(2.7249314054698804e-06, z, -0.00019840082012765537)
    p = fma(p, z, 0.008333331865959415)
    return fma(p, z, -0.16666666663832763)


@device_float64
def _sin_tail_64(z):
    """(sin(r) - r) / r^3 in z = r^2, for |r| up to pi/4."""
    p = fma(-7.586576588171073e-13, z, 1.6058529572267877e-10)
    p = fma(p, z, -2.5052106219521895e-08)
    p = fma(p, z, 2.755731921930192e-06)
    p = fma(p, z, -0.00019841269841265017)
    p = fma(p, z, 0.008333333333333331)
    return fma(p, z, -0.16666666666666666)


@device_float32
def _cos_tail_32(z):
    """(cos(r) - 1 + r^2 / 2) / r^4 in z = r^2, for |r| up to pi/4."""
    p = fma(-2.7300448619488353e-07, z, 2.4800596435621998e-05)
    p = fma(p, z, -0.0013888887664713619)
    return fma(p, z, 0.0416666666643024)


@device_float64
def _cos_tail_64(z):
    """(cos(r) - 1 + r^2 / 2) / r^4 in z = r^2, for |r| up to pi/4."""
    p = fma(4.745804889760674e-14, z, -1.1470459749675607e-11)
    p = fma(p, z, 2.087675578389404e-09)
    p = fma(p, z, -2.7557319221382114e-07)
    p = fma(p, z, 2.4801587301584618e-05)
    p = fma(p, z, -0.0013888888888888887)
    return fma(p, z, 0.041666666666666664)


@device_float32
def _log_near_one_32(f, e):
    """e log 2 + log(1 + f) for f from sqrt(1/2) - 1 to sqrt(2) - 1: f - f^2/2 + f^3 p(f)."""
    p = fma(0.06971611471451178, f, -0.11479733846637635)
    p = fma(p, f, 0.1168541992348674)
    p = fma(p, f, -0.12425687331451106)
    p = fma(p, f, 0.1424905764569748)
    p = fma(p, f, -0.16667802319501254)
    p = fma(p, f, 0.200007157488921)
    p = fma(p, f, -0.24999996957950882)
    p = fma(p, f, 0.33333331180030046)
    z = f * f
    y = fma(e, LOG2_LOW, f * z * p)
    return fma(e, LOG2_HIGH, f + fma(-0.5, z, y))


@device_float64
def _log_near_one_64(f, e):
    """The same, by log((1 + s) / (1 - s)) with s = f / (2 + f)."""
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
    y = fma(e, LOG2_LOW, s * fma(z, p, h))
    return fma(e, LOG2_HIGH, f - (h - y))


@device_float32
def _normal_near_zero_32(x):
    """Phi(x) for |x| up to 1: 1/2 and an odd polynomial."""
    z = x * x
    p = fma(-7.66053817138209e-06, z, 0.00011350229619286141)
    p = fma(p, z, -0.0011863439888019887)
    p = fma(p, z, 0.00997332848125617)
    p = fma(p, z, -0.0664903605671869)
    p = fma(p, z, 0.3989422801308406)
    return fma(x, p, 0.5)


@device_float64
def _normal_near_zero_64(x):
    """Phi(x) for |x| up to 1: (1 + erf(x / sqrt 2)) / 2."""
    inside = x * SQRT_HALF
    return fma(0.5, fma(inside, _erf_ratio_64(inside * inside), inside), 0.5)


exp_tail = ByDtype("exp_tail", _exp_tail_32, _exp_tail_64)
erf_ratio = ByDtype("erf_ratio", _erf_ratio_32, _erf_ratio_64)
mills_ratio = ByDtype("mills_ratio", _mills_ratio_32, _mills_ratio_64)
sin_tail = ByDtype("sin_tail", _sin_tail_32, _sin_tail_64)
cos_tail = ByDtype("cos_tail", _cos_tail_32, _cos_tail_64)
log_near_one = ByDtype("log_near_one", _log_near_one_32, _log_near_one_64)
normal_near_zero = ByDtype("normal_near_zero", _normal_near_zero_32, _normal_near_zero_64)
