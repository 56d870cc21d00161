"""The sweeps of small runs are what they say, and the README shows what was measured."""

from __future__ import annotations

import json
import math
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from mlpjit.study.study import Study

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bench.evidence import small_cases, small_table  # noqa: E402  (a folder of scripts: found from the root)


@pytest.mark.parametrize("case", small_cases.CASES.values(), ids=small_cases.CASES)
def test_a_study_has_the_runs_of_its_case(case: small_cases.Case):
    study = Study.from_table(tomllib.loads(case.study()))
    assert len(study.runs) == case.runs
    assert case.name.endswith(f"_{case.runs}")
    columns = [study.runs.column(name) for name in ("optimizer", "activation", "depth")]
    assert len(set(zip(*columns, strict=True))) == len(case.programs)


@pytest.mark.parametrize("case", small_cases.CASES.values(), ids=small_cases.CASES)
def test_processes_share_a_case(case: small_cases.Case):
    shares = [case.share(part, 3) for part in range(3)]
    made = [(program, seed) for programs, seeds in shares for program in programs for seed in seeds]
    assert len(made) == len(set(made)) == len(case.programs) * case.seeds


def test_inputs_are_those_of_the_runs(tmp_path: Path):
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.run import Run

    case = small_cases.mixed(2)
    small_cases.write_inputs(case, tmp_path / "inputs.npz")
    with np.load(tmp_path / "inputs.npz") as held:
        assert small_cases.read_case(held) == case
        run = Run(RunConfig(dataset="two_moons", depth=3, width=8, init="he_normal", seed=1))
        np.testing.assert_array_equal(held["x_train"][1], run.data.x_train)
        np.testing.assert_array_equal(held["w3_2"][1, case.inits.index("he_normal")], run.params[96:160].reshape(8, 8))


def test_losses_are_compared_run_by_run():
    ours = {("a",): 1.0, ("b",): 2.0, ("c",): math.nan}
    found = small_cases.compared(ours, {("a",): 1.0, ("b",): 2.5, ("c",): math.nan})
    assert (found["lost_ours"], found["lost_theirs"], found["share_within_1_percent"]) == (1, 1, 0.5)
    assert found["largest_relative_difference"] == pytest.approx(0.2)
    with pytest.raises(SystemExit, match="not the same runs"):
        small_cases.compared(ours, {("a",): 1.0})


def test_the_readme_shows_what_was_measured():
    made = small_table.table(json.loads(small_table.RESULT.read_text(encoding="utf-8")))
    assert made in (ROOT / "README.md").read_text(encoding="utf-8"), "python bench/evidence/small_table.py"
