"""What a run leaves, and the handle by which another thread watches and stops it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlpjit.kernels.tables import CONTROL

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig


@dataclass
class RunResult:
    """What a run leaves.

    status: "done", "diverged" or "stopped". params: packed 1-D array. history: arrays with one row an evaluation
    (epoch 0 first, the last epoch always last); per-layer ones are (evaluations, layers). metrics, timings (seconds)
    and counts by name. `train_loss` is the mean of the epoch's step losses, each before its update and with the
    penalties (L1, L2), if any; validation and test losses are without them. counts: steps, gradients, and `skipped`
    where the clipping rule left out some of the steps.
    """

    config: RunConfig
    status: str
    params: np.ndarray
    history: dict[str, np.ndarray]
    metrics: dict[str, float | int | None]
    timings: dict[str, float]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def test_score(self) -> float | None:
        """Accuracy or R^2 on the test set at the end; None where the run diverged."""
        return self.metrics["test_score"]

    @property
    def test_accuracy(self) -> float | None:
        """The test score of a classification."""
        return self.metrics["test_score"]

    @property
    def seconds(self) -> float:
        """Seconds in compiled training steps, without compiling and evaluating."""
        return self.timings["train_seconds"]


class Control:
    """Watches and stops a run from another thread."""

    def __init__(self) -> None:
        self.array = np.zeros(len(CONTROL), np.int64)
        self.steps_total = 0

    def progress(self) -> tuple[int, int]:
        """Return the steps done and the steps of the whole run."""
        return int(self.array[CONTROL.progress]), self.steps_total

    def stop(self) -> None:
        """Ask the run to return after the step, or the part of an evaluation, that it is in.

        Its status is then "stopped". A step on a large batch may take long, and is not cut short.
        """
        self.array[CONTROL.stop] = 1

    def go_on(self) -> None:
        """Take back a stop: the run may be advanced again, and ends with the same bits."""
        self.array[CONTROL.stop] = 0
