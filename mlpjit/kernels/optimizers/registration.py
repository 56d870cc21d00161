"""How an elementwise optimizer is declared: an update from one gradient entry, its state, and scalars of the step.

Write `name_scalars(step, learning_rate, <defaults in order>)` in float64 and `name(g, *state, *scalars)`, which
returns the update (subtracted from the parameter) and the new state. All else follows.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Function, device, device_float64
from mlpjit.registry import Registry

optimizers: Registry[Stage] = Registry("optimizer")


def elementwise(
    scalars: Function, formula: str, citation: str, state: tuple[str, ...] = (), uses_params: bool = False,
    decays: bool = False, initial: dict[str, float | str] | None = None, interleave: int = 1, **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register an elementwise optimizer; the defaults are its hyperparameters in the order `scalars` takes them.

    What uses_params, decays, initial and interleave mean stands at `Stage`.
    """

    def register(function: Function) -> Stage:
        record = Stage(
            function.__name__, device(function), formula, citation, defaults, (device_float64(scalars),),
            "elementwise", state, 0, scalars, uses_params, decays, initial or {}, interleave=interleave,
        )  # fmt: skip
        return optimizers.register(record)

    return register
