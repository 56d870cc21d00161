"""How activations, losses, schedules and initializers of a user's own are declared: checked, then registered.

Each takes the place of another of the user's own with its name. Optimizers, wrappers and clipping rules are declared as
the package's own are (`kernels/stages/declare.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpjit.bounds import Limits
from mlpjit.catalogue.initialization.records import Initializer
from mlpjit.extending.checking import Passed, check_arguments, check_words, checked, refuse, returned
from mlpjit.extending.plain import check_initializer, check_schedule
from mlpjit.extending.slopes import check_activation, check_loss
from mlpjit.kernels.entries import Activation
from mlpjit.kernels.language import Function, device, device_float64, written
from mlpjit.kernels.network.loss_rules import Loss
from mlpjit.kernels.rates import Schedule
from mlpjit.kernels.stages.declare import check_function, mark, registered

NOT_A_NUMBER = float("nan")  # in the place of a second derivative that is not declared
Bounds = Mapping[str, Limits] | None


def activation(
    function: Function | None = None, *, formula: str = "", citation: str = "",
    slope_limit: float | Callable[..., float] | None = None, limits: Bounds = None, **defaults: float,
) -> Any:  # fmt: skip
    """Register an activation, with options or bare: `name(z, *parameters)` returns f and df, or f, df and d2f.

    At most one parameter, with its default: `@activation(alpha=1.0)`. d2f is what Hessian-vector products need; without
    it, optimizers that ask for them are refused. slope_limit: the largest |df|, or a function that gives it for a value
    of the parameter; below 1 % of it a unit counts as saturated. Without it, the largest found between -6 and 6.
    Raises ConfigError in one line, with file and line, where df is not the derivative of f.
    """

    def register(given: Function) -> Activation:
        names = ("z", *defaults)
        _start(given, names, defaults)
        if len(defaults) > 1:
            raise refuse(given, f"has {len(defaults)} parameters, an activation has one at most")

        def made(values: int) -> Activation:
            settings = tuple(map(float, defaults.values()))
            return Activation(given.__name__, with_bend(given, names, values), formula, citation,
                              dict(zip(defaults, settings, strict=True)), limits=_limits(defaults, limits),
                              settings=settings, bends=values == 3)  # fmt: skip

        def find() -> Passed:
            values = returned(given, len(names), 3, "f and df, or f, df and d2f")
            return Passed(values, check_activation(made(values), given))

        passed = checked(given, defaults, find)
        record, slope = made(passed.values), passed.steepest if slope_limit is None else slope_limit
        steepest = slope if callable(slope) else _always(slope)
        return _registered("activations", replace(record, slope_limit=steepest(*record.settings), steepest=steepest))

    return register if function is None else register(function)


def loss(
    function: Function | None = None, *, formula: str = "", citation: str = "", logits: bool = False,
    classes: bool = False, limits: Bounds = None, **defaults: float,
) -> Any:  # fmt: skip
    """Register a loss, with options or bare: `name(output, target, *parameters)` returns value and gradient.

    It is that of one output, summed over outputs and averaged over samples; the gradient is by the output. A third
    value is the gradient's derivative, which Hessian-vector products need. logits: it works on outputs as they are, so
    the output activation must be the identity. classes: it compares with classes, each output with 1 or 0, and needs a
    classification task. Raises ConfigError in one line, with file and line, where the gradient is wrong.
    """

    def register(given: Function) -> Loss:
        names = ("output", "target", *defaults)
        _start(given, names, defaults)

        def made(values: int) -> Loss:
            return Loss(given.__name__, with_bend(given, names, values), formula, citation, dict(defaults),
                        limits=_limits(defaults, limits), logits=logits, classes=classes,
                        bends=values == 3)  # fmt: skip

        def find() -> Passed:
            values = returned(given, len(names), 3, "value and gradient, or these and the bend", exact=False)
            return Passed(values, check_loss(made(values), given))

        return _registered("losses", made(checked(given, {**defaults, "on classes": classes}, find).values))

    return register if function is None else register(function)


def schedule(
    function: Function | None = None, *, formula: str = "", citation: str = "", limits: Bounds = None, **defaults: float
) -> Any:
    """Register a schedule, with options or bare: `name(step, total, *parameters)` returns a factor of the rate.

    It is computed in float64, once a step: `step` counts from 0 behind the warm-up, which every schedule has; `total`
    is the number of steps behind it. Raises ConfigError in one line, with file and line, where a factor is negative or
    no number.
    """

    def register(given: Function) -> Schedule:
        _start(given, ("step", "total", *defaults), defaults)
        name, settings = given.__name__.removesuffix("_schedule"), {**defaults, "warmup": defaults.get("warmup", 0)}
        record = Schedule(name, device_float64(given), formula, citation, settings, limits=_limits(settings, limits))
        checked(given, settings, lambda: check_schedule(record, given))
        return _registered("schedules", record)

    return register if function is None else register(function)


def initializer(
    function: Function | None = None, *, formula: str = "", citation: str = "",
    rescale: Callable[[Any], float] | None = None, limits: Bounds = None, **defaults: Any,
) -> Any:  # fmt: skip
    """Register an initializer, with options or bare: `name(draw, *parameters)` returns W, or W and b.

    It is plain NumPy in float64. W has shape (draw.fan_in, draw.fan_out), b (draw.fan_out,); `draw.normal()` and
    `draw.uniform()` are of W's shape and the same on every machine. rescale: W is multiplied by rescale(z), z being the
    layer's pre-activations on the first `samples` training samples, which must then be a parameter.
    Raises ConfigError in one line, with file and line, where a shape is wrong or an entry is no number.
    """

    def register(given: Function) -> Initializer:
        check_function(given)
        check_arguments(given, ("draw", *defaults), defaults, numbers=False)
        made = Initializer(given.__name__, given, formula, citation, dict(defaults), dict(limits or {}), rescale)
        check_initializer(made)
        return _registered("initializers", made)

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


def _start(rule: Function, arguments: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Mark what is compiled with a rule, and check how it is written and called."""
    mark(rule)
    check_words(rule)
    check_arguments(rule, arguments, defaults)


def _limits(defaults: Mapping[str, Any], given: Bounds) -> dict[str, Limits]:
    """Return the limits of each parameter: any number, where nothing is said."""
    return {**dict.fromkeys(defaults, Limits()), **(given or {})}


def _registered(kind: str, record: Any) -> Any:
    """Register a record beside those that are built in."""
    from mlpjit.catalogue.registries import REGISTRIES

    return registered(REGISTRIES[kind], record)


def _always(slope: float) -> Callable[..., float]:
    """Return the slope limit of an activation whatever its parameter is."""
    return lambda *_: slope
