"""Racing in a study: fewer runs, the same choice, and the same decisions however the runs were made."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.study import racing


def table(settings: int = 8, seeds: int = 10) -> tuple[list[str], dict[str, list], dict[str, list], dict]:
    """Runs of settings 0, 1, 2, ... that are worse and worse, with all of them stored."""
    rng = np.random.default_rng(0)
    cells = [(setting, seed) for setting in range(settings) for seed in range(seeds)]
    ids = [f"{setting} {seed}" for setting, seed in cells]
    known = {name: ("done", None, setting + 0.1 * rng.random()) for name, (setting, _) in zip(ids, cells, strict=True)}
    columns = {"learning_rate": [float(setting) for setting, _ in cells]}
    return ids, columns, {key: [seed for _, seed in cells] for key in racing.SEED_FIELDS}, known


def races(settings, seeds, labels, ids, known):
    return [grid.raced(ids, known) for grid in racing.grouped(settings, seeds, labels)]


def test_what_is_needed_follows_from_what_is_stored():
    ids, settings, seeds, known = table()
    (first,) = races(settings, seeds, [("adam",)] * len(ids), ids, {})
    assert first.needed == [setting * 10 + seed for seed in range(3) for setting in range(8)]
    stored = {ids[index]: known[ids[index]] for index in first.needed}
    (second,) = races(settings, seeds, [("adam",)] * len(ids), ids, stored)
    assert 0 < len(second.needed) < 8
    assert all(ids[index].endswith(" 3") for index in second.needed)
    (whole,) = races(settings, seeds, [("adam",)] * len(ids), ids, known)
    assert whole.state.has_ended
    assert (whole.state.dropped >= second.state.dropped).all()


def test_the_regret_is_of_the_best_audited():
    ids, settings, seeds, known = table()
    (whole,) = races(settings, seeds, [("adam",)] * len(ids), ids, known)
    assert whole.regret == 0.0
    audited = int(np.flatnonzero(whole.state.is_audited)[0])
    late = {f"{audited} {seed}": ("done", None, -5.0) for seed in range(4, 10)}
    (other,) = races(settings, seeds, [("adam",)] * len(ids), ids, known | late)
    assert (other.state.dropped == whole.state.dropped).all()
    assert other.regret == pytest.approx(np.median(whole.losses[0]) + 5)


def test_each_competitor_has_a_race_of_its_own():
    ids, settings, seeds, known = table()
    labels = [("adam",)] * 40 + [("sgd",)] * 40
    found = races(settings, seeds, labels, ids, known)
    assert [(one.label, one.runs.shape) for one in found] == [(("adam",), (4, 10)), (("sgd",), (4, 10))]


def test_settings_with_other_seeds_do_not_race():
    ids, settings, seeds, known = table()
    assert races(settings, {**seeds, "seed": [*seeds["seed"][:-1], 99]}, [()] * len(ids), ids, known) == []


def test_runs_that_were_not_made_are_saved():
    ids, settings, seeds, known = table()
    (whole,) = races(settings, seeds, [("adam",)] * len(ids), ids, known)
    made = {index: 100.0 for index in range(len(ids)) if index not in whole.out or index % 10 < 3}
    took, grid = racing.saved(whole, made)
    assert (took, grid) == (100.0 * len(made), 8000.0)


def test_the_audit_is_drawn_by_the_values_alone():
    assert racing._draw({"learning_rate": 0.1}) == racing._draw({"learning_rate": 0.1})
    draws = [racing._draw({"learning_rate": float(rate)}) for rate in range(1000)]
    assert 0 < min(draws) < max(draws) < 1
    assert np.mean(draws) == pytest.approx(0.5, abs=0.05)
