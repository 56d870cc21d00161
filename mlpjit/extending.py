"""What a file with an optimizer of your own imports: the decorators, and the functions that compiled code may use.

    from mlpjit.extending import elementwise, fma, sign

    @elementwise(state=("mu",), momentum=0.9)
    def signum(g, mu, learning_rate, momentum):
        mu = fma(momentum, mu, (1.0 - momentum) * g)
        return learning_rate * sign(mu), mu

Functions that a rule calls are compiled with it and need no mark. `docs/try.md` tells the rest.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.elementary import cos, erf, exp, log, power, sin, tanh
from mlpjit.kernels.optimizers import layerwise as layerwise_records
from mlpjit.kernels.optimizers import registration
from mlpjit.kernels.optimizers.registration import larger, one_minus_power, optimizers, sign
from mlpjit.kernels.optimizers.stages import BETA, BIAS, GAMMA, WEIGHT
from mlpjit.kernels.rules import (
    Function,
    Stage,
    absolute,
    copysign,
    device,
    dot,
    float64,
    fma,
    load,
    offset,
    real,
    select,
    sqrt,
    store,
)
from mlpjit.kernels.sources import referenced_names


@registration.device_float64
def plain_scalars(step, learning_rate, *settings):  # type: ignore[no-untyped-def]
    """The rate and the hyperparameters as they are: for rules that give no scalars of their own."""
    return (learning_rate,) + settings  # noqa: RUF005  (Numba has no starred tuple)


def elementwise(
    function: Function | None = None, *, scalars: Function = plain_scalars, formula: str = "", citation: str = "",
    state: tuple[str, ...] = (), **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that updates each parameter from its own gradient entry: with options or bare.

    The rule is `name(g, *state, *scalars)` and returns the update, which is subtracted, and the new state. Without
    `scalars` these are the learning rate and the hyperparameters in their order; with them, what
    `scalars(step, learning_rate, *hyperparameters)` returns, computed in float64 once a step. Other options are as of
    `Stage` (uses_params, decays, initial); what is left are hyperparameters with their defaults.
    Raises ConfigError where the name is taken.
    """

    def register(given: Function) -> Stage:
        for each in (given, scalars):
            _mark(each)
        return registration.elementwise(scalars, formula, citation, state, **options)(given)

    return register if function is None else register(function)


def layerwise(
    function: Function | None = None, *, formula: str = "", citation: str = "", state: tuple[str, ...] = (),
    **options: Any,
) -> Any:  # fmt: skip
    """Register an optimizer that sees a tensor at a time, a weight matrix or a vector: with options or bare.

    The signature stands at `mlpjit.kernels.optimizers.layerwise`. Raises ConfigError where the name is taken.
    """

    def register(given: Function) -> Stage:
        _mark(given)
        return layerwise_records.layerwise(formula, citation, state, **options)(given)

    return register if function is None else register(function)


def _mark(function: Function) -> None:
    """Have the functions that a rule calls compiled with it, those that they call too."""
    if not isinstance(function, FunctionType):
        raise ConfigError(f"got {function!r}, need a function")
    for name in sorted(referenced_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and not hasattr(value, "device_dtype"):
            device(value)
            _mark(value)


def is_own(record: Any) -> bool:
    """Say whether a record comes from outside the package."""
    return not record.function.__module__.startswith("mlpjit.")


__all__ = [
    "BETA", "BIAS", "GAMMA", "WEIGHT", "absolute", "copysign", "cos", "dot", "elementwise", "erf", "exp", "float64",
    "fma", "is_own", "larger", "layerwise", "load", "log", "offset", "one_minus_power", "optimizers", "power", "real",
    "select", "sign", "sin", "sqrt", "store", "tanh",
]  # fmt: skip
