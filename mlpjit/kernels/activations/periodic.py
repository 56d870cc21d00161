"""Activations with a period. Beyond |z| = 1e5 their sine is no longer that of z, but stays between -1 and 1."""

from __future__ import annotations

from mlpjit.kernels import elementary
from mlpjit.kernels.activations.records import activation
from mlpjit.kernels.rules import absolute, fma, select

sin, cos = elementary.sin, elementary.cos

INFINITY = float("inf")
# Twice a larger number has no sine left, but might overflow.
FAR = 1e6


@activation("f(z) = sin z", "Parascandolo, Huttunen & Virtanen 2016; Sitzmann et al. 2020, arXiv:2006.09661")
def sine(z):
    """The sine. Sitzmann's frequency of 30 belongs into the first layer's weights."""
    value = sin(z)
    return value, cos(z), -value


@activation("f(z) = z + sin(a z)^2 / a, a = 1", "Ziyin, Hartwig & Ueda 2020, arXiv:2006.08195", slope_limit=2.0)
def snake(z):
    """The identity with a wave on it: learns periods and still extrapolates."""
    wave = sin(z)
    value = select(absolute(z) < INFINITY, fma(wave, wave, z), z)
    twice = select(absolute(z) < FAR, z + z, z)
    return value, 1.0 + sin(twice), 2.0 * cos(twice)
