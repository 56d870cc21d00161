"""One configuration to one result: the buffers of a run, its compiled call, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpjit.catalogue.datasets import Split, split
from mlpjit.catalogue.datasets.splits import ARRAYS
from mlpjit.errors import DatasetError
from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.steps import write_point
from mlpjit.kernels.tables import ARRAY, CARRY, NONE_AT, NUMBER, PLAN, STATUS
from mlpjit.training import shape
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.memory import Memory
from mlpjit.training.result import Control, RunResult, history_of, metrics_of
from mlpjit.training.stage_memory import fill_parts, seed_halves
from mlpjit.training.tables import STATES
from mlpjit.training.template import template_of
from mlpjit.training.values import RunValues, shared, values_of
from mlpjit.training.warm import prepare, prepare_once

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig

# Where a run keeps the addresses of its data.
DATA_AT = [getattr(ARRAY, name) for name in ARRAYS]
SAID = {STATUS.running: "running", STATUS.finished: "done", STATUS.diverged: "diverged", STATUS.stopped: "stopped"}


class Run:
    """A run in memory: all its buffers, and `advance(to_step)`, which may be called piece by piece.

    Its arrays are attributes, by the names of its template's layout.
    """

    def __init__(self, config: RunConfig, control: Control | None = None, values: RunValues | None = None) -> None:
        self.config, self.control = config, control or Control()
        self.values = values = values or values_of(config)
        self.dtype = values.dtype
        self.data: Split = split(values.dataset, values.split_seed, values.dtype)
        if self.data.data_hash != values.data.data_hash:
            raise DatasetError(f"dataset {values.dataset['name']!r}: file changed while the study ran")
        self.template = template = template_of(shared(values))
        self.layers, self.steps = template.layers, template.steps
        self.control.steps_total = self.steps
        self.memory_of_run = Memory(template.layout, template.image)
        self._fill_tables()
        self._fill_arrays()
        self.status = STATUS.running

    def __getattr__(self, name: str) -> np.ndarray:
        """Return one of the run's arrays."""
        if name == "memory_of_run" or name not in self.memory_of_run.places:
            raise AttributeError(name)
        made = self.memory_of_run.array(name)
        self.__dict__[name] = made
        return made

    @property
    def states(self) -> list[np.ndarray]:
        """The states of clip, optimizer and wrapper."""
        return [getattr(self, name) for name in STATES]

    def _fill_tables(self) -> None:
        values, template, held = self.values, self.template, self.memory_of_run
        held.array("tables")[:] += template.relative * held.address
        self.plan[PLAN.order_seed], self.plan[PLAN.draw_seed] = values.order_seed, values.seed
        self.addresses[DATA_AT] = self.data.addresses
        self.addresses[ARRAY.control] = self.control.array.ctypes.data
        self.numbers[NUMBER.l1], self.numbers[NUMBER.l2] = values.l1, values.l2
        self.numbers[NUMBER.decay] = values.weight_decay
        for name in template.drawing:
            getattr(self, name)[-3:-1] = seed_halves(values.seed)

    def _fill_arrays(self) -> None:
        values, template, at = self.values, self.template, self.memory_of_run.at
        init, samples = dict(values.init), self.data.x_train
        initial_params(self.layers, init, values.init_seed, self.dtype, template.names, samples, self.params)
        for name, parts in template.filled:
            fill_parts(getattr(self, name), parts, self.params)
        for name in template.masks:
            getattr(self, name)[:] = 1.0
        template.rates.write(values.learning_rate, at("rates"))
        if template.decays:
            template.decays.write(values.weight_decay, at("decays"))
        if template.momenta:
            template.momenta.write(template.momentum, at("momenta"))

    def advance(self, to_step: int | None = None) -> str:
        """Train until a step (counted from 1; None: the end); return the status. Releases the GIL.

        A run that is done or has diverged stays as it is. MlpjitError unless the processor rounds to the nearest.
        """
        if self.status in (STATUS.finished, STATUS.diverged):
            return SAID[self.status]
        check_rounding()
        self.plan[PLAN.last_step] = self.steps if to_step is None else min(to_step, self.steps)
        at = self.memory_of_run.at
        self.status = self.template.train(at("plan"), at("addresses"))
        return SAID[self.status]

    def result(self, compile_seconds: float = 0.0) -> RunResult:
        """Return what the run has left so far."""
        carry: list[float] = self.carry.tolist()
        timings = {
            "compile_seconds": compile_seconds,
            "train_seconds": carry[CARRY.train_seconds],
            "evaluate_seconds": carry[CARRY.evaluate_seconds],
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


def execute(config: RunConfig, control: Control | None = None) -> RunResult:
    """Run a configuration to its end. Blocks, releases the GIL while it trains, and may run in many threads.

    Divergence is a result (status "diverged"), not an error.
    """
    values = values_of(config)
    spent = prepare_once(shared(values), config)
    run = Run(config, control, values)
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
