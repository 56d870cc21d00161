"""Every optimizer trains: what `bench/evidence/optimizers_on_digits.py` found, and a sample of it made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mlpjit as mj

FILE = Path(__file__).parents[3] / "results" / "reference" / "optimizers_on_digits.json"
FOUND = json.loads(FILE.read_text(encoding="utf-8"))


def test_every_optimizer_was_run():
    """A new one: `python bench/evidence/optimizers_on_digits.py NAME`."""
    assert set(FOUND["optimizers"]) == set(mj.optimizers)


@pytest.mark.parametrize("name", FOUND["optimizers"])
def test_each_comes_near_adam_at_a_rate_inside_the_grid(name):
    made = FOUND["optimizers"][name]
    assert made["points_below_adam"] <= FOUND["allowed_points"]
    assert not made["at_the_end_of_the_grid"]


@pytest.mark.parametrize("name", ["adam", "lion", "madgrad"])
def test_the_accuracy_can_be_had_again(name):
    made, seed = FOUND["optimizers"][name], FOUND["reporting_seeds"][0]
    settings = mj.RunConfig(**FOUND["network"], optimizer=name, learning_rate=made["learning_rate"], seed=seed)
    assert mj.train(settings).test_score == made["test_accuracy"][0]
