"""One configuration to one result: the buffers of a run, its compiled call, and what comes out."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.datasets import Split, split
from mlpjit.catalogue.registries import activations, clippings, losses, optimizers, schedules, wrappers
from mlpjit.catalogue.specs import asks_curvature, samples_labels
from mlpjit.config.fields import momentum_scheduled
from mlpjit.errors import DatasetError
from mlpjit.kernels import tables
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.dropout import threshold
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.kernels.run.steps import write_point
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.kernels.stages.stage import DELTAS_AT, INPUTS_AT
from mlpjit.training import linking, shape
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.readout import history_of, metrics_of
from mlpjit.training.result import Control, RunResult
from mlpjit.training.schedule_values import decays, momenta, rates
from mlpjit.training.stage_memory import initial_state, scratch_size, settings_of, tensor_table
from mlpjit.training.warm import prepare
from mlpjit.training.workspace import aligned, masks_of, plan_workspace, tensors_of_layers

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.kernels.entries import Stage

STATUS = {tables.RUNNING: "running", tables.FINISHED: "done", tables.DIVERGED: "diverged", tables.STOPPED: "stopped"}


@cache
def _clock() -> tuple[int, int]:
    """Return the address of clock_gettime and the id of the monotonic clock; (0, 0) where there is none."""
    import ctypes

    try:
        function = ctypes.CDLL(None).clock_gettime
        return ctypes.cast(function, ctypes.c_void_p).value or 0, int(time.CLOCK_MONOTONIC)
    except (AttributeError, OSError, TypeError):
        return 0, 0


class Run:
    """A run in memory: all its buffers, and `advance(to_step)`, which may be called piece by piece."""

    def __init__(self, config: RunConfig, control: Control | None = None) -> None:
        self.config, self.control = config, control or Control()
        self.dtype = config.dtype
        self.data: Split = split(config.dataset, config.split_seed or 0, config.dtype)
        if self.data.data_hash != config.data.data_hash:
            raise DatasetError(f"dataset {config.dataset['name']!r}: file changed while the study ran")
        self.layers = shape.config_layers(config)
        self.steps = self.control.steps_total = shape.total_steps(config)
        self._make_arrays()
        self._make_tables()
        self.status = tables.RUNNING

    def _make_arrays(self) -> None:
        config, dtype = self.config, self.dtype
        names, samples = shape.layer_activations(config), self.data.x_train
        self.params = initial_params(self.layers, dict(config.init), config.init_seed or 0, dtype, names, samples)
        count = len(self.params)
        self.stages = _stages(config)
        self.shapes = tensors_of_layers(self.layers)
        self.grads, self.best = aligned(count, dtype), aligned(count, dtype)
        self.states = [
            aligned(1, dtype) if record is None else initial_state(record, spec, self.params, self.shapes)
            for record, spec in self.stages
        ]
        self.carry = np.zeros(tables.CARRY_SIZE)
        self.carry[[tables.LAST_FINITE_LOSS, tables.FINAL_TRAIN_LOSS]] = np.nan
        self.carry[[tables.RATE_FACTOR, tables.PLATEAU_BEST]] = 1.0, np.inf
        width = tables.RECORD_HEAD + len(self.layers) * tables.DIAGNOSTIC_COUNT
        self.records = np.full((shape.evaluations(config) + 1, width), np.nan)
        self.order = np.zeros(len(self.data.x_train), np.int64)
        self.rates = rates(config, self.steps)
        self.decays = decays(config, self.steps) if config.weight_decay else np.zeros(1)
        self.momenta = momenta(config, self.steps) if momentum_scheduled(config.__dict__) else np.zeros(1)

    def _make_tables(self) -> None:
        config, dtype, names = self.config, self.dtype, shape.layer_activations(self.config)
        batch = shape.batch_rows(config)
        rows = max(batch + 1, shape.EVALUATION_ROWS)
        addresses = [linking.activation_address(n, dtype, i == len(names) - 1) for i, n in enumerate(names)]
        outputs = self.data.y_train.shape[1]
        scratch = [scratch_size(record, self.shapes) for record, _ in self.stages]
        space = plan_workspace(self.layers, addresses, rows, dtype, extra=rows * outputs, stages=scratch)
        self.table = space.layers
        self.masks = masks_of(self.table, batch + 1, dtype) if config.dropout else []
        self.tensors = np.stack(
            [self._tensors(record, at) for (record, _), at in zip(self.stages, space.stages_at, strict=True)]
        )
        self.curvature = _Curvature(self) if any(asks_curvature(*stage) for stage in self.stages) else None
        self.workspace = aligned(space.size, dtype)
        self.moments, self.best_moments, self.point_moments = (
            aligned(max(1, space.running_size), dtype) for _ in range(3)
        )
        self._start_moments()
        self.sums = np.zeros(2 * outputs + 2 * len(self.layers))
        self.numbers = self._numbers(names)
        self.plan = self._plan(space, batch, rows, outputs)
        self.addresses = self._addresses()

    def _tensors(self, record: Stage | None, scratch_at: int) -> np.ndarray:
        """Return the table of tensors of one stage; inputs and deltas of a batch are counted from its scratch."""
        table = tensor_table(record, self.shapes)
        owners = [row for row, layer in zip(self.table, self.layers, strict=True) for _ in layer.tensors()]
        places = (tables.INPUT_AT, tables.INPUT_STRIDE, tables.SLOPE_AT, tables.STRIDE)
        table[:, INPUTS_AT:] = [[int(owner[place]) for place in places] for owner in owners]
        table[:, [INPUTS_AT, DELTAS_AT]] -= scratch_at
        return table

    def _start_moments(self) -> None:
        """Running means begin at 0, running variances at 1."""
        for row, layer in zip(self.table, self.layers, strict=True):
            if row[tables.RUNNING_AT] != tables.NONE_AT:
                at = int(row[tables.RUNNING_AT]) + layer.fan_out
                self.moments[at : at + layer.fan_out] = 1.0

    def _numbers(self, names: list[str]) -> np.ndarray:
        config = self.config
        numbers = np.zeros(tables.NUMBERS_SIZE + len(names))
        numbers[tables.L1], numbers[tables.L2] = config.l1, config.l2
        numbers[tables.DECAY] = config.weight_decay
        for place, (record, spec) in enumerate(self.stages):
            if record is not None:
                at, given = tables.STAGE_SETTINGS + place * tables.MOST_SETTINGS, settings_of(record, spec, config.seed)
                numbers[at : at + len(given)] = given
        spec = config.canonical()["loss"]
        given = settings_of(losses[spec["name"]], spec)
        numbers[tables.LOSS_SETTINGS : tables.LOSS_SETTINGS + len(given)] = given
        watched = [float(config.schedule[name]) for name in schedules[config.schedule.name].watches]
        numbers[tables.PLATEAU_SETTINGS : tables.PLATEAU_SETTINGS + len(watched)] = watched
        limits = [1.0 if n == "softmax" else activations[n].slope_limit for n in names]
        numbers[tables.NUMBERS_SIZE :] = limits
        return numbers

    def _plan(self, space: Any, batch: int, rows: int, outputs: int) -> np.ndarray:
        config, dtype, data = self.config, self.dtype, self.data
        clock, clock_id = _clock()
        values = {
            tables.LAYER_COUNT: len(self.layers), tables.TENSOR_COUNT: len(self.shapes),
            tables.PARAMETERS: len(self.params), tables.STATE_SIZE: len(self.states[tables.OPTIMIZER_STAGE]),
            tables.RUNNING_SIZE: space.running_size, tables.INPUTS: data.x_train.shape[1], tables.OUTPUTS: outputs,
            tables.SOFTMAX_OUTPUT: config.output_activation == "softmax",
            tables.TRAIN_ROWS: len(data.x_train), tables.VALIDATION_ROWS: len(data.x_validation),
            tables.TEST_ROWS: len(data.x_test), tables.BATCH: batch, tables.CHUNK: rows,
            tables.STEPS_PER_EPOCH: shape.steps_per_epoch(config), tables.EVALUATE_EVERY: config.evaluate_every,
            tables.SHUFFLE: config.shuffle, tables.ORDER_SEED: config.order_seed,
            tables.CLASSIFICATION: config.data.task == "classification",
            tables.LOSS: linking.loss(config.canonical()["loss"]["name"], dtype).address,
            tables.CLIP: 0 if config.clip is None else linking.clipping(config.clip["name"], dtype).address,
            tables.OPTIMIZER: linking.optimizer(config.optimizer["name"], dtype).address,
            tables.WRAPPER: 0 if config.wrapper is None else linking.wrapper(config.wrapper["name"], dtype).address,
            tables.CLIP_SCRATCH: space.stages_at[0], tables.OPTIMIZER_SCRATCH: space.stages_at[1],
            tables.WRAPPER_SCRATCH: space.stages_at[2],
            tables.CURVATURE: self.curvature.address if self.curvature else 0,
            tables.LOSS_TANGENT: self.curvature.tangent if self.curvature else 0,
            tables.LOSS_SAMPLE: self._loss_sample(), tables.DRAW_SEED: config.seed,
            tables.POINT_STAGE: self._point_stage(),
            tables.CLOCK: clock, tables.CLOCK_ID: clock_id, tables.SCRATCH_AT: space.scratch_at,
            tables.TOTAL_STEPS: self.steps, tables.WIDEST: space.widest, tables.MOMENTUM_AT: self._momentum_at(),
            tables.DROPOUT: threshold(config.dropout),
        }  # fmt: skip
        plan = np.zeros(tables.PLAN_SIZE, np.int64)
        plan[list(values)] = [int(v or 0) for v in values.values()]
        return plan

    def _addresses(self) -> np.ndarray:
        data = self.data
        arrays = {
            tables.PARAMS: self.params, tables.GRADS: self.grads, tables.CLIP_STATE: self.states[0],
            tables.STATE: self.states[1], tables.WRAPPER_STATE: self.states[2], tables.MOMENTS: self.moments,
            tables.POINT_MOMENTS: self.point_moments, tables.WORKSPACE: self.workspace,
            tables.X_TRAIN: data.x_train, tables.Y_TRAIN: data.y_train, tables.X_VALIDATION: data.x_validation,
            tables.Y_VALIDATION: data.y_validation, tables.X_TEST: data.x_test, tables.Y_TEST: data.y_test,
            tables.BEST_PARAMS: self.best, tables.BEST_MOMENTS: self.best_moments, tables.ORDER: self.order,
            tables.LAYERS: self.table, tables.TENSORS: self.tensors, tables.NUMBERS: self.numbers,
            tables.RATES: self.rates, tables.DECAYS: self.decays, tables.MOMENTA: self.momenta,
            tables.CARRY: self.carry,
            tables.RECORDS: self.records, tables.CONTROL: self.control.array, tables.SUMS: self.sums,
            tables.CURVATURE_TABLES: self.curvature.tables if self.curvature else self.table,
            tables.CURVATURE_WORKSPACE: self.curvature.workspace if self.curvature else self.workspace,
        }  # fmt: skip
        found = np.zeros(tables.ARRAY_COUNT, np.int64)
        found[list(arrays)] = [a.ctypes.data for a in arrays.values()]
        return found

    def advance(self, to_step: int | None = None) -> str:
        """Train until a step (counted from 1; None: the end); return the status. Releases the GIL.

        A run that is done or has diverged stays as it is.
        """
        if self.status in (tables.FINISHED, tables.DIVERGED):
            return STATUS[self.status]
        self.plan[tables.LAST_STEP] = self.steps if to_step is None else min(to_step, self.steps)
        call = jit.load(train_kernel, self.dtype).call
        self.status = call(self.plan.ctypes.data, self.addresses.ctypes.data)
        return STATUS[self.status]

    def result(self, compile_seconds: float = 0.0) -> RunResult:
        """Return what the run has left so far."""
        carry = self.carry
        timings = {
            "compile_seconds": compile_seconds,
            "train_seconds": float(carry[tables.TRAIN_SECONDS]),
            "evaluate_seconds": float(carry[tables.EVALUATE_SECONDS]),
        }
        counts = {"steps": int(carry[tables.STEP]), "gradients": int(carry[tables.GRADIENTS])}
        if carry[tables.SKIPPED]:
            counts["skipped"] = int(carry[tables.SKIPPED])
        history = history_of(self.records[: int(carry[tables.ROWS_WRITTEN])], len(self.layers))
        metrics = metrics_of(carry, history, self.status, len(self.params))
        return RunResult(self.config, STATUS[self.status], self.point(), history, metrics, timings, counts)

    def _loss_sample(self) -> int:
        """Return the address of the loss's gradient on drawn labels, 0 where no stage asks for it."""
        if not any(samples_labels(*stage) for stage in self.stages):
            return 0
        return linking.loss_sample(self.config.canonical()["loss"]["name"], self.dtype).address

    def _point_stage(self) -> int:
        """Return which stage reports another point than the parameters, 0 where none does."""
        found = [place for place, (record, _) in enumerate(self.stages) if record is not None and record.point]
        return found[-1] if found else 0

    def _momentum_at(self) -> int:
        """Return which of the numbers is the optimizer's momentum, 0 where it stays as it is."""
        record = optimizers[self.config.optimizer["name"]]
        if record.momentum is None or not momentum_scheduled(self.config.__dict__):
            return 0
        own = tables.STAGE_SETTINGS + tables.MOST_SETTINGS * tables.OPTIMIZER_STAGE
        return own + list(record.defaults).index(record.momentum)

    def point(self) -> np.ndarray:
        """Return a copy of what is evaluated and reported: the parameters, or the point of a stage that has another."""
        step = int(self.carry[tables.STEP])
        if step == 0 or not self.plan[tables.POINT_STAGE]:
            return self.params.copy()
        found = jit.load(write_point, self.dtype).call(self.plan.ctypes.data, self.addresses.ctypes.data, step)
        return (self.grads if found else self.params).copy()


