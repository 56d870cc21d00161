"""Start-up as whole processes: help, import, first run from an empty and from a warm compile cache; planning."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN = """
import mlpjit as mj
mj.train(mj.RunConfig(hidden=[16], epochs=1, optimizer="adam", activation="gelu"))
"""


def python(code: str, cache: str) -> None:
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "MLPJIT_CACHE_DIR": cache}, check=True)


class Start:
    timeout = 300
    number = 1
    rounds = 1
    repeat = 3
    warmup_time = 0

    def setup_cache(self) -> str:
        """Fill one compile cache for all of these; asv runs this once, in a folder that it removes."""
        warm = str(Path.cwd() / "warm")
        python(TRAIN, warm)
        return warm

    def time_help(self, warm: str) -> None:
        subprocess.run([sys.executable, "-m", "mlpjit.cli", "--help"], check=True, stdout=subprocess.DEVNULL)

    def time_import(self, warm: str) -> None:
        python("import mlpjit.training.run", warm)

    def time_first_run_from_warm_cache(self, warm: str) -> None:
        python(TRAIN, warm)

    def time_first_run_from_empty_cache(self, warm: str) -> None:
        with tempfile.TemporaryDirectory(prefix="mlpjit-bench-") as empty:
            python(TRAIN, empty)

    def time_plan_quick(self, warm: str) -> None:
        python("from mlpjit.study.study import Study; Study.load('quick').configs()", warm)

    def track_peak_bytes_of_a_run(self, warm: str) -> float:
        python(TRAIN, warm)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024.0
