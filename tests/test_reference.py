"""The committed results of the built-in studies can be had again, bit for bit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mlpjit.study.study import Study
from mlpjit.training.run import execute

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
STUDIES = ["quick", "pathologies"]
METRICS = [
    "final_train_loss", "final_validation_loss", "final_validation_score", "best_validation_loss", "best_epoch",
    "test_loss", "test_score", "best_test_loss", "best_test_score", "parameters", "diverged_step", "last_finite_loss",
]  # fmt: skip
SAMPLE = 12


def stored(name: str) -> list[dict[str, str]]:
    """The rows of the tuning stage, which stand in the order of the plan."""
    with (REFERENCE / name / "runs.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["stage"] == "tune"]


def text(value: object) -> str:
    return "" if value is None else repr(value)


@pytest.mark.parametrize("name", STUDIES)
def test_reference_runs_are_the_plan(name):
    configs = Study.load(name).configs()
    rows = stored(name)
    assert [row["run_id"] for row in rows] == [config.run_id for config in configs], "made by older code: run it again"


@pytest.mark.parametrize("name", STUDIES)
def test_a_sample_of_runs_has_the_same_bits(name):
    configs, rows = Study.load(name).configs(), stored(name)
    step = len(rows) // SAMPLE
    for config, row in list(zip(configs, rows, strict=True))[step // 2 :: step]:
        result = execute(config)
        assert result.status == row["state"]
        assert {m: text(result.metrics[m]) for m in METRICS} == {m: row[m] for m in METRICS}, config.factors()
