"""mlpjit's side: the run as `mlpjit run` makes it, the evaluations before its first and after its last step apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mlpjit.kernels.tables import CARRY
from mlpjit.measure.peers.stopwatch import Once, Spent, clocked
from mlpjit.measure.peers.task import Task, config
from mlpjit.training.run import Run
from mlpjit.training.warm import prepare


def variants(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the one way of running a task."""
    return {"run": partial(_prepared, task)}


def _prepared(task: Task) -> Once:
    settings = config(task.cell, task.epochs)
    prepare([settings])
    *before, _ = _losses(task)
    scale = task.steps / max(1, task.steps - 2)

    def once() -> tuple[Spent, list[float]]:
        run = Run(settings)
        run.advance(1)
        spent, _ = clocked(lambda: run.advance(run.steps - 1))
        run.advance()
        return Spent(spent.core * scale, spent.wall * scale), [*before, float(run.carry[CARRY.final_train_loss])]

    return once


def _losses(task: Task) -> list[float]:
    """Return the mean training loss of each epoch, by stopping after each."""
    run, found = Run(config(task.cell, task.epochs)), []
    for epoch in range(task.epochs):
        run.advance((epoch + 1) * (task.steps // task.epochs))
        found.append(float(run.carry[CARRY.final_train_loss]))
    return found
