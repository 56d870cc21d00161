"""How optimizers, wrappers and clipping rules are declared: by the package's own files and by a user's, alike.

Each decorator takes keywords only: `formula` and `citation` for the tables, `state`, the names of the arrays that are
kept, options, which are fields of `Stage`, and what is left: hyperparameters with their defaults. One whose default is
a whole number, or true or false, takes nothing else. What is declared outside the package is the user's own: it may not
have the name of a built-in one, and takes the place of another of the user's own.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from types import CodeType, FunctionType
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Function, Kernel, device, device_float64, kernel
from mlpjit.kernels.stages.named_arguments import with_full_signature
from mlpjit.kernels.stages.stage import call_stage
from mlpjit.registry import Registry

FAMILY = "mlpjit.kernels.optimizers"
optimizers: Registry[Stage] = Registry("optimizer", family=FAMILY)
wrappers: Registry[Stage] = Registry("wrapper", family=FAMILY)
clippings: Registry[Stage] = Registry("clipping", family=FAMILY)
# What `Stage` holds beside options: where it comes from is said otherwise.
NOT_OPTIONS = {"name", "function", "formula", "citation", "defaults", "parts", "kind", "state", "scalars"}
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

    def defaults(self) -> dict[str, float | bool]:
        """Return the hyperparameters."""
        return {name: value for name, value in self.options.items() if name not in OPTIONS}

    def stage(self, name: str, function: Function, kind: str, **more: Any) -> Stage:
        """Return the record; ConfigError for hyperparameters that are no numbers."""
        defaults = self.defaults()
        if wrong := [f"{key}={value!r}" for key, value in defaults.items() if not isinstance(value, int | float)]:
            raise ConfigError(f"{name}: got {', '.join(wrong)}: hyperparameters are numbers")
        chosen = {key: value for key, value in self.options.items() if key in OPTIONS}
        return Stage(
            name, function, self.formula, self.citation, defaults, kind=kind, state=tuple(self.state), **chosen, **more
        )  # fmt: skip


def elementwise(
    function: Function | None = None, *, scalars: Function = plain_scalars, formula: str = "", citation: str = "",
    state: tuple[str, ...] = (), **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that updates each parameter from its own gradient entry: with options or bare.

    The rule is `name(g, *state, *scalars)` and returns the update, which is subtracted, and the new state. Without
    `scalars` these are the learning rate and the hyperparameters in their order; with them, what
    `scalars(step, learning_rate, *hyperparameters)` returns, computed in float64 once a step. Options: uses_params,
    decays, initial, interleave, momentum_product, limits (`Stage`).
    Raises ConfigError where a built-in optimizer has the name; another of the user's own is replaced.
    """
    told = _Told(formula, citation, state, options)

    def register(given: Function) -> Stage:
        mark(given, scalars)
        parts = (device_float64(scalars),)
        made = told.stage(given.__name__, device(given), "elementwise", parts=parts, scalars=scalars)
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
    extra: int = 0, **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that sees all parameters together, as one row: with options or bare.

    As `layerwise`, with `extra` numbers kept and `scratch` arrays as long as the parameters.
    """
    if extra:
        options["extra"] = lambda rows, columns, kind: extra
    return _named("joint", function, _Told(formula, citation, state, options))


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
    **options: Any,
) -> Any:  # fmt: skip
    """Register a wrapper, `name_wrapper`: called as `whole` is, before and behind the optimizer that it wraps."""
    return _phased(wrappers, "_wrapper", function, _Told(formula, citation, state, options))


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
    if is_own(record) and record.name in registry and is_own(registry[record.name]):
        registry.remove(record.name)
    return registry.register(record)


def is_own(record: Any) -> bool:
    """Say whether a record is the user's own: declared outside the package."""
    return not _is_ours(record.function)


def _is_ours(function: Function) -> bool:
    return function.__module__.startswith("mlpjit.")


def mark(*functions: Function, seen: tuple[Function, ...] = ()) -> None:
    """Have the functions that rules call compiled with them, those that they call too."""
    for function in functions:
        _check(function)
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


def _check(function: Function) -> None:
    """Raise ConfigError for what cannot be compiled: no function, or one whose source cannot be found."""
    if not isinstance(function, FunctionType):
        raise ConfigError(f"got {function!r}, need a function")
    try:
        if not _is_ours(function):
            inspect.getsource(function)
    except (OSError, TypeError):
        told = "its source cannot be found: write it in a file or a notebook"
        raise ConfigError(f"{function.__name__}: {told}") from None
