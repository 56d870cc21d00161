"""Racing in a study: fewer runs, the same choice, and the same decisions however the runs were made."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Fake, FakeResult, drawn_for, fake_result

from mlpjit.cli.run import race_lines
from mlpjit.comparison.stored import compare_stored
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.report.figures.results import Results
from mlpjit.store import Store
from mlpjit.study import racing
from mlpjit.study.estimate import estimate
from mlpjit.study.plan import work
from mlpjit.study.signals import Interrupted
from mlpjit.study.study import Study
from mlpjit.study.sweep import sweep
from mlpjit.training.result import Control


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


TABLE: dict[str, Any] = {
    "name": "raced", "width": 8, "epochs": 1, "depth": 1,
    "tuning": {"race": True},
    "sweep": {
        "optimizer": ["sgd", {"name": "adam", "b1": [0.8, 0.9]}],
        "learning_rate": [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0],
        "seed": list(range(10)),
    },
    "final": {"per": "optimizer", "seeds": [100, 101]},
}  # fmt: skip


@dataclass
class Losses(Fake):
    """Losses that are lowest at rate 0.1, with luck of the seed for all and of the run."""

    interrupt_after: int = 10**9
    turn: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def execute(self, config: RunConfig, control: Control) -> FakeResult:
        self.made.append(config)
        if next(self.turn) == self.interrupt_after:
            return self.interrupt(config, control)
        result = fake_result(config)
        luck = np.random.default_rng([config.seed, 1]).standard_normal()
        own = drawn_for(config).standard_normal()
        loss = abs(np.log10(config.learning_rate) + 1) + 0.5 * luck + 0.05 * own
        result.metrics["final_validation_loss"] = float(loss)
        result.status = "done"
        return result


def rows(directory: Path) -> list[tuple[Any, ...]]:
    with Store.open(directory, readonly=True) as store:
        return list(store.rows(("stage", "optimizer", "learning_rate", "seed", "final_validation_loss")))


def test_a_study_races_to_the_same_choice_with_fewer_runs(tmp_path):
    study, whole = Study.from_table(TABLE), Study.from_table(TABLE | {"tuning": {}})
    losses, all_of_them = Losses(), Losses()
    sweep(study, tmp_path / "raced", 2, runner=losses.runner())
    sweep(whole, tmp_path / "whole", 2, runner=all_of_them.runner())
    assert len(losses.made) < 0.6 * len(all_of_them.made)
    finals = [{row[1:4] for row in rows(tmp_path / name) if row[0] == "final"} for name in ("raced", "whole")]
    assert finals[0] == finals[1]
    assert len(finals[0]) == 4


def test_what_was_dropped_has_a_stage_of_its_own(tmp_path):
    sweep(Study.from_table(TABLE), tmp_path, 2, runner=Losses().runner())
    counts = {stage: Counter(row[1:3] for row in rows(tmp_path) if row[0] == stage) for stage in ("tune", "dropped")}
    assert set(counts["tune"].values()) == {10}
    assert set(counts["dropped"].values()) <= set(range(3, 10))
    assert len(counts["tune"]) + len(counts["dropped"]) == 21
    with Store.open(tmp_path, readonly=True) as store:
        assert len(store.known()) == sum(counts["tune"].values()) + sum(counts["dropped"].values()) + 4


def test_the_answer_is_of_what_was_not_dropped_and_its_grid_of_all(tmp_path):
    sweep(Study.from_table(TABLE), tmp_path, 2, runner=Losses().runner())
    with Store.open(tmp_path, readonly=True) as store:
        results = Results.read(store)
        found = results.ranges["sgd"]
        assert (found.best, found.edge, len(found.rates)) == (0.1, None, 7)
    compared = compare_stored(tmp_path)
    assert {(one.competitor, one.settings) for one in compared.tunings} == {("sgd", 7), ("adam", 14)}
    assert not any("learning_rate" in edge for one in compared.tunings for edge in one.edges)


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_decide_nothing(tmp_path, threads):
    for name, count in (("one", threads), ("two", 2)):
        sweep(Study.from_table(TABLE), tmp_path / name, count, runner=Losses().runner())
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


def test_an_interrupted_race_ends_as_any_other(tmp_path):
    for after in (10, 10):
        with pytest.raises(Interrupted):
            sweep(Study.from_table(TABLE), tmp_path / "parts", 2, runner=Losses(interrupt_after=after).runner())
    sweep(Study.from_table(TABLE), tmp_path / "parts", 2, runner=Losses().runner())
    sweep(Study.from_table(TABLE), tmp_path / "whole", 2, runner=Losses().runner())
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    again = Losses()
    sweep(Study.from_table(TABLE), tmp_path / "parts", 2, runner=again.runner())
    assert again.made == []


def test_what_was_saved_is_told_for_each_competitor(tmp_path):
    summary = sweep(Study.from_table(TABLE), tmp_path, 2, runner=Losses().runner())
    assert [(race["competitor"], race["settings"], race["seeds"]) for race in summary.races] == [
        ("sgd", 7, 10), ("adam", 14, 10),
    ]  # fmt: skip
    for race in summary.races:
        assert race["gradients"] < race["grid_gradients"]
        assert 0 < race["audited"] <= race["dropped"] < race["settings"]
        assert race["regret"] == 0.0
    line = race_lines(summary.races)[0]
    assert line.startswith("sgd on digits: ")
    assert "of 7 settings dropped, " in line
    assert line.endswith(" audited, regret 0")
    assert sweep(Study.from_table(TABLE), tmp_path, 2, runner=Losses().runner()).races == summary.races


def test_each_repetition_of_the_tuning_races(tmp_path):
    study = Study.from_table(TABLE | {"tuning": {"race": True, "repeats": 2}})
    summary = sweep(study, tmp_path, 2, runner=Losses().runner())
    assert [(race["competitor"], race["settings"]) for race in summary.races] == [("sgd", 14), ("adam", 28)]
    assert sum(row[0] == "final" for row in rows(tmp_path)) == 4


@pytest.mark.parametrize("value", [1, "yes", [True]])
def test_race_is_true_or_false(value):
    with pytest.raises(ConfigError, match=r"\[tuning\], race: got .*, need true or false"):
        Study.from_table(TABLE | {"tuning": {"race": value}})


def test_a_race_needs_no_final_stage():
    table = {name: value for name, value in TABLE.items() if name != "final"}
    assert len(Study.from_table(table).grids) == 2


def test_a_plan_has_upper_bounds(tmp_path):
    study = Study.from_table(TABLE)
    before = estimate(study, tmp_path, 2)
    assert (before.races, before.tuning_runs, before.new) == (True, 210, 214)
    sweep(study, tmp_path, 2, runner=Losses().runner())
    after = estimate(study, tmp_path, 2)
    assert after.new == 0
    assert after.tuning_runs < 210


def test_what_was_dropped_is_not_chosen_though_more_of_it_is_stored():
    """As of a study that ran without a race before: decisions follow from the first seeds, whatever came later."""
    study = Study.from_table(TABLE)
    losses = {run_id: abs(np.log10(rate) + 1) + 0.001 * at for at, (run_id, rate) in
              enumerate(zip(study.runs.run_ids, study.runs.column("learning_rate"), strict=True))}  # fmt: skip
    known = {run_id: ("done", None, float(loss)) for run_id, loss in losses.items()}
    (raced, *_) = study.races(known)
    out = [index for index in raced.out if study.runs.column("seed")[index] >= 3]
    lucky = known | {study.runs.run_ids[index]: ("done", None, -5.0) for index in out}
    final = work(study, lucky, set()).final
    assert final is not None
    assert {final.config(index).learning_rate for index in range(len(final))} == {0.1}
