"""Limits of hyperparameters: at their ends, and at 0, every rule makes finite updates of finite gradients.

Gradients are of the sizes that `bounds.GRADIENTS` names, and 0: as the whole, and in a third of all entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.bounds import GRADIENTS, LEAST_DIVISOR, Limits
from mlpjit.catalogue.registries import clippings, optimizers, wrappers
from mlpjit.catalogue.specs import checked_parameters
from mlpjit.interactive.optimizer import Optimizer
from mlpjit.interactive.step import Oracles, Step
from mlpjit.kernels.entries import Stage
from mlpjit.training import linking
from mlpjit.training.stage_memory import scratch_size, settings_of, state_size, tensor_table, tensors_of
from mlpjit.tuning.rates import RATES

SHAPES, ROWS = [(5, 7), (7,), (7, 3), (3,)], 4
TINY, LARGE = GRADIENTS
# The size of the gradient, step by step.
COURSES = [
    [0.1] * 6, [TINY] * 6, [0.0] * 6, [LARGE] * 6, [0.0, 0.0, 0.1, 0.1], [TINY, 0.1, TINY, 0.1],
    [0.1, 0.0, 1e6, 1e-6, 0.0, 0.1],
]  # fmt: skip
STAGES = [*optimizers.records(), *wrappers.records(), *clippings.records()]
Settings = dict[str, Any]
Pairs = list[tuple[np.ndarray, np.ndarray]]


def lowest(limits: Limits) -> float:
    return math.nextafter(limits.low, math.inf) if limits.above else limits.low


def highest(limits: Limits) -> float:
    return math.nextafter(limits.high, -math.inf) if limits.below else limits.high


def ends(record: Stage, name: str) -> list[Any]:
    """The values of a hyperparameter that are tried: its limits' ends and 0; of a switch, on and off."""
    default = record.defaults[name]
    if isinstance(default, bool):
        return [False, True]
    if name in record.divisors:
        return [LEAST_DIVISOR, record.limits[name].high]
    limits = record.limits[name]
    found = {lowest(limits), highest(limits)} | ({0.0} if limits.holds(0.0) else set())
    return sorted(map(type(default), found))


def single_ends(record: Stage) -> Iterator[Settings]:
    for name in record.defaults:
        yield from ({name: value} for value in ends(record, name) if value != record.defaults[name])
    if record.divisors:
        yield dict.fromkeys(record.divisors[:-1], 0.0) | {record.divisors[-1]: LEAST_DIVISOR}


def pairs_of_ends(record: Stage) -> Iterator[Settings]:
    for one, other in combinations(record.defaults, 2):
        yield from ({one: a, other: b} for a in ends(record, one) for b in ends(record, other))


def drawn(random: np.random.Generator, size: float) -> tuple[np.ndarray, Pairs]:
    """A gradient, and the inputs and deltas that make it, as a layer with a bias does; some inputs are always 0."""
    parts: list[np.ndarray] = []
    pairs: Pairs = []
    for fan_in, fan_out in SHAPES[::2]:
        inputs, deltas = random.uniform(-1, 1, (ROWS, fan_in)), random.uniform(-size, size, (ROWS, fan_out)) / ROWS
        inputs[:, ::3] = 0.0
        pairs.append((inputs, deltas))
        parts += [(inputs.T @ deltas).ravel(), deltas.sum(axis=0)]
    return np.concatenate(parts), pairs


def answers(gradient: np.ndarray, size: float, pairs: Pairs) -> Oracles:
    return Oracles(
        lambda params: (1.0, gradient), lambda params, vector: vector * size, lambda params: (gradient, pairs)
    )


def is_finite(made: Optimizer, course: list[float], dtype: str) -> bool:
    """Say whether the parameters stay finite along a course."""
    random = np.random.default_rng(0)
    params = random.uniform(-0.5, 0.5, sum(math.prod(shape) for shape in SHAPES)).astype(dtype)
    work = Step(made.parts(), params, params, made.init(params, SHAPES), RATES[made.name].value, ROWS)
    for size in course:
        gradient, pairs = drawn(random, size)
        work.grads[:] = gradient
        work.run(1.0, answers(gradient.astype(dtype), size, pairs))
        work.step += 1
    return bool(np.isfinite(work.params).all())