def _stages(config: RunConfig) -> list[tuple[Stage | None, dict[str, Any]]]:
    """Return the records of clip, optimizer and wrapper with their specs, None for what a run has not."""
    kinds = ((clippings, config.clip), (optimizers, config.optimizer), (wrappers, config.wrapper))
    return [(None, {}) if spec is None else (registry[spec["name"]], dict(spec)) for registry, spec in kinds]


class _Curvature:
    """What Hessian-vector products need in a run: their kernel, the loss's tangent, tables and workspace."""

    def __init__(self, run: Run) -> None:
        config, dtype = run.config, run.dtype
        names = shape.layer_activations(config)
        derivatives = [linking.derivatives_address(name, dtype) for name in names]
        pairs = [linking.normalization(layer.normalization, dtype, pairs=True) for layer in run.layers]
        rows = shape.batch_rows(config) + 1
        self.tables, size = plan_curvature(run.table, derivatives, pairs, rows, shape.VECTOR[dtype])
        self.workspace = aligned(size, dtype)
        self.address = linking.curvature(dtype).address
        self.tangent = linking.loss_tangent(config.canonical()["loss"]["name"], dtype).address


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
        found.append(float(run.carry[tables.TRAIN_SECONDS]) / max(1, int(run.carry[tables.STEP])))
    found.sort()
    return {
        "parameters": shape.parameter_count(config), "step_seconds": found[len(found) // 2],
        "low_seconds": found[0], "high_seconds": found[-1],
    }  # fmt: skip
