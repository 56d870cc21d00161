"""How optimizers, wrappers and clipping rules are declared: by the package's own files and by a user's, alike.

Each decorator takes keywords only: `formula` and `citation` for the tables, `state`, the names of the arrays that are
kept, options, which are fields of `Stage`, and what is left: hyperparameters with their defaults. One whose default is
a whole number, or true or false, takes nothing else. What is declared outside the package is the user's own: it may not
have the name of a built-in one, and takes the place of another of the user's own.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Function, Kernel, device, device_float64, kernel
from mlpjit.kernels.stages.asked import asked_of
from mlpjit.kernels.stages.named_arguments import with_full_signature
from mlpjit.kernels.stages.phases import COSTS, VECTORS, in_phases, sequence
from mlpjit.kernels.stages.stage import call_stage
from mlpjit.registry import Registry

FAMILY = "mlpjit.kernels.optimizers"
optimizers: Registry[Stage] = Registry("optimizer", family=FAMILY)
wrappers: Registry[Stage] = Registry("wrapper", family=FAMILY)
clippings: Registry[Stage] = Registry("clipping", family=FAMILY)
# What `Stage` holds beside options: where it comes from is said otherwise.
NOT_OPTIONS = {
    "name", "function", "formula", "citation", "defaults", "parts", "kind", "state", "scalars", "asks", "look",
}  # fmt: skip
OPTIONS = {field.name for field in fields(Stage)} - NOT_OPTIONS


@device_float64
def plain_scalars(step, learning_rate, *settings):
    """The rate and the hyperparameters as they are: for rules that give no scalars of their own."""
    return (learning_rate,) + settings  # noqa: RUF005  (Numba has no starred tuple)


@dataclass(frozen=True)
class _Told:
    """What a decorator was told of a rule."""

    formula: str
    citation: str
    state: tuple[str, ...]
    options: dict[str, Any]

    def __post_init__(self) -> None:
        if isinstance(self.state, str):  # whose letters would be names
            raise ConfigError(f"state={self.state!r}: need a tuple of names, as state=({self.state!r},)")

    def defaults(self) -> dict[str, float | bool]:
        """Return the hyperparameters."""
        return {name: value for name, value in self.options.items() if name not in OPTIONS}

    def stage(self, name: str, function: Function, kind: str, **more: Any) -> Stage:
        """Return the record; ConfigError for hyperparameters that are no numbers."""
        defaults = self.defaults()
        if wrong := [f"{key}={value!r}" for key, value in defaults.items() if not isinstance(value, int | float)]:
            raise ConfigError(f"{name}: got {', '.join(wrong)}: hyperparameters are numbers")
        chosen = {key: value for key, value in self.options.items() if key in OPTIONS} | more
        return Stage(
            name, function, self.formula, self.citation, defaults, kind=kind, state=tuple(self.state), **chosen
        )  # fmt: skip


def elementwise(
    function: Function | None = None, *, scalars: Function = plain_scalars, formula: str = "", citation: str = "",
    state: tuple[str, ...] = (), look: Function | None = None, along: Function | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that updates each parameter from its own gradient entry: with options or bare.

    The rule is `name(g, *state, *scalars)` and returns the update, which is subtracted, and the new state. Without
    `scalars` these are the learning rate and the hyperparameters in their order; with them, what
    `scalars(step, learning_rate, *hyperparameters)` returns, computed in float64 once a step. Options: uses_params,
    decays, initial, interleave, momentum_product, limits (`Stage`).

    With `extra_gradients=1` the rule takes a second gradient of the batch behind g: at theta - learning_rate g, or at
    the point that `look(theta, g, *state, *scalars)` returns. With `curvature=True` it takes z (H z) there, random
    signs z, whose mean is the Hessian's diagonal; with `along(theta, g, *state, *scalars)` H times what that returns.
    Raises ConfigError where a built-in optimizer has the name; another of the user's own is replaced.
    """
    told = _Told(formula, citation, state, options)

    def register(given: Function) -> Stage:
        check_function(given)
        asked = asked_of(
            given, told.options, (*state, "learning_rate", *told.defaults()), look, along, scalars is plain_scalars
        )
        mark(given, scalars, *((asked["look"],) if "look" in asked else ()))
        parts = (device_float64(scalars),)
        kind = "asking" if asked else "elementwise"
        made = told.stage(given.__name__, device(given), kind, parts=parts, scalars=scalars, **asked)
        return registered(optimizers, made)

    return register if function is None else register(function)


