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
    found = kills.campaign(tmp_path, 2, seed=0, runs=140)
    assert (found["kills"], found["which"]) == (2, [])


def test_what_is_reported_is_counted_over_the_stages() -> None:
    told = "tuning: 0 of 60\ntuning: 60 of 60, 8/s, ETA 1 s\nfinal runs: 1,000 of 2,000, 4/s\n"
    assert kills.reported(told) == 1060
    assert kills.moment(told) == "final runs"


def test_memory_does_not_grow_with_runs(tmp_path: Path) -> None:
    """Splits of 300 seeds would be 8 MB."""
    found = many_runs.campaign(tmp_path, 4, runs=600)
    assert found[-1] - found[1] < 5e6, found
