"""How activations of a user's own are declared: checked, then registered, in the place of another of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpjit.bounds import Limits
from mlpjit.extending.checking import Passed, check_activation, check_arguments, checked, returned
from mlpjit.kernels.entries import Activation
from mlpjit.kernels.language import Function, device, written
from mlpjit.kernels.stages.declare import mark, registered

NOT_A_NUMBER = float("nan")  # in the place of a second derivative that is not declared


def activation(
    function: Function | None = None, *, formula: str = "", citation: str = "",
    slope_limit: float | Callable[..., float] | None = None, limits: Mapping[str, Limits] | None = None,
    **defaults: float,
) -> Any:  # fmt: skip
    """Register an activation, with options or bare: `name(z, *parameters)` returns f and df, or f, df and d2f.

    At most one parameter, with its default: `@activation(alpha=1.0)`. d2f is what Hessian-vector products need; without
    it, optimizers that ask for them are refused. slope_limit: the largest |df|, or a function that gives it for a value
    of the parameter; below 1 % of it a unit counts as saturated. Without it, the largest found between -6 and 6.
    Raises ConfigError in one line, with file and line, where df is not the derivative of f.
    """

    def register(given: Function) -> Activation:
        mark(given)
        check_arguments(given, ("z", *defaults), defaults)
        bounds = {**dict.fromkeys(defaults, Limits()), **(limits or {})}

        def made(values: int) -> Activation:
            rule = with_bend(given, ("z", *defaults), values)
            settings = tuple(map(float, defaults.values()))
            return Activation(given.__name__, rule, formula, citation, dict(zip(defaults, settings, strict=True)),
                              limits=bounds, settings=settings, bends=values == 3)  # fmt: skip

        def find() -> Passed:
            values = returned(given, 1 + len(defaults), 3, "f and df, or f, df and d2f")
            return Passed(values, check_activation(made(values), given))

        passed = checked(given, defaults, find)
        record = made(passed.values)
        slope = passed.steepest if slope_limit is None else slope_limit
        steepest = slope if callable(slope) else _always(slope)
        return _registered("activations", replace(record, slope_limit=steepest(*record.settings), steepest=steepest))

    return register if function is None else register(function)


def with_bend(rule: Function, arguments: Sequence[str], values: int) -> Function:
    """Return a rule of three values: itself, or one that puts NaN in the place of a second derivative."""
    if values == 3:
        return device(rule)
    lines = [f"value, slope = rule({', '.join(arguments)})", "return value, slope, NOT_A_NUMBER"]
    scope = {"rule": device(rule), "NOT_A_NUMBER": NOT_A_NUMBER}
    made = device(written(f"{rule.__name__}_with_bend", arguments, lines, scope, rule.__module__))
    made.rule, made.__doc__ = rule, rule.__doc__  # type: ignore[attr-defined]
    return made


def _registered(kind: str, record: Any) -> Any:
    """Register a record beside those that are built in."""
    from mlpjit.catalogue.registries import REGISTRIES

    return registered(REGISTRIES[kind], record)


def _always(slope: float) -> Callable[..., float]:
    """Return the slope limit of an activation whatever its parameter is."""
    return lambda *_: slope
