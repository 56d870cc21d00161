"""Runs on processes of a cluster made here: the same bits as on threads."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake, fake_result, results

from mlpjit.cluster.running import _compare, sweep_on
from mlpjit.errors import MlpjitError
from mlpjit.store import Store
from mlpjit.study.chunks import Task
from mlpjit.study.moments import now
from mlpjit.study.pool import Ended
from mlpjit.study.progress import Snapshot
from mlpjit.study.study import Study
from mlpjit.study.sweep import sweep

TABLE: dict[str, Any] = {
    "name": "small", "dataset": "wine", "width": 8, "epochs": 3,
    "sweep": {"optimizer": ["sgd", "adam"], "depth": [1, 2], "learning_rate": [0.01, 0.1], "seed": [0, 1, 2]},
    "final": {"per": "optimizer", "seeds": [100, 101]},
}  # fmt: skip
OF_A_CALL = ("session", "started_at", "finished_at", "compile_seconds", "train_seconds", "evaluate_seconds")


def rows(directory: Path) -> dict[str, dict[str, Any]]:
    """Everything that a store holds of its runs but when they were made."""
    with closing(sqlite3.connect(directory / "store.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM runs JOIN curves USING (run_id)").fetchall()
    kept = [{name: value for name, value in dict(row).items() if name not in OF_A_CALL} for row in found]
    return {row["run_id"]: row for row in kept}


class KillsOne:
    """Kills a worker process once the first runs have arrived."""

    killed = 0

    def __call__(self, shown: Snapshot) -> None:
        if shown.done and not self.killed:
            worker = next(child for child in active_children() if child.name.startswith("Dask Worker"))
            assert worker.pid
            os.kill(worker.pid, signal.SIGKILL)
            self.killed += 1


def test_runs_on_a_cluster_that_loses_a_worker_have_the_bits_of_those_on_threads(tmp_path):
    study, kills = Study.from_table(TABLE), KillsOne()
    there = sweep_on("local:2", study, tmp_path / "cluster", kills)
    sweep(study, tmp_path / "threads", 1)
    assert kills.killed == 1
    assert there.ran == there.total == len(study.runs) + 4
    assert there.states == {"done": there.total}
    assert rows(tmp_path / "cluster") == rows(tmp_path / "threads")
    with Store.open(tmp_path / "cluster", readonly=True) as store:
        here, there_made = store.sessions()
    assert here["host_cpu"] == there_made["host_cpu"]
    assert there_made["host_threads"] == 1  # the session of the machine that the workers are on


def made_twice(study: Study, loss: float) -> list[Ended]:
    """What a second worker sends of the first run, with another loss."""
    config = study.runs.config(0)
    second = fake_result(config)
    second.metrics["final_validation_loss"] += loss
    return [Ended([Task(0, config, 1.0, 0)], [now()], [now()], results([second]))]


def test_bits_of_runs_that_two_workers_made_are_compared_with_the_store(tmp_path):
    study, told = Study.from_table(TABLE), list[str]()
    sweep(study, tmp_path, 1, runner=Fake().runner())
    _compare(tmp_path, made_twice(study, 0.0), told.append)
    assert told == ["runs made by two workers, with the same bits: 1"]
    run_id = study.runs.run_ids[0]
    with pytest.raises(MlpjitError, match=rf"1 of 1 runs .* other bits .*: {run_id} \(final_validation_loss\)"):
        _compare(tmp_path, made_twice(study, 1e-9), told.append)
