"""Wrappers: stages before and behind any optimizer."""

from __future__ import annotations

from mlpjit.kernels.optimizers.layerwise import wrapper
from mlpjit.kernels.optimizers.stages import AFTER, DONE, NEED_GRADIENT
from mlpjit.kernels.rules import Float64, Float64s, Int, Ints, Reals, dot, fma, load, real, sqrt, store


@wrapper(
    "every k steps: phi += alpha (theta - phi); theta = phi", "Zhang et al. 2019, arXiv:1907.08610, algorithm 1",
    state=("slow",), initial={"slow": "params"}, k=5, alpha=0.5,
)  # fmt: skip
def lookahead_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Lookahead: k fast steps forward, one slow step back. The inner optimizer keeps its state."""
    if phase == AFTER and step % int(load(settings, 0)) == 0:
        share = real(load(settings, 1))
        for i in range(count):
            moved = fma(share, load(params, i) - load(state, i), load(state, i))
            store(state, i, moved)
            store(params, i, moved)
    return DONE


@wrapper(
    "g at theta + rho g / |g|", "Foret et al. 2021, arXiv:2010.01412, algorithm 1", scratch=1, extra_gradients=1,
    rho=0.05,
)  # fmt: skip
def sam_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Sharpness-aware minimization: the gradient at the worst point nearby. Of a zero gradient nothing is moved."""
    if phase == 0:
        norm = sqrt(dot(grads, grads, count))
        radius = real(load(settings, 0) / norm if norm != 0.0 else 0.0)
        for i in range(count):
            store(scratch, i, load(params, i))
            store(params, i, fma(radius, load(grads, i), load(params, i)))
        return NEED_GRADIENT
    if phase == 1:
        for i in range(count):
            store(params, i, load(scratch, i))
    return DONE
