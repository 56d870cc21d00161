"""How an elementwise optimizer is declared: an update from one gradient entry, its state, and scalars of the step.

Write `name_scalars(step, learning_rate, <defaults in order>)` in float64 and `name(g, *state, *scalars)`, which
returns the update (subtracted from the parameter) and the new state. All else follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Function, device, device_float64
from mlpjit.registry import Registry

optimizers: Registry[Stage] = Registry("optimizer")
wrappers: Registry[Stage] = Registry("wrapper")
clippings: Registry[Stage] = Registry("clipping")
Size = Callable[[int, int, int], int]


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


def joint(
    formula: str, citation: str, state: tuple[str, ...] = (), *, extra: int = 0, scratch: int = 0,
    initial: dict[str, float | str] | None = None, parts: tuple[Function, ...] = (), **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register a rule of all parameters together, with `extra` numbers kept and `scratch` arrays of their length."""

    def register(function: Function) -> Stage:
        made = Stage(
            function.__name__, device(function), formula, citation, defaults, parts, "joint", state,
            initial=initial or {}, extra=(lambda rows, columns, kind: extra) if extra else None, scratch=scratch,
        )  # fmt: skip
        return optimizers.register(made)

    return register


def layerwise(
    formula: str, citation: str, state: tuple[str, ...] = (), *, extra: Size | None = None,
    extra_scratch: Size | None = None, initial: dict[str, float | str] | None = None, parts: tuple[Function, ...] = (),
    draws: bool = False, **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register a rule of one tensor; what the options mean stands at `Stage`."""

    def register(function: Function) -> Stage:
        made = Stage(
            function.__name__, device(function), formula, citation, defaults, parts, "layerwise", state,
            initial=initial or {}, extra=extra, extra_scratch=extra_scratch, draws=draws,
        )  # fmt: skip
        return optimizers.register(made)

    return register


def whole(formula: str, citation: str, state: tuple[str, ...] = (), **options: Any) -> Callable[[Function], Stage]:
    """Register an optimizer with the signature of `stages.call_stage`; `options` are fields of `Stage` and defaults."""
    return lambda function: optimizers.register(_whole(function, formula, citation, state, options))


def wrapper(formula: str, citation: str, state: tuple[str, ...] = (), **options: Any) -> Callable[[Function], Stage]:
    """Register a wrapper, which is called before and behind the optimizer that it wraps; options as of `whole`."""
    return lambda function: wrappers.register(_whole(function, formula, citation, state, options))


FIELDS = (
    "extra_gradients", "initial", "extra", "extra_scratch", "scratch", "curvature", "point", "moves", "draws",
    "factors", "samples", "line_search", "parts", "limits",
)  # fmt: skip


def _whole(function: Function, formula: str, citation: str, state: tuple[str, ...], options: dict[str, Any]) -> Stage:
    fields = {name: options.pop(name) for name in FIELDS if name in options}
    name = function.__name__.removesuffix("_wrapper")
    return Stage(name, function, formula, citation, options, kind="whole", state=state, **fields)


CLIPPING_FIELDS = ("extra", "extra_scratch", "parts")


def clipping(formula: str, citation: str, **options: Any) -> Callable[[Function], Stage]:
    """Register a whole-gradient stage with the signature of `stages.call_stage`; options as of `whole`."""
    fields = {name: options.pop(name) for name in CLIPPING_FIELDS if name in options}

    def register(function: Function) -> Stage:
        name = function.__name__.removesuffix("_clipping")
        return clippings.register(Stage(name, function, formula, citation, options, kind="whole", **fields))

    return register
