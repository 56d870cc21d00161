"""Random numbers of optimizers: one stream, counted by step and by the place of a parameter among all."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.random import STREAMS, normal_pair
from mlpjit.kernels.language import Float64, Int, Reals, device, device_float64, integer, kernel, load, real, store

OPTIMIZER_STREAM = STREAMS["optimizer"]


@device
def draw_nothing(settings, halves, step, at, count, out):
    """For rules that draw nothing."""


@device_float64
def seed_of(low, high):
    """Return the seed from its halves, which stand behind a stage's hyperparameters."""
    return integer(low) | (integer(high) << 32)


@kernel
def fill_normals(low: Float64, high: Float64, step: Int, at: Int, count: Int, out: Reals) -> None:
    """out[i] standard normal, for a tensor of so many numbers that begins at a place of the packed parameters.

    Drawn in float64 and rounded once: both dtypes see the same numbers.
    """
    seed = seed_of(low, high)
    for k in range((count + 1) // 2):
        first, second = normal_pair(seed, OPTIMIZER_STREAM, step, at + k)
        store(out, 2 * k, real(first))
        if 2 * k + 1 < count:
            store(out, 2 * k + 1, real(second))


@device
def draw_normals(settings, halves, step, at, count, out):
    """Fill `out` for a stage whose settings hold the halves of the seed at that place."""
    fill_normals(load(settings, halves), load(settings, halves + 1), step, at, count, out)
