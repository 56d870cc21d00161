"""Layerwise rules that name the arguments they want: a function in the full signature is written that calls them.

A rule may take step, rows, columns, kind, count, params, grads, extra, scratch, learning_rate and loss, its states by
name (each a pointer to the tensor's part), and its hyperparameters by name, in any order. Numbers have the run's dtype.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Mapping, Sequence
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.kernels.language import Function, device, load, offset, real
from mlpjit.registry import suggestion

FULL = (
    "step", "rows", "columns", "kind", "count", "params", "grads", "state", "extra", "scratch", "settings",
    "learning_rate", "loss",
)  # fmt: skip
WHOLE = FULL[:5]
POINTERS = ("params", "grads", "extra", "scratch")


def with_full_signature(rule: Function, state: Sequence[str], defaults: Mapping[str, Any]) -> Function:
    """Return a rule that has the full signature as it is, else one that has it and calls the rule.

    Raises ConfigError for arguments that there are none of.
    """
    wanted = tuple(inspect.signature(rule).parameters)
    if "settings" in wanted or "state" in wanted:
        return rule
    values = {name: name for name in (*WHOLE, *POINTERS)}
    values |= {name: f"offset(state, {place} * count)" for place, name in enumerate(state)}
    values |= {name: f"real({name})" for name in ("learning_rate", "loss")}
    values |= {name: f"real(load(settings, {place}))" for place, name in enumerate(defaults)}
    if unknown := [name for name in wanted if name not in values]:
        raise ConfigError(f"{rule.__name__} takes {unknown[0]!r}{suggestion(unknown[0], values)}")
    # A name of its own: a hash counts what has the same name once.
    name, passed = f"{rule.__name__}_in_full", ", ".join(values[name] for name in wanted)
    text = f"def {name}({', '.join(FULL)}):\n    rule({passed})\n"
    file = f"<the full signature of {name}: {passed}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # its source is part of its hash
    scope: dict[str, Any] = {
        "__name__": rule.__module__, "rule": device(rule), "offset": offset, "real": real, "load": load
    }  # fmt: skip
    exec(compile(text, file, "exec"), scope)
    made: Function = scope[name]
    made.__doc__ = rule.__doc__
    return made


def inner(function: Function) -> Function:
    """Return the rule that a function made here calls; any other function as it is."""
    made = function.__code__.co_filename.startswith("<the full signature of ")
    return function.__globals__["rule"] if made else function


def kinds(rule: Function, dtype: str, state: Sequence[str]) -> list[str]:
    """Return the type names of the arguments that a rule with named ones is called with."""
    found = []
    for name in inspect.signature(rule).parameters:
        pointer = name in POINTERS or name in state
        found.append("int64" if name in WHOLE else f"*{dtype}" if pointer else dtype)
    return found