def clips_finitely(record: Stage, settings: Settings, course: list[float], dtype: str) -> bool:
    random, tensors = np.random.default_rng(0), tensors_of(SHAPES)
    for size in course:
        grads = drawn(random, size)[0].astype(dtype)
        params, table = np.full_like(grads, 0.1), tensor_table(record, tensors)
        state, scratch = (np.zeros(n(record, tensors) + 1, dtype) for n in (state_size, scratch_size))
        numbers = np.array([*settings_of(record, checked(record, settings)), 0.0])
        where = [a.ctypes.data for a in (params, grads, state, scratch, numbers)]
        linking.clipping(record.name, dtype).call(
            0, 1, ROWS, len(grads), *where, 0.1, 1.0, table.ctypes.data, len(tensors)
        )
        if not np.isfinite(grads).all():
            return False
    return True


def checked(record: Stage, settings: Settings) -> Settings:
    return checked_parameters(record.name, record.defaults, settings, record.limits, record.divisors)


def broken(record: Stage, settings: Settings, dtype: str) -> list[list[float]]:
    """The courses along which something is not finite."""
    if record in clippings.records():
        return [course for course in COURSES if not clips_finitely(record, settings, course, dtype)]
    inner = mj.optimizers["momentum"]
    wrapped = record in wrappers.records()
    made = mj.wrappers[record.name](inner, **settings) if wrapped else mj.optimizers[record.name](**settings)
    return [course for course in COURSES if not is_finite(made, course, dtype)]


@pytest.mark.parametrize("record", STAGES, ids=lambda record: record.name)
def test_every_number_has_limits(record):
    """None of them infinite, and defaults are within."""
    for name, default in record.defaults.items():
        if not isinstance(default, bool):
            assert math.isfinite(record.limits[name].low), name
            assert math.isfinite(record.limits[name].high), name
    checked(record, dict(record.defaults))


@pytest.mark.parametrize("record", STAGES, ids=lambda record: record.name)
def test_what_is_accepted_gives_finite_updates(record):
    assert broken(record, {}, "float32") == []
    wrong = {str(settings): found for settings in single_ends(record) if (found := broken(record, settings, "float32"))}
    assert not wrong


@pytest.mark.exhaustive
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", STAGES, ids=lambda record: record.name)
def test_what_is_accepted_in_pairs_gives_finite_updates(record, dtype):
    wrong = {str(settings): found for settings in pairs_of_ends(record) if (found := broken(record, settings, dtype))}
    assert not wrong


def beyond(limits: Limits, default: float) -> Iterator[float]:
    """The first numbers outside."""
    step = 1 if isinstance(default, int) else None
    yield limits.low if limits.above else (limits.low - step if step else math.nextafter(limits.low, -math.inf))
    yield limits.high if limits.below else (limits.high + step if step else math.nextafter(limits.high, math.inf))


@pytest.mark.parametrize("record", STAGES, ids=lambda record: record.name)
def test_what_lies_outside_is_refused_in_one_line(record):
    for name, default in record.defaults.items():
        for value in [] if isinstance(default, bool) else beyond(record.limits[name], default):
            with pytest.raises(mj.ConfigError) as raised:
                checked(record, {name: value})
            (line,) = raised.value.problems
            assert line.startswith(f"{name}: got {type(default)(value)!r}, need "), line


DIVIDING = [record for record in STAGES if record.divisors]


@pytest.mark.parametrize("record", DIVIDING, ids=lambda record: record.name)
def test_a_rule_that_would_divide_by_zero_is_refused_in_one_line(record):
    """In a config as in a single step; one of its epsilons above 0 is enough."""
    spec = {"name": record.name, "eps": 0.0, "eps_root": 1e-40}
    told = "eps and eps_root: got eps 0 and eps_root 1e-40, need 1e-30 or more in one"
    with pytest.raises(mj.ConfigError, match=told):
        mj.RunConfig(optimizer=spec)
    with pytest.raises(mj.ConfigError, match=told):
        mj.optimizers[record.name](eps=0.0, eps_root=1e-40)
    assert mj.optimizers[record.name](eps=0.0, eps_root=1e-30).hyperparameters["eps_root"] == 1e-30
