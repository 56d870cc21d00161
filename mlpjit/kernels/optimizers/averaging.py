"""Optimizers that report another point than the one they take gradients at."""

from __future__ import annotations

from mlpjit.kernels.optimizers.layerwise import whole
from mlpjit.kernels.optimizers.stages import DONE, EVALUATE, POINT
from mlpjit.kernels.rules import Float64, Float64s, Int, Ints, Reals, fma, load, real, store


@whole(
    "theta -= eta g; report the mean of theta from step `start` on", "Polyak & Juditsky 1992, SIAM J. Control Optim.",
    state=("mean",), initial={"mean": "params"}, point=True, start=1,
)  # fmt: skip
def averaged_sgd(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Gradient descent that reports the running mean of its iterates; before `start` the last of them."""
    if phase == EVALUATE:
        for i in range(count):
            store(grads, i, load(state, i))
        return POINT
    rate, first = real(learning_rate), int(load(settings, 0))
    share = real(1.0 / (step - first + 1) if step >= first else 1.0)
    for i in range(count):
        theta = fma(-rate, load(grads, i), load(params, i))
        store(params, i, theta)
        store(state, i, fma(share, theta - load(state, i), load(state, i)))
    return DONE
