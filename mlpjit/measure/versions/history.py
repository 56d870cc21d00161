"""What comparisons found, one JSON line each, the latest last: under results/bench/, beside what else was measured."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from mlpjit.host import available_threads, commit, host
from mlpjit.measure.versions.compare import Comparison

NAME = "comparisons.jsonl"


def keep(found: Comparison, dtype: str, only: str, folder: Path) -> Path:
    """Append a comparison with its time, machine and commit; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    row = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit(), "dtype": dtype, "only": only}
    path = folder / NAME
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, **asdict(found), "host": host(available_threads())}, default=str) + "\n")
    return path
