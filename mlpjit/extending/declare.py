"""Decorators that register an optimizer of the user's own, and what they check."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.functions import referenced_names
from mlpjit.kernels.language import (
    Function,
    device,
    device_float64,
)
from mlpjit.kernels.stages.declare import Size, optimizers
from mlpjit.kernels.stages.named_arguments import with_full_signature


@device_float64
def plain_scalars(step, learning_rate, *settings):  # type: ignore[no-untyped-def]
    """The rate and the hyperparameters as they are: for rules that give no scalars of their own."""
    return (learning_rate,) + settings  # noqa: RUF005  (Numba has no starred tuple)


@dataclass(frozen=True, eq=False)
class OwnStage(Stage):
    """An optimizer of the user's own; its hash holds its options too, which its function's source may not show."""

    def source_hash(self) -> str:
        """Return the hash of its code and of its options."""
        options = f"{self.state} {self.uses_params} {self.decays} {self.initial} {self.scratch}"
        return f"{super().source_hash()} {hashlib.sha256(options.encode()).hexdigest()}"


def elementwise(
    function: Function | None = None, *, scalars: Function = plain_scalars, formula: str = "", citation: str = "",
    state: tuple[str, ...] = (), uses_params: bool = False, decays: bool = False,
    initial: dict[str, float | str] | None = None, **defaults: float | bool,
) -> Any:  # fmt: skip
    """Register an optimizer that updates each parameter from its own gradient entry: with options or bare.

    The rule is `name(g, *state, *scalars)` and returns the update, which is subtracted, and the new state. Without
    `scalars` these are the learning rate and the hyperparameters in their order; with them, what
    `scalars(step, learning_rate, *hyperparameters)` returns, computed in float64 once a step. What uses_params, decays
    and initial mean stands at `Stage`; what is left are hyperparameters with their defaults.
    Raises ConfigError where a built-in optimizer has the name; another of the user's own is replaced.
    """

    def register(given: Function) -> Stage:
        for each in (given, scalars):
            _mark(each)
        return _registered(OwnStage(
            given.__name__, device(given), formula, citation, _numbers(given, defaults), (device_float64(scalars),),
            "elementwise", tuple(state), 0, scalars, uses_params, decays, initial or {},
        ))  # fmt: skip

    return register if function is None else register(function)


def layerwise(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    extra: Size | None = None, extra_scratch: Size | None = None, initial: dict[str, float | str] | None = None,
    **defaults: float | bool,
) -> Any:  # fmt: skip
    """Register an optimizer that sees a tensor at a time, a weight matrix or a vector: with options or bare.

    The rule changes params and its states in place. It takes what it names (`mlpjit.named_arguments`), or has the full
    signature (`mlpjit.kernels.stages.layerwise`). Raises ConfigError as `elementwise` does.
    """

    def register(given: Function) -> Stage:
        _mark(given)
        called = with_full_signature(given, state, defaults)
        return _registered(OwnStage(
            given.__name__, device(called), formula, citation, _numbers(given, defaults), (), "layerwise", tuple(state),
            initial=initial or {}, extra=extra, extra_scratch=extra_scratch,
        ))  # fmt: skip

    return register if function is None else register(function)


def _registered(record: Stage) -> Stage:
    """Register a record, in the place of another of the user's own with its name."""
    if record.name in optimizers and is_own(optimizers[record.name]):
        optimizers.remove(record.name)
    return optimizers.register(record)


def _numbers(function: Function, defaults: dict[str, float | bool]) -> dict[str, float | bool]:
    """Return hyperparameters with whole numbers as floats; ConfigError for anything else."""
    wrong = [f"{name}={value!r}" for name, value in defaults.items() if not isinstance(value, int | float)]
    if wrong:
        raise ConfigError(f"{function.__name__}: got {', '.join(wrong)}: hyperparameters are numbers")
    return {name: value if isinstance(value, bool) else float(value) for name, value in defaults.items()}


def _mark(function: Function) -> None:
    """Have the functions that a rule calls compiled with it, those that they call too."""
    if not isinstance(function, FunctionType):
        raise ConfigError(f"got {function!r}, need a function")
    try:
        inspect.getsource(function)
    except (OSError, TypeError):
        told = "its source cannot be found: write it in a file or a notebook"
        raise ConfigError(f"{function.__name__}: {told}") from None
    for name in sorted(referenced_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and not hasattr(value, "device_dtype"):
            device(value)
            _mark(value)


def is_own(record: Any) -> bool:
    """Say whether a record is the user's own."""
    return isinstance(record, OwnStage)
