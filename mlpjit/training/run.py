"""One configuration to one result: the buffers of a run, its compiled call, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.datasets import Split, split
from mlpjit.catalogue.registries import clippings, optimizers, wrappers
from mlpjit.catalogue.specs import asks_curvature
from mlpjit.errors import DatasetError
from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS
from mlpjit.kernels.run.steps import write_point
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.kernels.tables import CARRY, LAYER, NONE_AT, PLAN, STATUS, UNIT_SUM
from mlpjit.training import linking, shape, tables
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.result import Control, RunResult, history_of, metrics_of
from mlpjit.training.schedule_values import decays, momenta, rates
from mlpjit.training.stage_memory import initial_state, record_memory, scratch_size, settings_of
from mlpjit.training.values import RunValues, values_of
from mlpjit.training.warm import prepare
from mlpjit.training.workspace import aligned, masks_of, plan_workspace, tensors_of_layers

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.kernels.entries import Stage

SAID = {STATUS.running: "running", STATUS.finished: "done", STATUS.diverged: "diverged", STATUS.stopped: "stopped"}


class Run:
    """A run in memory: all its buffers, and `advance(to_step)`, which may be called piece by piece."""

    def __init__(self, config: RunConfig, control: Control | None = None) -> None:
        self.config, self.control = config, control or Control()
        self.values = values = values_of(config)
        self.dtype = values.dtype
        self.data: Split = split(values.dataset, values.split_seed, values.dtype)
        if self.data.data_hash != values.data.data_hash:
            raise DatasetError(f"dataset {values.dataset['name']!r}: file changed while the study ran")
        self.layers = shape.config_layers(values)
        self.steps = self.control.steps_total = shape.total_steps(values)
        self._make_arrays()
        self._make_tables()
        self.status = STATUS.running

    def _make_arrays(self) -> None:
        values, dtype = self.values, self.dtype
        names, samples = shape.layer_activations(values), self.data.x_train
        self.params = initial_params(self.layers, dict(values.init), values.init_seed, dtype, names, samples)
        count = len(self.params)
        self.stages = _stages(values)
        self.shapes = tensors_of_layers(self.layers)
        self.grads, self.best = aligned(count, dtype), aligned(count, dtype)
        self.states = [
            aligned(1, dtype) if record is None else initial_state(record, spec, self.params, self.shapes)
            for record, spec in self.stages
        ]
        self.carry = np.zeros(len(CARRY))
        self.carry[[CARRY.last_finite_loss, CARRY.final_train_loss]] = np.nan
        self.carry[[CARRY.rate_factor, CARRY.plateau_best]] = 1.0, np.inf
        width = len(RUN_RECORDS) + len(self.layers) * len(LAYER_RECORDS)
        self.records = np.full((shape.evaluations(values) + 1, width), np.nan)
        self.memory = record_memory(self.params)
        self.order = np.zeros(len(self.data.x_train), np.int64)
        self.rates = rates(values, self.steps)
        self.decays = decays(values, self.steps) if values.weight_decay else np.zeros(1)
        self.momenta = momenta(values, self.steps) if values.momentum_schedule else np.zeros(1)

    def _make_tables(self) -> None:
        values, dtype, names = self.values, self.dtype, shape.layer_activations(self.values)
        batch = shape.batch_rows(values)
        rows = max(batch + 1, shape.EVALUATION_ROWS)
        addresses = [linking.activation_address(n, dtype, i == len(names) - 1) for i, n in enumerate(names)]
        outputs = self.data.y_train.shape[1]
        scratch = [scratch_size(record, self.shapes) for record, _ in self.stages]
        space = plan_workspace(self.layers, addresses, rows, dtype, targets=rows * outputs, stages=scratch)
        self.table = space.layers
        self.masks = masks_of(self.table, batch + 1, dtype) if values.dropout else []
        self.tensors = [
            None if record is None else tables.tensors_of_stage(self, record, at)
            for (record, _), at in zip(self.stages, space.stages_at, strict=True)
        ]
        self.settings = [
            np.array([*(settings_of(record, spec, values.seed) if record else []), 0.0]) for record, spec in self.stages
        ]
        self.curvature = _Curvature(self) if any(asks_curvature(*stage) for stage in self.stages) else None
        self.workspace = aligned(space.size, dtype)
        self.moments, self.best_moments, self.point_moments = (
            aligned(max(1, space.running_size), dtype) for _ in range(3)
        )
        self._start_moments()
        self.residuals, self.unit_sums = np.zeros(outputs), np.zeros((len(self.layers), len(UNIT_SUM)))
        self.spare = np.zeros(1)
        self.numbers, self.slope_limits = tables.numbers(self), tables.slope_limits(names)
        self.loss_settings = tables.loss_settings(self)
        self.stage_rows = tables.stage_rows(self, space.stages_at)
        self.plan = tables.plan(self, space, batch, rows)
        self.addresses = tables.addresses(self)

    def _start_moments(self) -> None:
        """Running means begin at 0, running variances at 1."""
        for row, layer in zip(self.table, self.layers, strict=True):
            if row[LAYER.running_at] != NONE_AT:
                at = int(row[LAYER.running_at]) + layer.fan_out
                self.moments[at : at + layer.fan_out] = 1.0

    def advance(self, to_step: int | None = None) -> str:
        """Train until a step (counted from 1; None: the end); return the status. Releases the GIL.

        A run that is done or has diverged stays as it is. MlpjitError unless the processor rounds to the nearest.
        """
        if self.status in (STATUS.finished, STATUS.diverged):
            return SAID[self.status]
        check_rounding()
        self.plan[PLAN.last_step] = self.steps if to_step is None else min(to_step, self.steps)
        call = jit.load(train_kernel, self.dtype).call
        self.status = call(self.plan.ctypes.data, self.addresses.ctypes.data)
        return SAID[self.status]

    def result(self, compile_seconds: float = 0.0) -> RunResult:
        """Return what the run has left so far."""
        carry = self.carry
        timings = {
            "compile_seconds": compile_seconds,
            "train_seconds": float(carry[CARRY.train_seconds]),
            "evaluate_seconds": float(carry[CARRY.evaluate_seconds]),
        }
        counts = {"steps": int(carry[CARRY.step]), "gradients": int(carry[CARRY.gradients])}
        if carry[CARRY.skipped]:
            counts["skipped"] = int(carry[CARRY.skipped])
        history = history_of(self.records[: int(carry[CARRY.rows_written])], len(self.layers))
        metrics = metrics_of(carry, history, self.status, len(self.params))
        return RunResult(self.config, SAID[self.status], self.point(), history, metrics, timings, counts)

    def point(self) -> np.ndarray:
        """Return a copy of what is evaluated and reported: the parameters, or the point of a stage that has another."""
        step = int(self.carry[CARRY.step])
        if step == 0 or self.plan[PLAN.point_stage] == NONE_AT:
            return self.params.copy()
        found = jit.load(write_point, self.dtype).call(self.plan.ctypes.data, self.addresses.ctypes.data, step)
        return (self.grads if found else self.params).copy()


def _stages(values: RunValues) -> list[tuple[Stage | None, dict[str, Any]]]:
    """Return the records of clip, optimizer and wrapper with their specs, None for what a run has not."""
    kinds = ((clippings, values.clip), (optimizers, values.optimizer), (wrappers, values.wrapper))
    return [(None, {}) if spec is None else (registry[spec["name"]], dict(spec)) for registry, spec in kinds]


class _Curvature:
    """What Hessian-vector products need in a run: their kernel, the loss's tangent, tables and workspace."""

    def __init__(self, run: Run) -> None:
        dtype, names = run.dtype, shape.layer_activations(run.values)
        derivatives = [linking.derivatives_address(name, dtype) for name in names]
        pairs = [linking.normalization(layer.normalization, dtype, pairs=True) for layer in run.layers]
        rows = shape.batch_rows(run.values) + 1
        self.tables, size = plan_curvature(run.table, derivatives, pairs, rows, shape.VECTOR[dtype])
        self.workspace = aligned(size, dtype)
        self.address = linking.curvature(dtype).address
        self.tangent = linking.loss_tangent(run.values.loss["name"], dtype).address


def execute(config: RunConfig, control: Control | None = None) -> RunResult:
    """Run a configuration to its end. Blocks, releases the GIL while it trains, and may run in many threads.

    Divergence is a result (status "diverged"), not an error.
    """
    spent = prepare([config])
    run = Run(config, control)
    run.advance()
    return run.result(spent)


def train(config: RunConfig) -> RunResult:
    """Train one network as configured and return its result (the Python entry point)."""
    return execute(config)


def measure_step(config: RunConfig, repeats: int = 5) -> dict[str, float]:
    """Time training steps alone: median, lowest and highest of `repeats` short runs, in seconds a step."""
    prepare([config])
    found = []
    for _ in range(repeats):
        run = Run(config.model_copy(update={"evaluate_every": max(config.epochs, 1)}))
        run.advance()
        found.append(float(run.carry[CARRY.train_seconds]) / max(1, int(run.carry[CARRY.step])))
    found.sort()
    return {
        "parameters": shape.parameter_count(config), "step_seconds": found[len(found) // 2],
        "low_seconds": found[0], "high_seconds": found[-1],
    }  # fmt: skip