def layerwise(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that sees a tensor at a time, a weight matrix or a vector: with options or bare.

    The rule changes params and its states in place and takes what it names (`named_arguments`; what each means stands
    at `stages.layerwise`). Options: initial, extra, extra_scratch, draws, limits (`Stage`). Raises ConfigError as
    `elementwise` does.
    """
    return _named("layerwise", function, _Told(formula, citation, state, options))


def joint(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    extra: int = 0, before: Function | tuple[Function, ...] = (), asks: str | tuple[str, ...] = (), **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that sees all parameters together, as one row: with options or bare.

    As `layerwise`, with `extra` numbers kept and `scratch` arrays as long as the parameters. A rule that asks for more
    has a function `before` each thing that it `asks`, a "gradient", "loss" or "product" (`stages.phases`).
    """
    told = _Told(formula, citation, state, _with_extra(options, extra))
    if before or asks:
        return _sequenced(optimizers, "", function, told, before, asks)
    return _named("joint", function, told)


def whole(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer with the signature of `stage.call_stage`, called phase by phase: with options or bare.

    It may ask for another gradient, a Hessian-vector product or factors. Options: the fields of `Stage`.
    """
    return _phased(optimizers, "", function, _Told(formula, citation, state, options))


def wrapper(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    before: Function | tuple[Function, ...] = (), asks: str | tuple[str, ...] = (), behind: bool = False,
    extra: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Register a wrapper, `name` or `name_wrapper`, around any optimizer: with options or bare.

    It takes what it names, as joint rules do, and changes params and grads in place: in front of the optimizer, or
    `behind` it. With `before` and `asks` it may ask, in front, for a "gradient", "loss" or "product" (`stages.phases`).
    With the annotated signature of `stage.call_stage` it is called as `whole` is, before and behind the optimizer.
    """
    told = _Told(formula, citation, state, _with_extra(options, extra))

    def register(given: Function) -> Stage:
        check_function(given)
        if next(iter(inspect.signature(given).parameters), "") == "phase":
            return _phased(wrappers, "_wrapper", given, told)
        moved = replace(told, options={"moves": behind, **told.options})
        return _sequenced(wrappers, "_wrapper", given, moved, before, asks, behind)

    return register if function is None else register(function)


def clipping(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    **options: Any,
) -> Any:  # fmt: skip
    """Register a clipping rule, `name_clipping`: called once a step with the signature of `stage.call_stage`."""
    return _phased(clippings, "_clipping", function, _Told(formula, citation, state, options))


def _named(kind: str, function: Function | None, told: _Told) -> Any:
    """Return the decorator of rules that take what they name, or the record of one."""

    def register(given: Function) -> Stage:
        mark(given)
        called = with_full_signature(given, told.state, told.defaults())
        return registered(optimizers, told.stage(given.__name__, device(called), kind))

    return register if function is None else register(function)


def _with_extra(options: dict[str, Any], extra: Any) -> dict[str, Any]:
    """Return options with what is kept of tensors: a function of their shape, or so many numbers."""
    if not extra:
        return options
    return {**options, "extra": extra if callable(extra) else lambda rows, columns, kind: extra}


def _sequenced(
    registry: Registry[Stage], suffix: str, function: Function | None, told: _Told,
    before: Function | tuple[Function, ...], asks: str | tuple[str, ...], behind: bool = False,
) -> Any:  # fmt: skip
    """Return the decorator of rules that take what they name and ask, or the record of one."""

    def register(given: Function) -> Stage:
        check_function(given)
        asked = sequence(given.__name__, before, asks)
        mark(given, *(each for each, _ in asked))
        made = in_phases(given, asked, told.state, told.defaults(), behind)
        product = any(what == "product" for _, what in asked)
        more = {
            "extra_gradients": sum(COSTS[what] for _, what in asked), "curvature": product,
            "scratch": told.options.get("scratch", 0) + (VECTORS if product else 0),
        }  # fmt: skip
        return registered(registry, told.stage(given.__name__.removesuffix(suffix), made, "whole", **more))

    return register if function is None else register(function)


def _phased(registry: Registry[Stage], suffix: str, function: Function | None, told: _Told) -> Any:
    """Return the decorator of rules with the signature of `call_stage`, or the record of one."""

    def register(given: Function) -> Stage:
        mark(given)
        if _types(given) != call_stage.parameters:
            need = f"need {', '.join(call_stage.parameters)}, under `from __future__ import annotations`"
            raise ConfigError(f"{given.__name__}: its arguments are not annotated as those of `call_stage`: {need}")
        return registered(registry, told.stage(given.__name__.removesuffix(suffix), given, "whole"))

    return register if function is None else register(function)


def _types(function: Function) -> tuple[str, ...]:
    """Return the names of the types of a kernel's arguments; none where they are not those of kernels."""
    try:
        return kernel(function).parameters
    except TypeError:
        return ()


def registered(registry: Registry[Any], record: Any) -> Any:
    """Register a record, one of the user's own in the place of another of its name."""
    if is_own(record) and record.name in registry:
        if not is_own(registry[record.name]):
            raise ConfigError(f"{registry.kind} {record.name!r} is built in: give yours another name")
        registry.remove(record.name)
    return registry.register(record)


def is_own(record: Any) -> bool:
    """Say whether a record is the user's own: declared outside the package."""
    return not _is_ours(record.function)


def check_here(record: Any) -> None:
    """Raise ConfigError where a record's code is in other processes alone (`extending.told`)."""
    if getattr(record, "told_hash", ""):
        file = Path(record.function.__code__.co_filename)
        told = f"{file.name} is run in worker processes: `Study.run`, `mlpjit run` and `mlpjit try` have them"
        raise ConfigError(f"{record.name} cannot be run in this process: {told}; to use it here, import {file.stem}")


def _is_ours(function: Function) -> bool:
    return function.__module__.startswith("mlpjit.")


def mark(*functions: Function, seen: tuple[Function, ...] = ()) -> None:
    """Have the functions that rules call compiled with them, those that they call too."""
    for function in functions:
        check_function(function)
        for called in _called(function):
            if called not in seen:
                mark(called, seen=(*seen, called))


def _called(function: Function) -> list[Function]:
    """Return the functions that one calls and that have no mark yet, marked; and those of the user's own kernels."""
    found = [function.__globals__.get(name) for name in _names(function.__code__)]
    kernels = [value.function for value in found if isinstance(value, Kernel)]
    plain = [value for value in found if isinstance(value, FunctionType) and not hasattr(value, "device_dtype")]
    return [*map(device, plain), *(each for each in kernels if not _is_ours(each))]


def _names(code: CodeType) -> list[str]:
    """Return the names that a function reads, attributes too: `referenced_names` takes 15 ms for all optimizers."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [*code.co_names, *(name for each in inner for name in _names(each))]


def check_function(function: Function) -> None:
    """Raise ConfigError for what cannot be compiled: no function, or one whose source cannot be found."""
    if not isinstance(function, FunctionType):
        kind = "a class" if isinstance(function, type) else f"a {type(function).__name__}"
        raise ConfigError(f"{getattr(function, '__name__', repr(function))} is {kind}, need a function (def)")
    try:
        if not _is_ours(function):
            inspect.getsource(function)
    except (OSError, TypeError):
        told = "its source cannot be found: write it in a file or a notebook"
        raise ConfigError(f"{function.__name__}: {told}") from None
