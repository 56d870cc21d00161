"""The registry of activations, and the decorator that adds a rule to it."""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels.rules import Activation, Function, device
from mlpjit.registry import Registry

activations: Registry[Activation] = Registry("activation")


def activation(formula: str, citation: str, slope_limit: float = 1.0) -> Callable[[Function], Activation]:
    """Register a rule z -> (f, df, d2f) under its function's name. `slope_limit` is its largest |df|."""

    def register(function: Function) -> Activation:
        name = function.__name__
        return activations.register(Activation(name, device(function), formula, citation, slope_limit=slope_limit))

    return register
