"""Clipping: stages that change the gradient before the optimizer sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpjit.kernels.optimizers.stages import DONE
from mlpjit.kernels.rules import (
    Float64,
    Float64s,
    Function,
    Int,
    Ints,
    Reals,
    Stage,
    dot,
    load,
    real,
    select,
    sqrt,
    store,
)
from mlpjit.registry import Registry

clippings: Registry[Stage] = Registry("clipping")


def clipping(formula: str, citation: str, **defaults: Any) -> Callable[[Function], Stage]:
    """Register a whole-gradient stage with the signature of `stages.call_stage`."""

    def register(function: Function) -> Stage:
        name = function.__name__.removesuffix("_clipping")
        return clippings.register(Stage(name, function, formula, citation, defaults, kind="whole"))

    return register


@clipping("g *= min(1, max_norm / |g|)", "Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063", max_norm=1.0)
def global_norm_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Shrink the whole gradient to at most max_norm, measured over all parameters together."""
    norm = sqrt(dot(grads, grads, count))
    if norm > load(settings, 0):
        factor = real(load(settings, 0) / norm)
        for i in range(count):
            store(grads, i, load(grads, i) * factor)
    return DONE


@clipping("g = min(max(g, -max_value), max_value)", "Graves 2013, arXiv:1308.0850", max_value=1.0)
def value_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Clip every entry of the gradient; NaN stays NaN."""
    limit = real(load(settings, 0))
    for i in range(count):
        g = load(grads, i)
        g = select(g > limit, limit, g)
        store(grads, i, select(g < -limit, -limit, g))
    return DONE
