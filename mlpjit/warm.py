"""Have every kernel that a set of runs needs: load it from disk, or compile it, on two cores where both are free.

From an empty cache a second process compiles the rules (activations, optimizers, losses) into the cache while this one
compiles the training loop, and this one then loads them. Without that process all of it is compiled here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from mlpjit import compiled, network
from mlpjit.datasets import split
from mlpjit.kernels import cache, jit
from mlpjit.kernels.training import train as train_kernel
from mlpjit.parameters import initial_params

if TYPE_CHECKING:
    from mlpjit.config import RunConfig

# What a run needs: the kind of rule, its name (an initializer's spec as JSON), the dtype.
Need = tuple[str, str, str]
CODE = "import sys, mlpjit.warm; mlpjit.warm.main(sys.argv[1])"
# A second process costs a second of its own: not worth it for a few rules.
WORTH_A_PROCESS = 4

_satisfied: set[Need] = set()


def needs(config: RunConfig) -> list[Need]:
    """Return what one run needs, the training loop first."""
    dtype, canonical = config.dtype, config.canonical()
    *hidden, last = network.layer_activations(config)
    found = [("train", "", dtype), *(("activation", name, dtype) for name in hidden)]
    if last not in compiled.LINEAR_OUTPUTS:
        found.append(("activation", last, dtype))
    found += [("optimizer", config.optimizer["name"], dtype), ("loss", canonical["loss"]["name"], dtype)]
    found += [("schedule", config.schedule["name"], dtype), ("init", json.dumps(dict(config.init)), dtype)]
    return found + ([("clipping", config.clip["name"], dtype)] if config.clip else [])


def satisfy(need: Need) -> None:
    """Compile or load what is needed, unless this process has it."""
    if need in _satisfied:
        return
    kind, name, dtype = need
    if kind == "train":
        jit.load(train_kernel, dtype)
    elif kind == "init":
        initial_params(network.layers_of([2, 2]), json.loads(name), 0, dtype, ["identity"], np.eye(2))
    elif kind == "schedule":
        compiled.schedule(name)
    else:
        getattr(compiled, kind)(name, dtype)
    _satisfied.add(need)


def prepare(configs: Iterable[RunConfig]) -> float:
    """Compile or load every kernel that these configurations need; return the seconds it took."""
    start = time.perf_counter()
    wanted: dict[Need, None] = {}
    for config in configs:
        wanted |= dict.fromkeys(needs(config))
        split(config.dataset, config.split_seed or 0, config.dtype)
    missing = [need for need in wanted if need not in _satisfied]
    beside = _compile_beside(missing)
    for need in sorted(missing, key=lambda need: need[0] != "train"):
        if beside is not None and need[0] != "train":
            beside.wait()
        satisfy(need)
    return time.perf_counter() - start


def _compile_beside(missing: list[Need]) -> subprocess.Popen[bytes] | None:
    """Start a process that compiles the rules, if the training loop is yet to be compiled and the cache is shared."""
    rules = [need for need in missing if need[0] != "train"]
    cold = any(need[0] == "train" and not jit.on_disk(train_kernel, need[2]) for need in missing)
    if not cold or len(rules) < WORTH_A_PROCESS or cache.root() != cache.default_root():
        return None
    command = [sys.executable, "-c", CODE, json.dumps(rules)]
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return None


def main(rules: str) -> None:
    """Satisfy needs given as JSON: the second process. Whatever fails here, the first one does itself."""
    for kind, name, dtype in json.loads(rules):
        satisfy((kind, name, dtype))
