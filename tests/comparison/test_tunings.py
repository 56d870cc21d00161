"""What is told of tuning: settings, edges, the default beside the tuned, overtuning, the best of k."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Fake

from mlpjit.comparison.choosing import Plan
from mlpjit.comparison.compare import compare
from mlpjit.comparison.edges import at_edges
from mlpjit.comparison.tuning import Tuning, overtuning, remarks, unequal
from mlpjit.statistics import signflip
from mlpjit.study.study import Study, StudyResults

STUDY: dict[str, Any] = {
    "final": {"per": "optimizer", "seeds": [100, 101, 102, 103]},
    "tuning": {"repeats": 1, "default": True, "seeds": [0]},
}  # fmt: skip
GAINED, LOST = [0.9, 0.8, 0.85, 0.9], [0.5, 0.6, 0.55, 0.4]


def row(stage: str, seed: int, score: float | None, rate: float = 0.1, **given: Any) -> dict[str, Any]:
    run = {"dataset": "digits", "loss": "cross_entropy", "optimizer": "sgd", "learning_rate": rate, **given}
    seeds = dict.fromkeys(("seed", "split_seed", "init_seed", "order_seed"), seed)
    state = "diverged" if score is None else "done"
    return {"stage": stage, "state": state, "final_validation_loss": rate, "test_score": score, **run, **seeds}


def study_rows(optimizer: str, tuned: list[float | None], default: list[float | None]) -> list[dict[str, Any]]:
    """Three rates whose validation loss is the rate, the lowest one tuned; and its default at rate 1."""
    tries = [row("tune", 0, score, rate, optimizer=optimizer) for rate, score in ((0.1, 0.5), (0.2, 0.9), (0.3, 0.1))]
    found = [row("final", 100 + at, score, optimizer=optimizer) for at, score in enumerate(tuned)]
    return [*tries, *found, *(row("default", 100 + at, s, 1.0, optimizer=optimizer) for at, s in enumerate(default))]


def tunings(*parts: list[dict[str, Any]]) -> dict[str, Tuning]:
    return {each.competitor: each for each in compare([r for part in parts for r in part], STUDY).tunings}


def test_the_default_is_judged_as_any_pair_is() -> None:
    found = tunings(study_rows("sgd", GAINED, LOST), study_rows("adam", LOST, GAINED))
    differences = 100 * (np.array(GAINED) - np.array(LOST))
    test, gain = signflip.SignFlip(differences), found["sgd"].gain
    assert gain
    assert (gain.estimate, gain.p) == (pytest.approx(differences.mean()), test.p())
    assert gain.corrected_p == pytest.approx(2 * test.p())
    assert (found["sgd"].tuned, found["sgd"].default) == (pytest.approx(86.25), pytest.approx(51.25))
    assert (found["sgd"].overtuned, found["adam"].overtuned) == (False, True)
    assert overtuning(list(found.values())) == (1, 2)
    assert "overtuning: 1 of 2 tuned competitors are worse on test data than their untuned default" in remarks(
        list(found.values())
    )


def test_a_tuned_competitor_that_is_lost_is_overtuned() -> None:
    found = tunings(study_rows("sgd", [None, *GAINED[1:]], LOST), study_rows("adam", LOST, GAINED))["sgd"]
    assert (found.overtuned, math.isnan(found.tuned)) == (True, True)


def test_without_a_default_nothing_is_said_of_overtuning() -> None:
    found = tunings(study_rows("sgd", GAINED, []), study_rows("adam", LOST, []))
    assert [each.overtuned for each in found.values()] == [None, None]
    assert not [line for line in remarks(list(found.values())) if "overtuning" in line]


def test_the_best_of_k_is_the_mean_over_all_draws_of_k() -> None:
    """Chosen by validation loss, scored on test data: written out."""
    found = tunings(study_rows("sgd", GAINED, LOST), study_rows("adam", LOST, GAINED))["sgd"]
    loss_and_score = [(0.1, 50.0), (0.2, 90.0), (0.3, 10.0)]
    expected = [
        np.mean([min(some)[1] for some in itertools.combinations(loss_and_score, k)]) for k in range(1, 4)
    ]  # fmt: skip
    assert found.best_of == pytest.approx(expected)


def test_competitors_with_unequal_numbers_of_settings_are_named() -> None:
    more = [row("tune", 0, 0.1, 0.4, optimizer="adam")]
    found = list(tunings(study_rows("sgd", GAINED, LOST), study_rows("adam", LOST, GAINED), more).values())
    assert unequal(found) == {"adam": [4], "sgd": [3]}
    assert remarks(found)[0].endswith("by luck alone: adam 4, sgd 3")
    assert unequal(list(tunings(study_rows("sgd", GAINED, LOST), study_rows("adam", LOST, GAINED)).values())) == {}


def test_the_end_of_a_grid_is_an_edge() -> None:
    rows = [row("tune", 0, 0.5, rate, weight_decay=decay) for rate in (0.1, 0.2, 0.3) for decay in (0.0, 0.1)]
    plan = Plan({})
    edges = [at_edges(plan, each, rows) for each in rows]
    assert edges[0] == {"learning_rate": "low"}  # no decay has nothing below it
    assert edges[1] == {"learning_rate": "low", "weight_decay": "high"}
    assert edges[2] == {}
    assert edges[4] == {"learning_rate": "high"}
    assert at_edges(plan, rows[0], rows[:1]) == {}


SWEEP = [
    {"optimizer": ["sgd", {"name": "adam", "b1": [0.8, 0.9, 0.95]}], "learning_rate": [0.01, 0.1]},
    {"optimizer": {"name": "lion", "b1": {"one_minus_log": [0.5, 0.99]}}, "learning_rate": {"log": [1e-3, 1.0]},
     "draws": 9},
]  # fmt: skip


def test_edges_of_what_is_tuned_in_a_spec_are_those_of_its_list_or_range() -> None:
    study = Study.from_table({"width": 4, "sweep": SWEEP, "final": {"seeds": [9]}})
    plan = Plan(study.canonical())
    rows = [config.factors() for config in study.configs()]
    adam = [each for each in rows if plan.competitor(each, "optimizer") == "adam"]
    found = {each["optimizer"]: at_edges(plan, each, adam).get("optimizer.b1") for each in adam}
    assert found == {"adam(b1=0.8)": "low", "adam": None, "adam(b1=0.95)": "high"}
    lion = [each for each in rows if plan.competitor(each, "optimizer") == "lion"]
    for each in lion:
        assert (at_edges(plan, each, lion).get("learning_rate") == "low") == (each["learning_rate"] < 10**-2.7)
    assert {"low", "high"} <= {at_edges(plan, each, lion).get("learning_rate") for each in lion}


def test_the_frame_has_a_row_a_problem_and_competitor(tmp_path: Path) -> None:
    table = {"width": 4, "epochs": 1, "dataset": "iris", "tuning": {"default": True, "repeats": 2}}
    sweep = {"optimizer": ["sgd", "adam"], "learning_rate": [0.1, 1.0], "seed": [0, 1]}
    study = Study.from_table({**table, "sweep": sweep, "final": {"seeds": [7, 8, 9, 10]}})
    study.run(tmp_path, 1, runner=Fake().runner())
    found = StudyResults(tmp_path).tuning()
    assert found["competitor"].tolist() == ["adam", "sgd"]
    assert found["settings"].tolist() == [2, 2]
    assert [len(each) for each in found["chosen"]] == [2, 2]
    assert (found["tuned"].tolist(), found["default"].tolist()) == ([90.0, 90.0], [90.0, 90.0])
