"""Layerwise optimizers that scale each tensor's update by a ratio of norms."""

from __future__ import annotations

from mlpjit.kernels.optimizers.layerwise import layerwise
from mlpjit.kernels.rules import dot, fma, load, real, sqrt, store


@layerwise(
    "r = c |theta| / (|g| + wd |theta| + eps); u = b u + r (g + wd theta); theta -= eta u",
    "You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1", state=("velocity",), momentum=0.9, weight_decay=0.0,
    trust_coefficient=0.001, eps=0.0,
)  # fmt: skip
def lars(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate):
    """LARS: momentum with a trust ratio for each tensor; 1 where the tensor or its gradient is zero."""
    size = rows * columns
    length, slope = sqrt(dot(params, params, size)), sqrt(dot(grads, grads, size))
    decay = load(settings, 1)
    below = slope + decay * length + load(settings, 3)
    ratio = load(settings, 2) * length / below if length != 0.0 and slope != 0.0 else 1.0
    scale, shrink, b, rate = real(ratio), real(decay), real(load(settings, 0)), real(learning_rate)
    for i in range(size):
        pulled = fma(shrink, load(params, i), load(grads, i))
        velocity = fma(b, load(state, i), scale * pulled)
        store(state, i, velocity)
        store(params, i, fma(-rate, velocity, load(params, i)))
