"""What a run leaves, read from its records and carried numbers, and the handle that watches and stops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS
from mlpjit.kernels.tables import CARRY, CONTROL, STATUS

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


def history_of(records: np.ndarray, layers: int) -> dict[str, np.ndarray]:
    """Return one entry an evaluation from records, whose rows hold those of the run, then those of each layer.

    Records of layers are (evaluations, layers).
    """
    of_run = {name: records[:, i].copy() for i, name in enumerate(RUN_RECORDS)}
    of_run |= {name: of_run[name].astype(np.int64) for name in ("epoch", "step")}
    by_layer = records[:, len(RUN_RECORDS) :].reshape(len(records), layers, len(LAYER_RECORDS))
    return of_run | {name: by_layer[:, :, i].copy() for i, name in enumerate(LAYER_RECORDS)}


def metrics_of(
    carry: Sequence[float], history: dict[str, np.ndarray], status: int, parameters: int
) -> dict[str, float | int | None]:
    """Return the numbers of a run, None for what it has not: final and test values only when it is done."""
    done, diverged = status == STATUS.finished, status == STATUS.diverged
    losses, scores = history["validation_loss"], history["validation_score"]
    metrics: dict[str, float | int | None] = {
        "final_train_loss": _number(carry[CARRY.final_train_loss]),
        "final_validation_loss": _number(losses[-1]) if done else None,
        "final_validation_score": _number(scores[-1]) if done else None,
        "best_validation_loss": _number(carry[CARRY.best_loss]) if len(losses) else None,
        "best_epoch": int(carry[CARRY.best_epoch]) if len(losses) else None,
    }
    for name, place in (
        ("test_loss", CARRY.test_loss), ("test_score", CARRY.test_score),
        ("best_test_loss", CARRY.best_test_loss), ("best_test_score", CARRY.best_test_score),
    ):  # fmt: skip
        metrics[name] = _number(carry[place]) if done else None
    return metrics | {
        "parameters": parameters,
        "diverged_step": int(carry[CARRY.diverged_step]) if diverged else None,
        "last_finite_loss": _number(carry[CARRY.last_finite_loss]),
    }


def _number(value: float) -> float | None:
    """Return a float, None for NaN."""
    return None if value != value else float(value)
