"""Schedules: the learning rate of every step, as a factor of the base rate. Computed once, before a run.

A rule is factor(step, total, *settings): `step` counts from 0 behind the warm-up, `total` is the number of steps that
remain behind it. Settings are float64 numbers; one list may follow them, as a pointer to its length and items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlpjit.bounds import above, at_least
from mlpjit.kernels.entries import Rule
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Function,
    Int,
    Kernel,
    Primitive,
    device_float64,
    kernel,
    store,
)
from mlpjit.registry import Registry


@dataclass(frozen=True, eq=False)
class Schedule(Rule):
    """A rule factor(step, total, *settings). `watches`: the settings with which `plateau` lowers it in the run."""

    watches: tuple[str, ...] = ()


schedules: Registry[Schedule] = Registry("schedule")
unpack_settings = Primitive("unpack_settings")
# Settings that mean the same in every schedule that has them.
LIMITS = {
    **dict.fromkeys(("warmup", "final", "low", "start", "decay", "patience", "cooldown_evaluations"), at_least(0)),
    **dict.fromkeys(("every", "period", "growth", "half_cycle", "milestones"), at_least(1)),
    **dict.fromkeys(("factor", "power", "timescale"), above(0)),
    **dict.fromkeys(("rise", "fall", "cooldown", "threshold"), at_least(0, 1)),
}


def schedule(
    formula: str, citation: str, watches: tuple[str, ...] = (), **defaults: Any
) -> Callable[[Function], Schedule]:
    """Register a rule factor(step, total, *settings). Every schedule also takes `warmup`; a list comes last."""

    def register(function: Function) -> Schedule:
        name = function.__name__.removesuffix("_schedule")
        given = {**defaults, "warmup": defaults.get("warmup", 0)}
        limits = {key: LIMITS[key] for key in given if key in LIMITS}
        made = Schedule(name, device_float64(function), formula, citation, given, limits=limits, watches=watches)
        return schedules.register(made)

    return register


@kernel
def schedule_loop(
    start: Int, count: Int, total: Int, learning_rate: Float64, warmup: Int, settings: Float64s, out: Float64s
) -> None:
    """out[i] = rate of step start + i: linear warm-up from rate / warmup, then the rule over what remains."""
    values = unpack_settings(settings, SETTINGS, LISTS)  # noqa: F821
    for i in range(count):
        t = start + i
        if t < warmup:
            store(out, i, learning_rate * ((t + 1) / warmup))
        else:
            factor = rule(t - warmup, max(total - warmup, 1), *values)  # noqa: F821
            store(out, i, learning_rate * factor)


def _settings(record: Rule) -> tuple[list[str], list[str]]:
    """Return the names of a schedule's numbers and of its list (one at most), warm-up left out."""
    names = [name for name in record.defaults if name != "warmup"]
    lists = [name for name in names if isinstance(record.defaults[name], tuple)]
    return [name for name in names if name not in lists], lists


def settings(record: Rule, given: Mapping[str, Any]) -> list[float]:
    """Return what the loop takes: the numbers in order, then the list with its length before it."""
    values, (numbers, lists) = {**record.defaults, **given}, _settings(record)
    found = [float(values[name]) for name in numbers]
    for name in lists:
        found += [float(len(values[name])), *map(float, values[name])]
    return found


def loop(record: Rule) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel that fills in a schedule's rates, and the names to link it with."""
    numbers, lists = _settings(record)
    made = Kernel(f"schedule_{record.name}", schedule_loop.function, schedule_loop.parameters)
    return made, {"rule": record.function, "SETTINGS": len(numbers), "LISTS": len(lists)}
