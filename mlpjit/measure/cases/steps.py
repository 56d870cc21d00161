"""The training step: one run in memory, advanced in slices, without evaluation."""

from __future__ import annotations

from typing import Any

from mlpjit.config.run_config import RunConfig
from mlpjit.measure.cases.work import Work, size
from mlpjit.training import cost, shape
from mlpjit.training.run import Run
from mlpjit.training.warm import prepare

EPOCHS = 2000


def config(depth: int, width: int, activation: str, optimizer: str, batch: int, dtype: str) -> RunConfig:
    """Return a long run on digits that is evaluated at its very end only."""
    return RunConfig(
        dataset="digits", depth=depth, width=width, activation=activation, optimizer=optimizer, batch_size=batch,
        learning_rate=1e-4, epochs=EPOCHS, evaluate_every=EPOCHS, seed=0, dtype=dtype,
    )  # fmt: skip


class Steps:
    """A run that begins again before it ends."""

    def __init__(self, settings: RunConfig) -> None:
        self.settings = settings
        self.restart()

    def restart(self) -> None:
        """Begin again: buffers, first weights, the evaluation before step 1."""
        self.training, self.done = Run(self.settings), 0
        self.advance(1)

    def advance(self, steps: int) -> None:
        """Take so many steps."""
        if self.done + steps >= self.training.steps:
            self.restart()
        self.done += steps
        self.training.advance(self.done)


def training_step(depth: int, width: int, activation: str, optimizer: str, batch: int, dtype: str) -> Work:
    """One step: gather, forward, loss, backward, update; every slice makes its epoch's order once more."""
    settings = config(depth, width, activation, optimizer, batch, dtype)
    prepare([settings])
    steps = Steps(settings)
    run: Any = steps.training
    rows = len(run.data.x_train) / shape.steps_per_epoch(settings)
    touched = size(run.params, run.grads, *run.states)
    # Weights forward and backward, gradients written; parameters, gradients and state in the update; the batch.
    moved = 3 * size(run.params) + 2 * touched + rows * run.data.x_train.shape[1] * shape.ITEM_BYTES[dtype]
    flop = cost.step_flops(settings, 1) * rows
    return Work(steps.advance, flop, moved, touched + size(run.workspace))
