"""Activations with a period. Of angles beyond 1e5 their sine is no longer the angle's, but stays in -1..1."""

from __future__ import annotations

from mlpjit.bounds import above
from mlpjit.kernels.arithmetic.trigonometric import cos, sin
from mlpjit.kernels.language import absolute, device, fma, select
from mlpjit.kernels.network.activation_rules import activation

INFINITY = float("inf")
FAR = 1e6  # an angle of which a sine says nothing, and that is not doubled


@device
def turned(z, frequency):
    """Return frequency z, or z where that overflows."""
    angle = frequency * z
    return select(absolute(angle) < INFINITY, angle, z)


@activation(
    "f(z) = sin(frequency z)", "Parascandolo, Huttunen & Virtanen 2016; Sitzmann et al. 2020, arXiv:2006.09661",
    lambda frequency: frequency, limits={"frequency": above(0)}, frequency=1.0,
)  # fmt: skip
def sine(z, frequency):
    """The sine. Sitzmann's frequency is 30."""
    angle = turned(z, frequency)
    value = sin(angle)
    return value, frequency * cos(angle), -frequency * frequency * value


@activation(
    "f(z) = z + sin(frequency z)^2 / frequency", "Ziyin, Hartwig & Ueda 2020, arXiv:2006.08195", 2.0,
    limits={"frequency": above(0)}, frequency=1.0,
)  # fmt: skip
def snake(z, frequency):
    """The identity with a wave on it: learns periods and still extrapolates."""
    angle = turned(z, frequency)
    wave = sin(angle)
    value = select(absolute(z) < INFINITY, fma(wave, wave / frequency, z), z)
    twice = select(absolute(angle) < FAR, 2.0 * angle, angle)
    return value, 1.0 + sin(twice), 2.0 * frequency * cos(twice)
