"""Rules that name the arguments they want: the function that the loop calls is written here, and calls them.

A layerwise or joint rule may take step, rows, columns, kind, count, params, grads, extra, scratch, learning_rate and
loss, its states by name (each a pointer to the tensor's part), and its hyperparameters by name, in any order. Numbers
have the run's dtype; the learning rate, the loss and hyperparameters are double where they are annotated `Float64`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence

from mlpjit.errors import ConfigError
from mlpjit.kernels.language import Float64, Function, device, load, offset, real, written
from mlpjit.registry import suggestion

FULL = (
    "step", "rows", "columns", "kind", "count", "params", "grads", "state", "extra", "scratch", "settings",
    "learning_rate", "loss",
)  # fmt: skip
WHOLE = FULL[:5]
POINTERS = ("params", "grads", "extra", "scratch", "vector", "product")


def with_full_signature(rule: Function, state: Sequence[str], defaults: Iterable[str]) -> Function:
    """Return a function of all arguments that calls the rule with those it names.

    Raises ConfigError for arguments that there are none of.
    """
    values = {name: name for name in (*WHOLE, "params", "grads", "extra", "scratch")}
    return _written(rule, passed_on(rule, values, state, defaults))


def passed_on(rule: Function, known: Mapping[str, str], state: Sequence[str], defaults: Iterable[str]) -> str:
    """Return the arguments of a rule's call, by what it names: of what is known, of states, numbers, hyperparameters.

    Raises ConfigError for arguments that there are none of.
    """
    numbers = {name: name for name in ("learning_rate", "loss")}
    numbers |= {name: f"load(settings, {place})" for place, name in enumerate(defaults)}
    values = {**known, **{name: f"offset(state, {place} * count)" for place, name in enumerate(state)}}
    values |= {name: number if _is_double(rule, name) else f"real({number})" for name, number in numbers.items()}
    wanted = tuple(inspect.signature(rule).parameters)
    if unknown := [name for name in wanted if name not in values]:
        raise ConfigError(f"{rule.__name__} takes {unknown[0]!r}{suggestion(unknown[0], values)}")
    return ", ".join(values[name] for name in wanted)


def _written(rule: Function, passed: str) -> Function:
    """Return the function whose body is the rule's call with these arguments."""
    # A name of its own: a hash counts what has the same name once.
    scope = {"rule": device(rule), "offset": offset, "real": real, "load": load}
    made = written(f"{rule.__name__}_in_full", FULL, [f"rule({passed})"], scope, rule.__module__)
    made.rule = rule  # type: ignore[attr-defined]
    made.__doc__ = rule.__doc__
    made.only_passes_on = True  # type: ignore[attr-defined]
    return made


def _is_double(rule: Function, name: str) -> bool:
    """Say whether an argument is annotated `Float64`, as a name or as a text."""
    given = rule.__annotations__.get(name)
    return given == "Float64" if isinstance(given, str) else given is Float64


def inner(function: Function) -> Function:
    """Return the rule that a function made here calls; any other function as it is."""
    found: Function = getattr(function, "rule", function)
    return found


def kinds(rule: Function, dtype: str, state: Sequence[str]) -> list[str]:
    """Return the type names of the arguments that a rule with named ones is called with."""
    found = []
    for name in inspect.signature(rule).parameters:
        number = "float64" if _is_double(rule, name) else dtype
        pointer = name in POINTERS or name in state
        found.append("int64" if name in WHOLE else f"*{dtype}" if pointer else number)
    return found
