"""The campaigns of faults that runs meet, in short: `bench/evidence/kills.py` and `many_runs.py`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence import kills, many_runs


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_study_loses_nothing_and_makes_nothing_twice(tmp_path: Path) -> None:
    found = kills.campaign(tmp_path, "threads", 2, seed=0, runs=140)
    assert (found["kills"], found["which"]) == (2, [])


def test_what_is_reported_is_counted_over_the_stages() -> None:
    told = "tuning: 0 of 60\ntuning: 60 of 60, 8/s, ETA 1 s\nfinal runs: 1,000 of 2,000, 4/s\n"
    assert kills.reported(told) == 1060
    assert kills.reported(told + "final runs: 3 of 1,999 (1,001 stored before)\n") == 60 + 3 + 1001
    assert kills.moment(told) == "final runs"


@pytest.mark.parametrize(
    ("last", "phase"),
    [
        ("two_moons: 1,000 rows, 2 inputs, 2 classes", "start"),
        ("tuning: 0 of 400, compiling 1 of 1: on workers, 2 so far", "preparing"),
        ("tuning: 0 of 400", "tuning"),
        ("tuning: 400 of 400, 77/s", "tuning"),
        ("final runs: 0 of 100, preparing kernels", "final runs"),
        ("final runs: 10 of 100, 8/s", "final runs"),
        ("final runs: 100 of 100, 77/s", "behind the runs"),
        ("1,500 runs (52 diverged, 448 done), nothing left to run", "behind the runs"),
    ],
)
def test_the_phase_of_a_command_is_known_by_what_it_told(last: str, phase: str) -> None:
    """A process that outlives it may have the last word."""
    assert kills.moment("") == "start"
    assert kills.moment(f"iris: 150 rows\n{last}\nUserWarning: leaked\n") == phase


def test_memory_does_not_grow_with_runs(tmp_path: Path) -> None:
    """Splits of 300 seeds would be 8 MB."""
    found = many_runs.campaign(tmp_path, 4, runs=600)
    assert found[-1] - found[1] < 5e6, found
