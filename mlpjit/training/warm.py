"""Have every kernel that a set of runs needs: load it from disk, or compile it, on two cores where both are free.

From an empty cache a second process compiles too: it begins with the rules (activations, optimizers, losses), this one
with the training loop, and each loads what the other has published already. Without that process all of it is
compiled here.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from mlpjit.catalogue.datasets import split
from mlpjit.catalogue.registries import clippings, optimizers, wrappers
from mlpjit.catalogue.specs import asks_curvature, samples_labels
from mlpjit.errors import ConfigError
from mlpjit.kernels.compiler import cache, jit
from mlpjit.kernels.run.chunk import make_runs
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.kernels.stages.declare import is_own
from mlpjit.registry import forgetting
from mlpjit.training import linking, shape
from mlpjit.training.first_parameters import initial_params

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.values import RunValues

# What a run needs: the kind of rule, its name (an initializer's spec as JSON), the dtype.
Need = tuple[str, str, str]
Tell = Callable[[int, int], None]
CODE = "import sys, mlpjit.training.warm; mlpjit.training.warm.main(sys.argv[1])"
# A second process costs a second of its own: not worth it for a few rules.
WORTH_A_PROCESS = 4

_satisfied: set[Need] = set()
# Shared values (`values.shared`) of runs that have all they need.
_prepared: set[RunValues] = set()
MOST_PREPARED = 4096
forgetting.extend((_satisfied.clear, _prepared.clear))


def needs(config: RunConfig) -> list[Need]:
    """Return what one run needs, the training loop first."""
    dtype, canonical = config.dtype, config.canonical()
    *hidden, last = shape.layer_activations(config)
    found: list[Need] = [("train", "", dtype), *(("activation", name, dtype) for name in hidden)]
    if last not in linking.LINEAR_OUTPUTS:
        found.append(("activation", last, dtype))
    found += [("optimizer", config.optimizer["name"], dtype), ("loss", canonical["loss"]["name"], dtype)]
    found += [("schedule", config.schedule["name"], dtype)]
    found += [("schedule", config.weight_decay_schedule["name"], dtype)] if config.weight_decay else []
    found += [("schedule", config.momentum_schedule["name"], dtype)] if "momentum_schedule" in canonical else []
    found += [("init", json.dumps(dict(config.init)), dtype), ("normalization", config.normalization, dtype)]
    found += [("clipping", config.clip["name"], dtype)] if config.clip else []
    found += _asked(config, canonical["loss"]["name"])
    return found + ([("wrapper", config.wrapper["name"], dtype)] if config.wrapper else [])


def _asked(config: RunConfig, loss: str) -> list[Need]:
    """Return what the optimizer asks of a run beyond gradients."""
    dtype, stage = config.dtype, (optimizers[config.optimizer["name"]], config.optimizer)
    found: list[Need] = [("loss_sample", loss, dtype)] if samples_labels(*stage) else []
    if not asks_curvature(*stage):
        return found
    names = [name for name in shape.layer_activations(config) if name != "softmax"]
    return [*found, ("curvature", "", dtype), ("loss_tangent", loss, dtype), *(("slopes", n, dtype) for n in names)]


def satisfy(need: Need) -> None:
    """Compile or load what is needed, unless this process has it."""
    if need in _satisfied:
        return
    kind, name, dtype = need
    if kind == "train":
        jit.load(train_kernel, dtype)
        jit.load(make_runs, dtype)
    elif kind == "init":
        initial_params(shape.layers_of([2, 2]), json.loads(name), 0, dtype, ["identity"], np.eye(2))
    elif kind == "schedule":
        linking.schedule(name)
    elif kind == "curvature":
        linking.curvature(dtype)
    elif kind == "slopes":
        linking.activation(name, dtype, "evaluation")
    elif kind == "activation":
        linking.activation_address(name, dtype, last=False)
    else:
        getattr(linking, kind)(name, dtype)
    _satisfied.add(need)


def everything(dtype: str) -> list[Need]:
    """Return what runs with every registered rule would need, the training loop first."""
    from mlpjit.catalogue import registries

    kinds: dict[str, Iterable[str]] = {
        "activation": registries.activations, "optimizer": registries.optimizers, "loss": registries.losses,
        "schedule": registries.schedules, "clipping": registries.clippings, "wrapper": registries.wrappers,
        "normalization": registries.normalizations,
    }  # fmt: skip
    found = [(kind, name, dtype) for kind, names in kinds.items() for name in names]
    specs = [json.dumps({"name": r.name, **r.defaults}) for r in registries.initializers.records()]
    return [("train", "", dtype), *found, *(("init", spec, dtype) for spec in specs)]


def prepare(configs: Iterable[RunConfig], tell: Tell = lambda done, total: None) -> float:
    """Compile or load every kernel that these configurations need; return the seconds it took."""
    start = time.perf_counter()
    wanted: dict[Need, None] = {}
    for config in configs:
        wanted |= dict.fromkeys(needs(config))
        with suppress(ConfigError):  # a file that is gone: its runs will say so
            split(config.dataset, config.split_seed or 0, config.dtype)
    have(wanted, tell)
    return time.perf_counter() - start


def prepare_once(values: RunValues, config: RunConfig) -> float:
    """Prepare a configuration, unless one with the same shared values was; return the seconds it took."""
    if values in _prepared:
        return 0.0
    spent = prepare([config])
    if len(_prepared) >= MOST_PREPARED:
        _prepared.clear()
    _prepared.add(values)
    return spent


def have(wanted: Iterable[Need], tell: Tell = lambda done, total: None) -> None:
    """Compile or load what is wanted and missing; `tell(done, total)` hears of each."""
    missing = [need for need in wanted if need not in _satisfied]
    _compile_beside(missing)
    loops = [need for need in missing if need[0] == "train"]
    # The second process begins at the other end.
    for done, need in enumerate(loops + [need for need in reversed(missing) if need not in loops]):
        tell(done, len(missing))
        satisfy(need)
    tell(len(missing), len(missing))


def _compile_beside(missing: list[Need]) -> None:
    """Start a process that compiles too, if the training loop is yet to be compiled and the cache is shared."""
    rules = [need for need in missing if need[0] != "train" and not _own(need)]
    loops = [need for need in missing if need[0] == "train"]
    cold = any(not jit.on_disk(train_kernel, dtype) for _, _, dtype in loops)
    if not cold or len(rules) < WORTH_A_PROCESS or cache.root() != cache.default_root():
        return
    command = [sys.executable, "-c", CODE, json.dumps(rules + loops)]
    try:
        beside = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return
    # It ends by itself soon after all is published; whoever removes the cache's folder next must not meet it there.
    atexit.register(beside.wait)


def _own(need: Need) -> bool:
    """Say whether a rule is the user's own, which the second process would look for in vain."""
    registries = {"optimizer": optimizers, "wrapper": wrappers, "clipping": clippings}
    return need[0] in registries and is_own(registries[need[0]][need[1]])


def main(rules: str) -> None:
    """Satisfy needs given as JSON: the second process. Whatever fails here, the first one does itself."""
    for kind, name, dtype in json.loads(rules):
        satisfy((kind, name, dtype))
