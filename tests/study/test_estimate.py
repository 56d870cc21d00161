"""What `mlpjit plan` promises is within twice of what `mlpjit run` then takes of a core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.study import estimate as module
from mlpjit.study import pace
from mlpjit.study.estimate import Estimate, estimate
from mlpjit.study.progress import Tracker
from mlpjit.study.study import Study
from mlpjit.training.cost import estimated_cost
from mlpjit.training.warm import prepare

TINY: dict[str, Any] = {"dataset": "two_moons", "depth": 2, "width": 8, "epochs": 2}
RATES = [float(rate) for rate in np.logspace(-4, -0.5, 40)]
STUDIES: dict[str, dict[str, Any]] = {
    "a few tiny runs": {**TINY, "sweep": {"learning_rate": RATES}},
    "many tiny runs": {**TINY, "sweep": {"learning_rate": RATES, "seed": list(range(100))}},
    "small runs of many shapes": {
        "dataset": "wine", "epochs": 20,
        "sweep": {"optimizer": ["sgd", "adam"], "activation": ["tanh", "relu"], "depth": [1, 2, 4],
                  "width": [4, 16, 32], "learning_rate": RATES[::8], "seed": [0, 1]},
    },
    "like quick": {
        "width": 64, "epochs": 10, "timing": {"repeats": 2, "width": [32]},
        "sweep": {"optimizer": ["sgd", "adam"], "activation": ["tanh", "relu"], "depth": [1, 4],
                  "learning_rate": RATES[::5], "seed": [0, 1, 2]},
    },
}  # fmt: skip


def planned(table: dict[str, Any], out: Path, threads: int = 1) -> Estimate:
    return estimate(Study.from_table(table), out, threads)


def core_seconds(*arguments: str) -> float:
    """The seconds of a core that a process takes: what other work cannot lengthen much."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "mlpjit.cli", *arguments], check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def toml(table: dict[str, Any]) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items() if not isinstance(value, dict)]
    for name, inner in ((name, value) for name, value in table.items() if isinstance(value, dict)):
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in inner.items())]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_takes_what_its_plan_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(toml(STUDIES[name]))
    prepare(Study.load(tmp_path / "study.toml").configs()[::40])
    promised = estimate(Study.load(tmp_path / "study.toml"), tmp_path / "out", threads=1)
    taken = core_seconds("run", str(tmp_path / "study.toml"), "--threads", "1", "--out", str(tmp_path / "out"))
    assert promised.seconds / 2 < taken < promised.seconds * 2, (promised, taken)
    assert not promised.measured


@pytest.mark.parametrize("name", ["many tiny runs", "like quick"])
def test_its_runs_take_what_is_said_of_them(name: str, tmp_path: Path) -> None:
    study = Study.from_table({**STUDIES[name], "timing": {"repeats": 1, "width": []}} | {"name": "runs"})
    prepare(study.configs()[::40])
    promised = estimate(study, tmp_path, threads=1).parts["runs"]
    before = os.times()
    study.run(out=tmp_path, threads=1)
    after = os.times()
    taken = after.user + after.system - before.user - before.system
    assert promised / 2 < taken < promised * 2, (promised, taken)


def test_stored_runs_tell_how_fast_the_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "kernel_slowness", lambda: 1.0)
    table = {**TINY, "width": 40, "sweep": {"learning_rate": RATES, "seed": list(range(30))}}
    some = Study.from_table({**table, "sweep": {"learning_rate": RATES[:10]}})
    some.run(out=tmp_path, threads=1)
    with module.Store.open(tmp_path) as store:
        slowness = sum(seconds for _, seconds in store.speeds()) / some.runs.numbers(estimated_cost).sum()
    found = planned(table, tmp_path)
    assert (found.measured, found.cached) == (True, 10)
    fresh = planned(table, tmp_path / "none").parts["runs"] - module.GROUP_SECONDS * pace.python_slowness()
    held = module.HELD_SECONDS * pace.python_slowness()
    assert found.parts["runs"] - module.GROUP_SECONDS * pace.python_slowness() == pytest.approx(
        (fresh / 1200 - held) * 1190 * slowness + 1190 * held
    )


def test_threads_share_the_work_but_the_longest_run_and_the_gil(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_threads", lambda: 64)
    many = STUDIES["like quick"]
    assert planned(many, tmp_path, 2).parts["runs"] == pytest.approx(planned(many, tmp_path, 1).parts["runs"] / 2)
    long = {**many, "epochs": 100, "sweep": {**many["sweep"], "learning_rate": [0.1], "seed": [0]}}
    costs = Study.from_table(long).runs.numbers(estimated_cost) * pace.kernel_slowness()
    assert planned(long, tmp_path, 64).parts["runs"] == pytest.approx(costs.max())
    tiny = planned(STUDIES["many tiny runs"], tmp_path, 64)
    held = (4000 * module.HELD_SECONDS + module.GROUP_SECONDS) * pace.python_slowness()
    assert tiny.parts["runs"] == pytest.approx(held)


def test_more_threads_than_cores_are_no_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_threads", lambda: 2)
    assert planned(STUDIES["like quick"], tmp_path, 8).seconds == planned(STUDIES["like quick"], tmp_path, 2).seconds


def test_an_empty_cache_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPJIT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "available_threads", lambda: 1)
    cold = planned(TINY, tmp_path).parts["kernels"]
    (tmp_path / "cache" / "0" / "train-float32").mkdir(parents=True)
    assert cold > 10 * planned(TINY, tmp_path).parts["kernels"] > 0


def test_a_study_that_is_stored_takes_its_report(tmp_path: Path) -> None:
    study = Study.from_table(TINY)
    study.run(out=tmp_path, threads=1)
    parts = estimate(study, tmp_path, 1).parts
    assert {name for name, seconds in parts.items() if seconds} == {"start", "report"}


def test_the_time_left_is_that_of_the_plan_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs that take what was estimated, the time left is right at any moment, however much longer some are."""
    runs = Study.from_table(STUDIES["like quick"]).runs
    costs = sorted(runs.numbers(estimated_cost), reverse=True)
    tracker = Tracker("tune", len(costs), 0, sum(costs), started=0.0)
    assert costs[0] > 3 * costs[-1]
    for place, cost in enumerate(costs[:-1]):
        tracker.add("done", cost, None, "")
        monkeypatch.setattr("time.monotonic", lambda place=place: 3.0 * sum(costs[: place + 1]))
        shown = tracker.snapshot()
        assert shown.eta_seconds == pytest.approx(3.0 * sum(costs[place + 1 :]))
        assert shown.rate == pytest.approx((place + 1) / shown.elapsed_seconds)
