"""One configuration to one result: the buffers of a run, its compiled call, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpjit.catalogue.datasets import Split
from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.steps import write_point
from mlpjit.kernels.tables import CARRY, NONE_AT, PLAN, STATUS
from mlpjit.training import shape
from mlpjit.training.chunk import Chunk
from mlpjit.training.result import COUNTED, METRICS, SAID, TIMINGS, Control, RunResult, results_of
from mlpjit.training.tables import STATES
from mlpjit.training.values import RunValues, shared, values_of
from mlpjit.training.warm import prepare, prepare_once

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.steering import Steering


class Run:
    """A run in memory: all its buffers, and `advance(to_step)`, which may be called piece by piece.

    Its arrays are attributes, by the names of its template's layout.
    """

    def __init__(
        self, config: RunConfig, control: Control | None = None, values: RunValues | None = None,
        steering: Steering | None = None,
    ) -> None:  # fmt: skip
        self.config, self.control = config, control or Control()
        self.values = values = values or values_of(config)
        self.dtype = values.dtype
        self.chunk = Chunk(values, [values], self.control)
        self.data: Split = self.chunk.splits[values.split_seed]
        self.template = template = self.chunk.template
        self.layers, self.steps = template.layers, template.steps
        self.memory_of_run = self.chunk.memory
        self.chunk.begin()
        self.kept: dict[str, np.ndarray] = {}  # arrays whose addresses stand in the tables
        if steering is not None:
            steering.apply(self)
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
        left = results_of(
            np.array([self.status]), self.carry[None], self.records[None], self.chunk.times, len(self.layers),
            len(self.params), compile_seconds,
        )  # fmt: skip
        counts = {name: count for name, count in left.of(0, COUNTED).items() if count or name != "skipped"}
        params, history = self.point(), left.history(0)
        return RunResult(self.config, left.states[0], params, history, left.of(0, METRICS), left.of(0, TIMINGS), counts)

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
