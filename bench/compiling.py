"""Seconds until a kernel can be called: compiled on its first call, loaded from the cache on later ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

# Kept to what every commit has had from the start.
LOAD = """
import json
from mlpjit.training import linking as compiled
from mlpjit.kernels.compiler import jit; from mlpjit.kernels.arithmetic import matmul
from mlpjit.kernels.run.training import train
made = {
    "train": jit.load(train, "float32"), "forward_product": jit.load(matmul.forward_product, "float32"),
    "activation relu": compiled.activation("relu", "float32"),
    "activation gelu": compiled.activation("gelu", "float32"),
    "optimizer sgd": compiled.optimizer("sgd", "float32"), "optimizer adam": compiled.optimizer("adam", "float32"),
    "loss cross_entropy": compiled.loss("cross_entropy", "float32"),
}
print(json.dumps({name: [each.seconds, each.from_cache] for name, each in made.items()}))
"""

COMMAND = [sys.executable, "-m", "mlpjit.cli"]


class Compiling:
    """`train` holds what it calls: the products, the passes, evaluation."""

    timeout = 300
    params = (
        [
            "train", "forward_product", "activation relu", "activation gelu", "optimizer sgd", "optimizer adam",
            "loss cross_entropy",
        ],
    )  # fmt: skip
    param_names = ("kernel",)
    unit = "seconds"

    def setup_cache(self) -> dict[str, list[dict[str, float]]]:
        """Load everything in fresh processes, once from an empty cache, three times from what that left."""
        with tempfile.TemporaryDirectory(prefix="mlpjit-bench-") as folder:
            runs = [self._process(folder) for _ in range(4)]
        if any(cached for _, cached in runs[0].values()) or not all(cached for _, cached in runs[-1].values()):
            raise RuntimeError("the compile cache does not do what it should")
        seconds = [{name: taken for name, (taken, _) in run.items()} for run in runs]
        return {"first": seconds[:1], "cached": seconds[1:]}

    def _process(self, folder: str) -> dict[str, tuple[float, bool]]:
        environment = {**os.environ, "MLPJIT_CACHE_DIR": folder}
        done = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True)
        found: dict[str, tuple[float, bool]] = json.loads(done.stdout)
        return found

    def track_first_call(self, found: dict[str, list[dict[str, float]]], kernel: str) -> float:
        return found["first"][0][kernel]

    def track_cached_call(self, found: dict[str, list[dict[str, float]]], kernel: str) -> float:
        return min(run[kernel] for run in found["cached"])


class Study:
    """All that the runs of a study call, by `mlpjit warm` in fresh processes: compiled on all cores, then loaded."""

    timeout = 600
    unit = "seconds"

    def setup_cache(self) -> dict[str, float]:
        """Prepare the kernels of `quick` once from an empty cache, then three times from what that left."""
        with tempfile.TemporaryDirectory(prefix="mlpjit-bench-") as folder:
            first, *cached = [self._process(folder) for _ in range(4)]
        if not first["compiled"] or any(each["compiled"] for each in cached):
            raise RuntimeError("the compile cache does not do what it should")
        return {"first": first["seconds"], "cached": min(each["seconds"] for each in cached)}

    def _process(self, folder: str) -> dict[str, float]:
        environment, command = {**os.environ, "MLPJIT_CACHE_DIR": folder}, [*COMMAND, "warm", "quick", "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    def track_compiling(self, found: dict[str, float]) -> float:
        return found["first"]

    def track_loading(self, found: dict[str, float]) -> float:
        return found["cached"]
