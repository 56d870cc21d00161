"""The registry of activations, and the decorator that adds a rule to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from mlpjit.bounds import Limits
from mlpjit.errors import ConfigError
from mlpjit.kernels.entries import Activation
from mlpjit.kernels.language import Function, device
from mlpjit.registry import Registry, forgetting

LABEL = re.compile(r"(\w+)\((\w+)=(\S+)\)")


class Activations(Registry[Activation]):
    """Also finds an entry with another parameter, by the label that tables show it with: `celu(alpha=2.0)`."""

    def __getitem__(self, name: str) -> Activation:
        """Return the record of a name or label; ConfigError for any other text."""
        found = LABEL.fullmatch(str(name))
        return _variant(self, *found.groups()) if found else super().__getitem__(name)


@cache
def _variant(records: Registry[Activation], name: str, parameter: str, value: str) -> Activation:
    """Return an activation with its one parameter changed."""
    record, given = records[name], f"{name}({parameter}={value})"
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if parameter not in record.defaults or repr(number) != value or not record.limits[parameter].holds(number):
        raise ConfigError(f"unknown activation {given!r}: give parameters in a table, as {{name = {name!r}, ...}}")
    # Without its code, which another process has, its slopes are of no use here.
    limit = record.steepest(number) if record.steepest else record.slope_limit
    return replace(record, name=given, defaults={}, limits={}, settings=(number,), slope_limit=limit)


activations: Registry[Activation] = Activations("activation")
forgetting.append(_variant.cache_clear)


def activation(
    formula: str, citation: str, slope_limit: float | Callable[..., float] = 1.0,
    limits: dict[str, Limits] | None = None, by_parameter: Function | None = None, **defaults: float,
) -> Callable[[Function], Activation]:  # fmt: skip
    """Register a rule (z, *settings) -> (f, df, d2f) under its function's name, with one parameter at most.

    `slope_limit` is its largest |df|, or gives it for a value of the parameter. With `by_parameter` that is learned.
    """

    def register(function: Function) -> Activation:
        settings = tuple(defaults.values())
        steepest = slope_limit if callable(slope_limit) else lambda *_: slope_limit
        made = Activation(
            function.__name__, device(function), formula, citation, defaults,
            () if by_parameter is None else (by_parameter,), limits=limits or {}, slope_limit=steepest(*settings),
            settings=settings, steepest=steepest, by_parameter=by_parameter,
        )  # fmt: skip
        return activations.register(made)

    return register


def linked_names(record: Activation) -> dict[str, Any]:
    """Return what the loops are filled in with for one activation: its rule, and its parameters as constants."""
    learned = {} if record.by_parameter is None else {"by_parameter": record.by_parameter}
    return {"rule": record.function, "SETTINGS": record.settings, **learned}
