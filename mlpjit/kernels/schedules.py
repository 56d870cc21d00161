"""Schedules: the learning rate of every step, as a factor of the base rate. Computed once, before a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpjit.kernels.elementary import cos_float64, power_float64
from mlpjit.kernels.rules import (
    Float64,
    Float64s,
    Function,
    Int,
    Kernel,
    Primitive,
    Rule,
    device_float64,
    float64,
    kernel,
    store,
)
from mlpjit.registry import Registry

schedules: Registry[Rule] = Registry("schedule")
unpack = Primitive("unpack")
PI = 3.141592653589793


def schedule(formula: str, citation: str, **defaults: Any) -> Callable[[Function], Rule]:
    """Register a rule factor(step, total, *settings), step counted from 0. Every schedule also takes `warmup`."""

    def register(function: Function) -> Rule:
        name = function.__name__.removesuffix("_schedule")
        given = {**defaults, "warmup": 0}
        return schedules.register(Rule(name, device_float64(function), formula, citation, given))

    return register


@schedule("eta", "-")
def constant_schedule(step, total):
    """The base rate throughout."""
    return 1.0


@schedule("eta factor^floor(t / every)", "-", every=100, factor=0.5)
def step_schedule(step, total, every, factor):
    """Multiply by `factor` every `every` steps."""
    return power_float64(factor, float64(step // every)) if step >= every else 1.0


@schedule("eta factor^(t / T)", "-", factor=0.01)
def exponential_schedule(step, total, factor):
    """Fall by the same proportion each step, reaching `factor` times the base rate at the end T."""
    return power_float64(factor, step / total)


@schedule("eta (final + (1 - final) (1 + cos(pi t / T)) / 2)", "Loshchilov & Hutter 2017, arXiv:1608.03983", final=0.0)
def cosine_schedule(step, total, final):
    """Fall along half a cosine to `final` times the base rate at the end T."""
    return final + (1.0 - final) * 0.5 * (1.0 + cos_float64(PI * (step / total)))


@kernel
def schedule_loop(
    start: Int, count: Int, total: Int, learning_rate: Float64, warmup: Int, settings: Float64s, out: Float64s
) -> None:
    """out[i] = rate of step start + i: linear warm-up from rate / warmup, then the rule over what remains."""
    values = unpack(settings, SETTINGS)  # noqa: F821
    for i in range(count):
        t = start + i
        if t < warmup:
            store(out, i, learning_rate * ((t + 1) / warmup))
        else:
            factor = rule(t - warmup, max(total - warmup, 1), *values)  # noqa: F821
            store(out, i, learning_rate * factor)


def loop(record: Rule) -> tuple[Kernel, dict[str, Any]]:
    """Return the kernel that fills in a schedule's rates, and the names to link it with."""
    settings = len(record.defaults) - 1
    made = Kernel(f"schedule_{record.name}", schedule_loop.function, schedule_loop.parameters)
    return made, {"rule": record.function, "SETTINGS": settings}
