"""Reduce on plateau: step by step against a plain account of torch's rule, and inside a run."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.plateau import watch_plateau
from mlpjit.kernels.tables import CARRY, NUMBER
from mlpjit.training.run import Run


def factors(values: np.ndarray, factor: float, patience: int, threshold: float, cooldown: int, final: float) -> list:
    """The factor after each value, by our kernel."""
    numbers, carry = np.zeros(len(NUMBER)), np.zeros(len(CARRY))
    numbers[NUMBER.plateau_factor], numbers[NUMBER.plateau_patience] = factor, patience
    numbers[NUMBER.plateau_threshold], numbers[NUMBER.plateau_final] = threshold, final
    numbers[NUMBER.plateau_cooldown_evaluations] = cooldown
    carry[[CARRY.rate_factor, CARRY.plateau_best]] = 1.0, np.inf
    call, found = jit.load(watch_plateau, "float64").call, []
    for value in values:
        call(numbers.ctypes.data, carry.ctypes.data, value)
        found.append(carry[CARRY.rate_factor])
    return found


def account(values: np.ndarray, factor: float, patience: int, threshold: float, cooldown: int, final: float) -> list:
    """The same in words: the positions of improvements, then of reductions."""
    best, good = np.inf, set()
    for place, value in enumerate(values):
        if value < best * (1 - threshold):
            best = value
            good.add(place)
    found, scale, counted_from, resting_until = [], 1.0, 0, -1
    for place in range(len(values)):
        if place in good or place <= resting_until:
            counted_from = place + 1
        elif place + 1 - counted_from > patience:
            scale, counted_from, resting_until = max(scale * factor, final), place + 1, place + cooldown
        found.append(scale)
    return found


SETTINGS = [(0.1, 10, 1e-4, 0, 0.0), (0.5, 2, 0.0, 0, 0.0), (0.5, 0, 0.1, 3, 0.2), (0.3, 1, 0.01, 1, 0.05)]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_rule(settings, seed):
    rng = np.random.default_rng(seed)
    values = np.exp(-0.03 * np.arange(120)) + 0.3 * rng.random(120)
    found = factors(values, *settings)
    assert found == account(values, *settings)
    assert found[-1] < 1.0


def test_in_a_run_the_rate_falls_after_the_evaluations_that_brought_nothing():
    """A rate too high to settle: the updates of later epochs follow the factor that the losses so far give."""
    settings = {"factor": 0.2, "patience": 1, "threshold": 0.05, "cooldown_evaluations": 1, "final": 0.001}
    spec = {"name": "reduce_on_plateau", **settings, "warmup": 5}
    run = Run(RunConfig(dataset="two_moons", hidden=[8], learning_rate=1.0, schedule=spec, epochs=25, seed=1))
    found = []
    for epoch in range(25):
        run.advance((epoch + 1) * run.steps // 25)
        found.append(run.carry[CARRY.rate_factor])
    losses = run.result().history["validation_loss"][1:]
    assert found == account(losses, *settings.values())
    assert found[-1] < 1.0
    assert len(set(found)) >= 3
    assert run.rates[-1] == 1.0


def test_a_run_in_pieces_and_one_under_another_schedule():
    spec = {"name": "reduce_on_plateau", "patience": 0, "threshold": 0.1}
    config = RunConfig(dataset="two_moons", hidden=[8], learning_rate=0.5, schedule=spec, epochs=12)
    whole, pieces, plain = Run(config), Run(config), Run(RunConfig(**{**config.canonical(), "schedule": "constant"}))
    whole.advance()
    plain.advance()
    for step in range(0, pieces.steps + 1, 13):
        pieces.advance(step)
    pieces.advance()
    np.testing.assert_array_equal(whole.params, pieces.params)
    assert not np.array_equal(whole.params, plain.params)
    assert plain.carry[CARRY.rate_factor] == 1.0
