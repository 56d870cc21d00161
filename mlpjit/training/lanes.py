"""Runs side by side in vector lanes: which networks they are for, and the memory of a group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.registries import losses, optimizers
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.lanes.group import GROUP
from mlpjit.kernels.language import Kernel
from mlpjit.kernels.tables import filled
from mlpjit.registry import forgetting
from mlpjit.training import linking, shape
from mlpjit.training.shape import VECTOR, is_learned
from mlpjit.training.stage_memory import state_size
from mlpjit.training.values import kinds, shared, values_of
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.template import Template
    from mlpjit.training.values import RunValues

WIDEST = 32  # of a hidden layer: with wider ones a run fills vectors by itself
MOST_BYTES = 16 * 2**20  # of the memories of a group's runs
SUMS = 16


def eligible(values: RunValues) -> bool:
    """Say whether runs with these shared values may be made side by side.

    What is done a number at a time may: elementwise optimizers, activations without parameters of their own, losses.
    What looks across the numbers of a run may not, but for products and losses, which have a form in lanes.
    """
    return _plain(values) and values.dtype == "float32" and _narrow(values) and _rules_serve(values)


def _plain(values: RunValues) -> bool:
    """Say whether a step is gradient and update, and nothing else."""
    return (
        values.normalization == "none" and values.residual == "none" and values.dropout == 0.0
        and values.clip is None and values.wrapper is None
    )  # fmt: skip


def _narrow(values: RunValues) -> bool:
    return bool(values.hidden) and max(*values.hidden, values.data.outputs, values.data.inputs) <= WIDEST


def _rules_serve(values: RunValues) -> bool:
    optimizer, loss = optimizers[values.optimizer["name"]], losses[values.loss["name"]]
    return (
        optimizer.kind == "elementwise" and not optimizer.point and not optimizer.draws
        and (loss.kernel is None or loss.in_lanes is not None) and values.output_activation != "softmax"
        and not any(map(is_learned, shape.layer_activations(values)))
    )  # fmt: skip


@cache
def _parts(loss: str, optimizer: str) -> dict[str, tuple[Kernel, dict[str, Any], str]]:
    return linking.lane_kernels(loss, optimizer)


def load(loss: str, optimizer: str, dtype: str) -> dict[str, int]:
    """Compile or load what makes runs with these rules side by side; return the addresses by part."""
    parts = _parts(loss, optimizer)
    return {part: jit.load(made, dtype, names, key).address for part, (made, names, key) in parts.items()}


def _published(values: RunValues) -> bool:
    """Say whether all of it lies in the cache: a chunk compiles nothing."""
    rules = values.loss["name"], values.optimizer["name"], values.dtype
    if rules not in _found:
        parts = _parts(*rules[:2]).values()
        if not all(jit.on_disk(made, values.dtype, names, key) for made, names, key in parts):
            return False
        _found.add(rules)
    return True


_found: set[tuple[str, str, str]] = set()
forgetting.extend((_found.clear, _parts.cache_clear))


def lanes_of(template: Template, runs: Sequence[RunConfig | RunValues]) -> int:
    """Return how many of some runs of a template are made side by side, 0 where none are.

    Those with penalties look across all weights at each step; one with a time limit must be able to end alone.
    """
    lanes = VECTOR[template.dtype]
    fits = len(runs) >= lanes and lanes * template.layout.size <= MOST_BYTES and eligible(template.values)
    return lanes if fits and not any(map(_apart, kinds(runs))) and _published(template.values) else 0


def beside(config: RunConfig) -> int:
    """Return how many runs like one are made side by side, 1 where they are made one after the other."""
    if _apart(config):
        return 1
    values = shared(values_of(config))
    return VECTOR[values.dtype] if eligible(values) and _published(values) else 1


def _apart(run: RunConfig | RunValues) -> bool:
    return run.l1 != 0.0 or run.l2 != 0.0 or getattr(run, "timeout", None) is not None


class Lanes:
    """What a group of runs of a template works in, and the table of it. rows: of CHUNK, one for each lane."""

    def __init__(self, template: Template, rows: np.ndarray) -> None:
        self.template, self.dtype = template, template.dtype
        values, self.lanes = template.values, VECTOR[template.dtype]
        made = load(values.loss["name"], values.optimizer["name"], template.dtype)
        self.address = made["group"]
        self.widest = max(layer.fan_out for layer in template.layers)
        self.block = 8 if self.widest <= 8 else 4
        self.kept: dict[str, np.ndarray] = self._arrays()
        self.table = filled(GROUP, {
            "runs": rows, "block": self.block, "widest": self.widest, "state_size": self._state_size(),
            "loss": made["loss"], "update": made["update"], **self.kept,
        })  # fmt: skip

    def _state_size(self) -> int:
        record, _ = self.template.stages[1]
        return max(1, state_size(record, self.template.shapes)) if record else 1

    def _scalars(self) -> int:
        """Return how many scalars the optimizer's rule takes, at most: it takes g and its states as well."""
        return len(signature(optimizers[self.template.values.optimizer["name"]].function).parameters)

    def _arrays(self) -> dict[str, np.ndarray]:
        template, layers = self.template, len(self.template.layers)
        count, widest, block = template.count, self.widest, self.block
        inputs, outputs = template.data.inputs, template.data.outputs
        staged = max(count, self._state_size(), block * max(inputs, outputs), 2 * widest)
        sizes = {
            "params": count, "grads": count, "state": self._state_size(), "best": count, "inputs": block * inputs,
            "targets": block * outputs, "room": 2 * layers * block * widest, "late": template.rows,
            "peaks": layers * widest, "saturated": layers * widest, "scalars": self._scalars(), "spare": SUMS,
            "staged": staged + self.lanes,
        }  # fmt: skip
        wide = {"losses": 1, "sums": 1, "rates": 1, "unit_sums": 2 * layers, "residuals": outputs}
        found = {name: aligned(size * self.lanes, self.dtype) for name, size in sizes.items()}
        found |= {name: aligned(size * self.lanes, "float64") for name, size in wide.items()}
        return found | {name: np.zeros(self.lanes, np.int64) for name in ("hits", "statuses")}
