"""Compile times as a user meets them: fresh processes, from an empty compile cache and from a full one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from mlpjit.errors import MlpjitError
from mlpjit.measure.clock import Spread, spread

FIRST_STEP = """
import json, time
start = time.perf_counter()
import mlpjit as mj
config = mj.RunConfig(dataset="digits", hidden=[64] * 4, activation="gelu", optimizer="adam", epochs=1)
from mlpjit.training.run import Run
from mlpjit.training.warm import prepare
imported = time.perf_counter()
prepare([config])
prepared = time.perf_counter()
Run(config).advance(1)
stepped = time.perf_counter()
from mlpjit.kernels.compiler import jit
compiled, loaded = jit.counted()
print(json.dumps({"import": imported - start, "kernels": prepared - imported, "step": stepped - prepared,
                  "loaded": loaded, "compiled": compiled}))
"""


@dataclass(frozen=True)
class Start:
    """Seconds until one training step is done: the whole process, and its parts; kernels compiled and loaded."""

    cache: str
    process: Spread
    imports: Spread
    kernels: Spread
    step: Spread
    compiled: int
    loaded: int


def measure(rounds: int) -> list[Start]:
    """Start one process from an empty cache, then `rounds` from what it left."""
    with tempfile.TemporaryDirectory(prefix="mlpjit-bench-") as folder:
        cold = [_process(folder)]
        warm = [_process(folder) for _ in range(rounds)]
    return [_start("empty", cold), _start("full", warm)]


def _process(cache: str) -> dict[str, Any]:
    begun = time.perf_counter()
    environment = {**os.environ, "MLPJIT_CACHE_DIR": cache}
    done = subprocess.run([sys.executable, "-c", FIRST_STEP], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise MlpjitError(f"the process to be timed failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "process": time.perf_counter() - begun}


def _start(cache: str, found: list[dict[str, Any]]) -> Start:
    process, imports, kernels, step = (
        spread([each[name] for each in found]) for name in ("process", "import", "kernels", "step")
    )
    return Start(cache, process, imports, kernels, step, found[-1]["compiled"], found[-1]["loaded"])
