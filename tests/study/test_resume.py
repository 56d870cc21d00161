"""Killed with SIGKILL at three moments and started again, a study ends with the tables of an undisturbed one."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
STUDY = """
name = "resume"
dataset = "digits"
width = 64
epochs = 6
[sweep]
optimizer = ["sgd", "adam"]
activation = ["relu", "gelu", "tanh"]
depth = [1, 4]
learning_rate = [0.003, 0.03, 3.0]
seed = [0, 1]
[final]
per = "optimizer"
seeds = [100, 101, 102]
"""
RUNS = 2 * 3 * 2 * 3 * 2 + 2 * 3
COMMAND = [sys.executable, "-m", "mlpjit.cli"]


def start(study: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen([*COMMAND, "run", str(study), "--out", str(out)], stderr=subprocess.DEVNULL, stdout=-3)


def stored(out: Path) -> int:
    try:
        with sqlite3.connect(f"file:{out / 'store.sqlite'}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def kill_when(out: Path, process: subprocess.Popen, runs: int) -> int:
    """Kill the process once it has stored so many runs; return how many survive it."""
    deadline = time.monotonic() + 120
    while stored(out) < runs and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    return stored(out)


def tables(out: Path) -> dict[str, list[tuple[str, ...]]]:
    subprocess.run([*COMMAND, "export", str(out)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for name in ("runs.csv", "curves.csv"):
        with (out / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [c for c in rows[0] if not c.endswith(("_seconds", "_at")) and not c.startswith("host_")]
        found[name] = [tuple(row[c] for c in kept) for row in rows]
    return found


def test_three_kills_leave_no_trace(tmp_path):
    study = tmp_path / "resume.toml"
    study.write_text(STUDY)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert start(study, undisturbed).wait() == 0
    survived = [kill_when(killed, start(study, killed), runs) for runs in (5, RUNS // 2, RUNS - 8)]
    assert 5 <= survived[0] <= survived[1] <= survived[2] < RUNS, "each kill must come in the middle"
    assert start(study, killed).wait() == 0
    assert stored(killed) == stored(undisturbed) == RUNS
    assert tables(killed) == tables(undisturbed)
    assert os.path.getsize(killed / "report.html") > 50_000
    # Complete: nothing runs, and the page stands.
    before = (killed / "report.html").stat().st_mtime_ns
    assert start(study, killed).wait() == 0
    assert (killed / "report.html").stat().st_mtime_ns == before
