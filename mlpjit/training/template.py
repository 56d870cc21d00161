"""What runs share that differ in seeds, rate and penalties alone: made once, and copied by each of them.

Layers, tables, the layout of memory, addresses of kernels, and everything that is checked on the way. A run's own
addresses stand in the tables as offsets from the beginning of its memory, which it adds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.registries import clippings, optimizers, wrappers
from mlpjit.catalogue.specs import asks_curvature
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.kernels.run.beginning import begin_run
from mlpjit.kernels.run.chunk import make_runs
from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.kernels.tables import ARRAY, CARRY, LAYER, NONE_AT, NUMBER, PLAN, STAGE, UNIT_SUM
from mlpjit.registry import forgetting
from mlpjit.training import linking, shape, tables
from mlpjit.training.beginnings import Beginnings
from mlpjit.training.memory import Layout, Memory
from mlpjit.training.schedule_values import Scheduled, momentum_of
from mlpjit.training.stage_memory import filled_parts, records_kept, scratch_size, settings_of, state_size
from mlpjit.training.tables import SETTINGS, STATES
from mlpjit.training.workspace import plan_workspace, tensors_of_layers

if TYPE_CHECKING:
    from mlpjit.kernels.entries import Stage
    from mlpjit.training.values import RunValues

TEMPLATES = 512  # some tens of kilobytes each


class Template:
    """All of a run but what is its own. values: those that runs share (`values.shared`)."""

    def __init__(self, values: RunValues) -> None:
        self.values, self.dtype, self.data = values, values.dtype, values.data
        self.layers, self.names = shape.config_layers(values), shape.layer_activations(values)
        self.count, self.steps = shape.parameters_of(self.layers), shape.total_steps(values)
        self.batch = shape.batch_rows(values)
        self.rows = max(self.batch + 1, shape.EVALUATION_ROWS)
        self.stages, self.shapes = _stages(values), tensors_of_layers(self.layers)
        self._plan_workspace()
        self.settings = [
            np.array([*(settings_of(record, spec) if record else []), 0.0]) for record, spec in self.stages
        ]
        self.slope_limits, self.loss_settings = tables.slope_limits(self.names), tables.loss_settings(values)
        self.layout = Layout()
        self._lay_out()
        self._fill_tables()
        self._make_image()
        self._link()

    def _plan_workspace(self) -> None:
        dtype, last = self.dtype, len(self.names) - 1
        addresses = [linking.activation_address(n, dtype, i == last) for i, n in enumerate(self.names)]
        scratch = [scratch_size(record, self.shapes) for record, _ in self.stages]
        targets = self.rows * self.data.outputs
        self.space = plan_workspace(self.layers, addresses, self.rows, dtype, targets=targets, stages=scratch)
        self.tensors = [
            None if record is None else tables.tensors_of_stage(self, record, at)
            for (record, _), at in zip(self.stages, self.space.stages_at, strict=True)
        ]
        self.curvature = Curvature(self) if any(asks_curvature(*stage) for stage in self.stages) else None

    def _lay_out(self) -> None:
        """Reserve what is copied from the image, then what begins as zeros or is filled by each run."""
        take, dtype = self.layout.take, self.dtype
        self._take_tables()
        width = len(RUN_RECORDS) + len(self.layers) * len(LAYER_RECORDS)
        for name, length in (("carry", len(CARRY)), ("numbers", len(NUMBER))):
            take(name, length, "float64")
        for name, settings in zip(SETTINGS, self.settings, strict=True):
            take(name, len(settings), "float64")
        take("moments", max(1, self.space.running_size), dtype)
        take("records", (shape.evaluations(self.values) + 1, width), "float64")
        self.copied = self.layout.size
        for name, size in self._zeros().items():
            take(name, size, dtype)
        for name in ("rates", "decays", "momenta"):
            take(name, max(self.steps, 1), "float64")
        take("order", self.data.train_samples, "int64")
        take("residuals", self.data.outputs, "float64")
        take("unit_sums", (len(self.layers), len(UNIT_SUM)), "float64")
        take("spare", 1, "float64")

    def _take_tables(self) -> None:
        """Reserve all tables that hold addresses of a run's own, in one block."""
        curvature = 2 * len(self.layers) if self.curvature else 0
        parts = {
            "plan": (len(PLAN),), "addresses": (len(ARRAY),), "stage_rows": (len(self.stages), len(STAGE)),
            "table": (len(self.layers), len(LAYER)), "curvature_tables": (curvature, len(LAYER)),
        }  # fmt: skip
        self.layout.take_block("tables", parts, "int64")

    def _zeros(self) -> dict[str, int]:
        """Return the lengths of the arrays in the dtype of the run, which begin as zeros but for what it fills."""
        count, space = self.count, self.space
        found = {"params": count, "grads": count, "best": count}
        for name, (record, _) in zip(STATES, self.stages, strict=True):
            found[name] = 1 if record is None else max(1, state_size(record, self.shapes))
        found |= {"memory": max(1, count * len(records_kept())), "workspace": space.size}
        found |= dict.fromkeys(("best_moments", "point_moments"), max(1, space.running_size))
        if self.curvature:
            found["curvature_workspace"] = self.curvature.size
        for place, row in enumerate(space.layers[:-1] if self.values.dropout else []):
            found[f"mask{place}"] = (self.batch + 1) * int(row[LAYER.stride])
        self.masks = [name for name in found if name.startswith("mask")]
        return found

    def own(self, name: str) -> int:
        """Return where an array of a run stands in its memory."""
        return self.layout.places[name].start

    def _fill_tables(self) -> None:
        """Make the block of tables, and mark with 1 what a run adds the address of its memory to."""
        block = self.layout.places["tables"].shape[0]
        self.tables, self.relative = np.zeros(block, np.int64), np.zeros(block, np.int64)
        layers, masked = self.space.layers, np.zeros_like(self.space.layers)
        for row, mark, name in zip(layers[:-1], masked[:-1], self.masks, strict=False):
            row[LAYER.mask], mark[LAYER.mask] = self.own(name), 1
        self._put("table", layers, masked)
        if self.curvature:
            both = self.curvature.tables
            both[:, :, LAYER.mask] = layers[:, LAYER.mask]
            self._put("curvature_tables", both, np.stack([masked, masked]))
        self._put("plan", tables.plan(self), None)
        self._put("addresses", *tables.addresses(self))
        self._put("stage_rows", *tables.stage_rows(self))

    def _put(self, name: str, values: np.ndarray, relative: np.ndarray | None) -> None:
        start = (self.own(name) - self.own("tables")) // 8
        self.tables[start : start + values.size] = values.ravel()
        if relative is not None:
            self.relative[start : start + values.size] = relative.ravel()

    def _make_image(self) -> None:
        """Make what every run's memory begins with."""
        made = Memory(self.layout)
        made.array("tables")[:] = self.tables
        carry = made.array("carry")
        carry[[CARRY.last_finite_loss, CARRY.final_train_loss]] = np.nan
        carry[[CARRY.rate_factor, CARRY.plateau_best]] = 1.0, np.inf
        made.array("numbers")[:] = tables.numbers(self.values)
        for name, settings in zip(SETTINGS, self.settings, strict=True):
            made.array(name)[:] = settings
        self._start_moments(made.array("moments"))
        made.array("records")[:] = np.nan
        self.image = made.buffer[: self.copied].copy()

    def _start_moments(self, moments: np.ndarray) -> None:
        """Running means begin at 0, running variances at 1."""
        for row, layer in zip(self.space.layers, self.layers, strict=True):
            if row[LAYER.running_at] != NONE_AT:
                at = int(row[LAYER.running_at]) + layer.fan_out
                moments[at : at + layer.fan_out] = 1.0

    def _link(self) -> None:
        """Have what each run calls or fills."""
        values = self.values
        train, self.begin = jit.load(train_kernel, self.dtype), jit.load(begin_run, self.dtype).call
        self.train, self.train_at = train.call, train.address
        self.make = jit.load(make_runs, self.dtype).call
        self.rates = Scheduled(values.schedule, self.steps)
        self.decays = Scheduled(values.weight_decay_schedule, self.steps) if values.weight_decay else None
        self.momenta = Scheduled(values.momentum_schedule, self.steps) if values.momentum_schedule else None
        self.momentum = momentum_of(values) if values.momentum_schedule else 0.0
        self.filled = [
            (name, filled_parts(record, spec))
            for name, (record, spec) in zip(STATES, self.stages, strict=True) if record is not None
        ]  # fmt: skip
        kept = [("params" if record.memory == "params" else 0.0) for record in records_kept()]
        self.filled.append(("memory", [(place, given) for place, given in enumerate(kept) if given != 0.0]))
        self.drawing = [
            (name, settings)
            for name, settings, (record, _) in zip(SETTINGS, self.settings, self.stages, strict=True)
            if record and record.draws
        ]
        self.fixed: list[np.ndarray] = []
        self.beginnings = Beginnings(self)


