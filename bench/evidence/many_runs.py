"""10,000 runs in one process: how much memory it holds after each thousand.

    python bench/evidence/many_runs.py [THOUSANDS] | tee bench/evidence/many_runs.log

Each thousand is a study of its own with seeds of its own, in one store. Exits with 1 where more than 50 MB lie between
the first thousand and the last.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import machine
from mlpjit.study.study import Study

MOST_GROWTH = 50e6


def study(number: int, runs: int = 1000) -> dict[str, Any]:
    """Return a study that has no run in common with another number's."""
    seeds = list(range(number * runs // 4, (number + 1) * runs // 4))
    swept = {"optimizer": ["sgd", "adam"], "activation": ["relu", "tanh"], "seed": seeds}
    return {"name": "many", "dataset": "two_moons", "hidden": [4], "epochs": 1, "batch_size": "full", "sweep": swept}


def held() -> float:
    """Return the bytes of memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def campaign(folder: Path, studies: int, runs: int = 1000) -> list[float]:
    """Make so many studies; return what is held after each."""
    found = []
    for number in range(studies):
        Study.from_table(study(number, runs)).run(folder)
        found.append(held())
    return found


def main(thousands: int = 10) -> int:
    """Run the campaign."""
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), thousands)
    for number, size in enumerate(found, 1):
        print(f"{1000 * number:6,} runs: {size / 1e6:6.1f} MB")
    grown = found[-1] - found[0]
    print(f"grown by {grown / 1e6:.1f} MB since the first thousand; {machine()}")
    return int(grown > MOST_GROWTH)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
