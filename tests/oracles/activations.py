"""Activations and both derivatives from their definitions, in mpmath. At a kink the value that is documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mpmath as mp

Triple = tuple[mp.mpf, mp.mpf, mp.mpf]


def identity(z: mp.mpf) -> Triple:
    return z, mp.mpf(1), mp.mpf(0)


def sigmoid(z: mp.mpf) -> Triple:
    s, other = 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))
    return s, s * other, s * other * (other - s)


def tanh(z: mp.mpf) -> Triple:
    t, slope = mp.tanh(z), mp.sech(z) ** 2
    return t, slope, -2 * t * slope


def relu(z: mp.mpf) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (mp.mpf(0), mp.mpf(0), mp.mpf(0))


def leaky_relu(z: mp.mpf, slope: str = "0.01") -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (z * mp.mpf(slope), mp.mpf(slope), mp.mpf(0))


def prelu(z: mp.mpf, alpha: float = 0.25) -> Triple:
    return leaky_relu(z, alpha)


def elu(z: mp.mpf, alpha: float = 1.0) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (alpha * mp.expm1(z), alpha * mp.exp(z), alpha * mp.exp(z))


def celu(z: mp.mpf, alpha: float = 1.0) -> Triple:
    value, slope, bend = elu(z / alpha)
    return alpha * value, slope, bend / alpha


def gelu(z: mp.mpf) -> Triple:
    below, density = mp.erfc(-z / mp.sqrt(2)) / 2, mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
    return z * below, below + z * density, density * (2 - z * z)


def lecun_tanh(z: mp.mpf) -> Triple:
    scale, t, slope = mp.mpf("1.7159"), mp.tanh(2 * z / 3), mp.sech(2 * z / 3) ** 2
    return scale * t, scale * 2 / 3 * slope, -scale * 8 / 9 * t * slope


def erf(z: mp.mpf) -> Triple:
    slope = 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)
    return mp.erf(z), slope, -2 * z * slope


def softsign(z: mp.mpf) -> Triple:
    size = 1 + abs(z)
    return z / size, size**-2, -2 * mp.sign(z) * size**-3


def hard_tanh(z: mp.mpf) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if abs(z) < 1 else (mp.sign(z), mp.mpf(0), mp.mpf(0))


def hard_sigmoid(z: mp.mpf) -> Triple:
    inside = ((z + 3) / 6, mp.mpf(1) / 6, mp.mpf(0))
    return inside if abs(z) < 3 else (mp.mpf(z > 0), mp.mpf(0), mp.mpf(0))


def relu6(z: mp.mpf) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if 0 < z < 6 else (mp.mpf(6 if z > 0 else 0), mp.mpf(0), mp.mpf(0))


def relu_squared(z: mp.mpf) -> Triple:
    return (z * z, 2 * z, mp.mpf(2)) if z > 0 else (mp.mpf(0), mp.mpf(0), mp.mpf(0))


def selu(z: mp.mpf) -> Triple:
    """The fixed point's own equations give the two numbers (Klambauer et al. 2017, equation 14)."""
    tail = mp.sqrt(mp.e) * mp.erfc(1 / mp.sqrt(2))
    alpha = -mp.sqrt(2 / mp.pi) / (tail - 1)
    square = mp.mpf(1) / 2 + alpha**2 * (mp.exp(2) * mp.erfc(mp.sqrt(2)) / 2 - tail + mp.mpf(1) / 2)
    scale = 1 / mp.sqrt(square)
    below = scale * alpha * mp.exp(z)
    return (scale * z, scale, mp.mpf(0)) if z > 0 else (scale * alpha * mp.expm1(z), below, below)


def gated(z: mp.mpf, g: mp.mpf, g1: mp.mpf, g2: mp.mpf) -> Triple:
    """The product of z and a gate with its two derivatives."""
    return z * g, g + z * g1, 2 * g1 + z * g2


def silu(z: mp.mpf) -> Triple:
    return gated(z, *sigmoid(z))


def gelu_tanh(z: mp.mpf) -> Triple:
    c = 2 * mp.sqrt(2 / mp.pi)
    v, v1, v2 = c * (z + mp.mpf("0.044715") * z**3), c * (1 + mp.mpf("0.134145") * z * z), c * mp.mpf("0.26829") * z
    s, s1, s2 = sigmoid(v)
    return gated(z, s, s1 * v1, s2 * v1**2 + s1 * v2)


def softplus(z: mp.mpf) -> Triple:
    return mp.log1p(mp.exp(z)), *sigmoid(z)[:2]


def mish(z: mp.mpf) -> Triple:
    """By the chain rule, from tanh and softplus, where our kernel has one rational function of e^z."""
    p, p1, p2 = softplus(z)
    t, t1, t2 = tanh(p)
    return gated(z, t, t1 * p1, t2 * p1**2 + t1 * p2)


def hard_swish(z: mp.mpf) -> Triple:
    if abs(z) >= 3:
        return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (mp.mpf(0), mp.mpf(0), mp.mpf(0))
    return z * (z + 3) / 6, (2 * z + 3) / 6, mp.mpf(1) / 3


def sine(z: mp.mpf, w: float = 1.0) -> Triple:
    return mp.sin(w * z), w * mp.cos(w * z), -w * w * mp.sin(w * z)


def snake(z: mp.mpf, a: float = 1.0) -> Triple:
    return z + mp.sin(a * z) ** 2 / a, 1 + mp.sin(2 * a * z), 2 * a * mp.cos(2 * a * z)


ACTIVATIONS: dict[str, Callable[[mp.mpf], Triple]] = {
    f.__name__: f
    for f in (
        identity, sigmoid, tanh, lecun_tanh, erf, softsign, hard_tanh, hard_sigmoid, relu, leaky_relu, prelu, relu6,
        relu_squared, elu, celu, selu, gelu, gelu_tanh, silu, mish, hard_swish, softplus, sine, snake,
    )
}  # fmt: skip
# With their parameter changed. Frequencies of 2: others round their product with z, which far out is all there is.
VARIANTS: dict[str, Callable[[mp.mpf], Triple]] = {
    "leaky_relu(slope=0.3)": partial(leaky_relu, slope="0.3"), "elu(alpha=0.7)": partial(elu, alpha=mp.mpf("0.7")),
    "celu(alpha=2.0)": partial(celu, alpha=2.0), "prelu(alpha=0.7)": partial(prelu, alpha="0.7"),
    "sine(frequency=2.0)": partial(sine, w=2.0),
    "snake(frequency=2.0)": partial(snake, a=2.0),
}  # fmt: skip