def _stages(values: RunValues) -> list[tuple[Stage | None, dict[str, Any]]]:
    """Return the records of clip, optimizer and wrapper with their specs, None for what a run has not."""
    kinds = ((clippings, values.clip), (optimizers, values.optimizer), (wrappers, values.wrapper))
    return [(None, {}) if spec is None else (registry[spec["name"]], dict(spec)) for registry, spec in kinds]


class Curvature:
    """What Hessian-vector products need in a run: their kernel, the loss's tangent, the size of their workspace."""

    def __init__(self, template: Template) -> None:
        dtype, names, layers = template.dtype, template.names, template.layers
        derivatives = [linking.derivatives_address(name, dtype) for name in names]
        pairs = [linking.normalization(layer.normalization, dtype, pairs=True) for layer in layers]
        rows, lanes = template.batch + 1, shape.VECTOR[dtype]
        self.tables, self.size = plan_curvature(template.space.layers, derivatives, pairs, rows, lanes)
        self.address = linking.curvature(dtype).address
        self.tangent = linking.loss_tangent(template.values.loss["name"], dtype).address


@lru_cache(maxsize=TEMPLATES)
def template_of(values: RunValues) -> Template:
    """Return the template of runs with these shared values."""
    return Template(values)


forgetting.append(template_of.cache_clear)
