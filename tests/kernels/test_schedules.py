"""Schedules against their formulas, warm-up included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mlpjit.config import RunConfig
from mlpjit.registries import schedules
from mlpjit.run import rates

RATE, STEPS = 0.3, 500
# Factor at step t of T, both counted behind the warm-up.
FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "constant": lambda t, T: np.ones(len(t)),
    "step": lambda t, T, every, factor: factor ** (t // every).astype(float),
    "exponential": lambda t, T, factor: factor ** (t / T),
    "cosine": lambda t, T, final: final + (1 - final) * (1 + np.cos(np.pi * t / T)) / 2,
}
SETTINGS: dict[str, list[dict[str, float]]] = {
    "constant": [{}], "step": [{}, {"every": 7, "factor": 0.9}], "exponential": [{}, {"factor": 0.5}],
    "cosine": [{}, {"final": 0.1}],
}  # fmt: skip
CASES = [(name, settings) for name in schedules for settings in SETTINGS.get(name, [{}])]


def test_every_schedule_has_a_formula():
    assert set(schedules) == set(FORMULAS) == set(SETTINGS)


@pytest.mark.parametrize("warmup", [0, 1, 13, 500, 900])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_rates(name, settings, warmup):
    found = rates(RunConfig(schedule={"name": name, "warmup": warmup, **settings}, learning_rate=RATE), STEPS)
    given = {**schedules[name].defaults, **settings}
    given.pop("warmup")
    t = np.arange(STEPS)
    after = FORMULAS[name](np.maximum(t - warmup, 0), max(STEPS - warmup, 1), **given)
    expected = RATE * np.where(t < warmup, (t + 1) / max(warmup, 1), after)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", list(schedules))
def test_the_first_step_has_the_base_rate(name):
    assert rates(RunConfig(schedule=name, learning_rate=RATE), STEPS)[0] == RATE


def test_a_warm_up_rises_in_equal_steps_to_the_base_rate():
    found = rates(RunConfig(schedule={"name": "constant", "warmup": 4}, learning_rate=RATE), 6)
    np.testing.assert_allclose(found, RATE * np.array([0.25, 0.5, 0.75, 1.0, 1.0, 1.0]), rtol=1e-15)
