"""Activations and both derivatives from their definitions, in mpmath. At a kink the value that is documented."""

from __future__ import annotations

from collections.abc import Callable

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


def leaky_relu(z: mp.mpf) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (z / 100, mp.mpf(1) / 100, mp.mpf(0))


def elu(z: mp.mpf) -> Triple:
    return (z, mp.mpf(1), mp.mpf(0)) if z > 0 else (mp.expm1(z), mp.exp(z), mp.exp(z))


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


def sine(z: mp.mpf) -> Triple:
    return mp.sin(z), mp.cos(z), -mp.sin(z)


def snake(z: mp.mpf) -> Triple:
    return z + mp.sin(z) ** 2, 1 + mp.sin(2 * z), 2 * mp.cos(2 * z)


ACTIVATIONS: dict[str, Callable[[mp.mpf], Triple]] = {
    f.__name__: f
    for f in (
        identity,
        sigmoid,
        tanh,
        lecun_tanh,
        erf,
        softsign,
        hard_tanh,
        hard_sigmoid,
        relu,
        leaky_relu,
        relu6,
        relu_squared,
        elu,
        selu,
        gelu,
        gelu_tanh,
        silu,
        mish,
        hard_swish,
        softplus,
        sine,
        snake,
    )
} | {"celu": elu}  # alpha = 1
