"""Activations that multiply z by a gate between 0 and 1, and softplus, the integral of one."""

from __future__ import annotations

from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.language import DtypeConstant, absolute, device, fma, real, select
from mlpjit.kernels.network.activation_rules import activation
from mlpjit.kernels.network.activations.saturating import SIXTH, logistic_parts

exp_pair, normal_distribution = elementary.exp_pair, elementary.normal_distribution
log1p_of_fraction = elementary.log1p_of_fraction

# gelu_tanh: 1/2 (1 + tanh u) = 1 / (1 + e^-2u), 2u = z (LINEAR + CUBIC z^2), LINEAR = 2 sqrt(2 / pi); LOW is what
# rounding to the dtype takes from them.
LINEAR = 1.5957691216057308
CUBIC = 0.07135481627260025
LINEAR_LOW = DtypeConstant("LINEAR_LOW", -4.534068042105272e-08, -9.96930880911092e-17)
CUBIC_LOW = DtypeConstant("CUBIC_LOW", 2.3988323959931355e-09, -6.175149918155315e-19)
# Beyond this its gate is 0 or 1, and 2u still far from overflow.
FAR = 40.0


@device
def gated(z, gate, steepness, bend):
    """Return z g, g + z g' and 2 g' + z g'' for a gate g; their limits where z is infinite."""
    flat = steepness == 0.0
    return (
        select(gate == 0.0, real(-0.0), z * gate),
        select(flat, gate, fma(z, steepness, gate)),
        select(flat, real(0.0), fma(z, bend, steepness + steepness)),
    )


@activation("f(z) = z Phi(z)", "Hendrycks & Gimpel 2016, arXiv:1606.08415", slope_limit=1.1289)
def gelu(z):
    """The Gaussian error linear unit with the exact normal distribution (erf)."""
    distribution, density = normal_distribution(z)
    # Far out density is 0 and z may be infinite: their product must be 0, not NaN.
    weighted = select(density == 0.0, real(0.0), z * density)
    value = select(distribution == 0.0, real(-0.0), z * distribution)
    bend = select(density == 0.0, real(0.0), density * 2.0 - z * weighted)
    return value, distribution + weighted, bend


@device
def _double_argument(z):
    """Return (z^2, v, lost): v + lost = 2u with twice the digits. e^v needs them: |v| units of its error are v's."""
    square = z * z
    cubic = CUBIC * square
    factor = cubic + LINEAR
    v = z * factor
    # The rounding errors of square, cubic, factor (Knuth's two-sum) and v, in that order.
    missing = fma(CUBIC, fma(z, z, -square), fma(CUBIC_LOW, square, LINEAR_LOW))
    part = factor - cubic
    missing += fma(CUBIC, square, -cubic) + ((cubic - (factor - part)) + (LINEAR - part))
    return square, v, fma(z, missing, fma(z, factor, -v))


@activation(
    "f(z) = z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))", "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2",
    slope_limit=1.1290,
)  # fmt: skip
def gelu_tanh(z):
    """The approximation of gelu by tanh, within 4.732e-4 of it."""
    near = select(z > FAR, real(FAR), select(z < -FAR, real(-FAR), z))
    square, v, lost = _double_argument(near)
    gate, slope, lean = logistic_parts(v)
    # To first order, s(v + lost) and s'(v + lost); s'' = -s' tanh(v / 2).
    gate, slope = fma(slope, lost, gate), fma(-slope * lean, lost, slope)
    first = fma(3.0 * CUBIC, square, LINEAR)
    return gated(z, gate, slope * first, slope * (6.0 * CUBIC * near - lean * first * first))


@activation("f(z) = z / (1 + exp(-z))", "Elfwing, Uchibe & Doya 2017, arXiv:1702.03118", slope_limit=1.09984)
def silu(z):
    """The sigmoid-weighted linear unit, also called swish."""
    gate, slope, lean = logistic_parts(z)
    return gated(z, gate, slope, -lean * slope)


@activation("f(z) = z tanh(log(1 + exp(z)))", "Misra 2019, arXiv:1908.08681", slope_limit=1.08850)
def mish(z):
    """Z gated by tanh of softplus: ((1 + w)^2 - 1) / ((1 + w)^2 + 1) with w = e^z."""
    e, below = exp_pair(-absolute(z))[0], z < 0.0
    # Numerators over powers of d, in e = w below 0 and in e = 1 / w above: no power overflows, nothing cancels.
    inverse = 1.0 / fma(e, select(below, e, 2.0 * e) + 2.0, select(below, real(2.0), real(1.0)))
    gate = select(below, e * (2.0 + e) * inverse, fma(-2.0 * e, e * inverse, real(1.0)))
    rising = 4.0 * e * select(below, real(1.0), e) * inverse * inverse
    low = fma(e, fma(e, fma(-2.0, e, real(-3.0)), real(2.0)), real(2.0))
    high = fma(e, fma(e, fma(2.0, e, real(2.0)), real(-3.0)), real(-2.0))
    return gated(z, gate, rising * (1.0 + e), rising * inverse * select(below, low, high))


@activation("f(z) = z min(6, max(0, z + 3)) / 6", "Howard et al. 2019, arXiv:1905.02244", slope_limit=1.5)
def hard_swish(z):
    """Z gated by hard_sigmoid. df(-3) = 0 and df(3) = 1, d2f there = 0."""
    off, on = z <= -3.0, z >= 3.0
    value = select(off, real(0.0), select(on, z, z * (z + 3.0) / 6.0))
    slope = select(off, real(0.0), select(on, real(1.0), (z + z + 3.0) * SIXTH))
    return value, slope, select(off | on, real(0.0), real(2.0 * SIXTH))


@activation("f(z) = log(1 + exp(z))", "Dugas, Bengio, Bélisle, Nadeau & Garcia 2001")
def softplus(z):
    """The smooth rectifier; its derivative is the sigmoid."""
    gate, slope, _ = logistic_parts(z)
    return select(z < 0.0, real(0.0), z) + log1p_of_fraction(exp_pair(-absolute(z))[0]), gate, slope
