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


ACTIVATIONS: dict[str, Callable[[mp.mpf], Triple]] = {
    f.__name__: f for f in (identity, sigmoid, tanh, relu, leaky_relu, elu, gelu)
}
