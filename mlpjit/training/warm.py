"""Have every kernel that a set of runs needs: load it from disk, or compile it, on all cores where that is much.

From an empty cache other processes compile too (`compile_workers`). Without them all of it is compiled here.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.datasets import split
from mlpjit.catalogue.registries import activations, clippings, losses, optimizers, schedules, wrappers
from mlpjit.catalogue.specs import asks_curvature, samples_labels
from mlpjit.errors import ConfigError
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.chunk import make_runs
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.kernels.stages.declare import is_own
from mlpjit.registry import Registry, forgetting
from mlpjit.training import compile_workers, lanes, linking, shape
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.values import values_of

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.values import RunValues

# What a run needs: the kind of rule, its name (an initializer's spec as JSON), the dtype.
Need = tuple[str, str, str]
Tell = Callable[[int, int, str], None]
# A process costs a second of its own: not worth it for a few rules.
WORTH_A_PROCESS = 4

_satisfied: set[Need] = set()
# Shared values (`values.shared`) of runs that have all they need.
_prepared: set[RunValues] = set()
MOST_PREPARED = 4096
forgetting.extend((_satisfied.clear, _prepared.clear))


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


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
    elif kind == "lanes":
        loss, optimizer = name.split()
        lanes.load(loss, optimizer, dtype)
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


def prepare(configs: Iterable[RunConfig], tell: Tell = silent) -> float:
    """Compile or load every kernel that these configurations need; return the seconds it took.

    Where there are as many as lanes of a vector that may be made side by side, by the same rules: what does that, too.
    """
    start = time.perf_counter()
    wanted: dict[Need, None] = {}
    configs = list(configs)
    for config in configs:
        wanted |= dict.fromkeys(needs(config))
    wanted |= dict.fromkeys(_side_by_side(configs))
    have(wanted, tell, lambda: _divide(configs))
    return time.perf_counter() - start


def _side_by_side(configs: Sequence[RunConfig]) -> list[Need]:
    """Return what makes many of some runs in lanes."""
    if len(configs) < min(shape.VECTOR.values()):
        return []
    served = [values for values in map(values_of, configs) if lanes.eligible(values)]
    often = Counter((values.loss["name"], values.optimizer["name"], values.dtype) for values in served)
    return [
        ("lanes", f"{loss} {optimizer}", dtype)
        for (loss, optimizer, dtype), count in often.items() if count >= shape.VECTOR[dtype]
    ]  # fmt: skip


def _divide(configs: Iterable[RunConfig]) -> None:
    """Read and split the data sets."""
    for config in configs:
        with suppress(ConfigError):  # a file that is gone: its runs will say so
            split(config.dataset, config.split_seed or 0, config.dtype)


def prepare_once(values: RunValues, config: RunConfig) -> float:
    """Prepare a configuration, unless one with the same shared values was; return the seconds it took."""
    if values in _prepared:
        return 0.0
    spent = prepare([config])
    if len(_prepared) >= MOST_PREPARED:
        _prepared.clear()
    _prepared.add(values)
    return spent


def have(wanted: Iterable[Need], tell: Tell = silent, before: Callable[[], None] = lambda: None) -> None:
    """Compile or load what is wanted and missing; `tell(done, total, what)` hears of what is compiled.

    `before` is done first, while other processes begin.
    """
    missing = [need for need in wanted if need not in _satisfied]
    loops = [need for need in missing if need[0] == "train"]
    # The other processes begin with what the loops call and go on with the first rules: this one meets them there.
    order = loops + [need for need in reversed(missing) if need not in loops]
    with compile_workers.publishing(_shared(missing)):
        before()
        for done, need in enumerate(order):
            with jit.telling(partial(tell, done, len(missing), label(need))):
                satisfy(need)
    tell(len(missing), len(missing), "")


def _shared(missing: list[Need]) -> list[Need]:
    """Return what other processes are to publish: nothing, unless a training loop is yet to be compiled."""
    cold = any(not jit.on_disk(train_kernel, dtype) for kind, _, dtype in missing if kind == "train")
    shared = [need for need in missing if need[0] not in ("init",) and not _own(need)]
    return shared if cold and len(shared) >= WORTH_A_PROCESS else []


def _own(need: Need) -> bool:
    """Say whether a rule is the user's own, which another process would look for in vain."""
    registries: dict[str, Registry[Any]] = {
        "optimizer": optimizers, "wrapper": wrappers, "clipping": clippings, "activation": activations,
        "slopes": activations, "loss": losses, "loss_tangent": losses, "schedule": schedules,
    }  # fmt: skip
    return need[0] in registries and is_own(registries[need[0]][need[1]])


def label(need: Need) -> str:
    """Return how a need is told of."""
    kind, name, dtype = need
    if kind == "train":
        return f"training loop, {dtype}"
    if kind == "lanes":
        return f"runs side by side, {name.replace(' ', ' and ')}"
    return " ".join(filter(None, (kind.replace("_", " "), json.loads(name)["name"] if kind == "init" else name)))
