"""Runs on processes of a cluster made here: the same bits as on threads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from mlpjit.cluster.running import sweep_on
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


def test_runs_on_a_cluster_have_the_bits_of_those_on_threads(tmp_path):
    study = Study.from_table(TABLE)
    there = sweep_on("local:2", study, tmp_path / "cluster")
    sweep(study, tmp_path / "threads", 1)
    assert there.ran == there.total == len(study.runs) + 4
    assert there.states == {"done": there.total}
    assert rows(tmp_path / "cluster") == rows(tmp_path / "threads")
