"""Activations with a bound on both sides."""

from __future__ import annotations

from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.language import absolute, copysign, device, fma, real, select
from mlpjit.kernels.network.activation_rules import activation

exp_pair, erf_pair = elementary.exp_pair, elementary.erf_pair
tanh_and_slope, sigmoid_and_slope = elementary.tanh_and_slope, elementary.sigmoid_and_slope

SIXTH = 1.0 / 6.0
TWO_THIRDS = 2.0 / 3.0
TWO_OVER_SQRT_PI = 1.1283791670955126
LECUN_SCALE = 1.7159
LECUN_SLOPE = LECUN_SCALE * TWO_THIRDS


@device
def logistic_parts(z):
    """Return (s, s', tanh(z/2)) with s = 1 / (1 + e^-z): 1 - 2 s = -tanh(z/2) = (e^-|z| - 1) / (1 + e^-|z|), signed."""
    value, slope = sigmoid_and_slope(z)
    shrunk, fallen = exp_pair(-absolute(z))
    return value, slope, copysign(fallen / (1.0 + shrunk), z)


@device
def tanh_parts(z):
    """Return tanh z and its two derivatives."""
    value, slope = tanh_and_slope(z)
    # Near 0 the difference loses less than the quotient, which the tails need.
    return value, slope, -2.0 * value * select(absolute(value) < 0.7, fma(-value, value, real(1.0)), slope)


@activation("f(z) = 1 / (1 + exp(-z))", "Goodfellow et al. 2016, Deep Learning, eq. 3.30", slope_limit=0.25)
def sigmoid(z):
    """The logistic function; saturates on both sides."""
    value, slope, lean = logistic_parts(z)
    return value, slope, -lean * slope


@activation("f(z) = tanh z", "LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 4.4")
def tanh(z):
    """The hyperbolic tangent: zero-centred, saturates on both sides."""
    return tanh_parts(z)


@activation("f(z) = 1.7159 tanh(2 z / 3)", "LeCun, Bottou, Orr & Müller 1998, section 4.4", slope_limit=LECUN_SLOPE)
def lecun_tanh(z):
    """The hyperbolic tangent scaled so that f(1) = 1 nearly, and f bends most nearly there."""
    value, slope, bend = tanh_parts(TWO_THIRDS * z)
    return LECUN_SCALE * value, LECUN_SLOPE * slope, LECUN_SLOPE * TWO_THIRDS * bend


@activation("f(z) = erf z", "Williams 1996, Neural Information Processing Systems 9", slope_limit=TWO_OVER_SQRT_PI)
def erf(z):
    """The error function: saturates faster than tanh; its mean-field equations have closed forms."""
    value, bell = erf_pair(z)
    slope = TWO_OVER_SQRT_PI * bell
    return value, slope, select(slope == 0.0, slope, -2.0 * z * slope)


@activation("f(z) = z / (1 + |z|)", "Bergstra, Desjardins, Lamblin & Bengio 2009")
def softsign(z):
    """Saturates slowly, like 1 / |z|. d2f(0) = 0, between its limits 2 and -2."""
    inverse = 1.0 / (1.0 + absolute(z))
    value = select(inverse == 0.0, copysign(real(1.0), z), z / (1.0 + absolute(z)))
    slope = inverse * inverse
    return value, slope, select(z == 0.0, real(0.0), copysign(2.0 * inverse, -z) * slope)


@activation("f(z) = max(-1, min(1, z))", "Collobert 2004, thesis, Université Paris VI")
def hard_tanh(z):
    """The identity between -1 and 1, cut off outside. df(-1) = df(1) = 0."""
    value = select(z <= -1.0, real(-1.0), select(z >= 1.0, real(1.0), z))
    return value, select(absolute(z) >= 1.0, real(0.0), real(1.0)), real(0.0)


@activation("f(z) = min(6, max(0, z + 3)) / 6", "Howard et al. 2019, arXiv:1905.02244", slope_limit=SIXTH)
def hard_sigmoid(z):
    """A straight line between z = -3 and 3, cut off outside. df(-3) = df(3) = 0."""
    value = select(z <= -3.0, real(0.0), select(z >= 3.0, real(1.0), (z + 3.0) * SIXTH))
    return value, select(absolute(z) >= 3.0, real(0.0), SIXTH), real(0.0)
