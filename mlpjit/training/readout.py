"""What a run's records and carried numbers say: its history and its metrics, by name."""

from __future__ import annotations

import numpy as np

from mlpjit.kernels.run.records import DIAGNOSTICS
from mlpjit.kernels.tables import CARRY, HEAD, STATUS


def history_of(records: np.ndarray, layers: int) -> dict[str, np.ndarray]:
    """Return one entry an evaluation from records (evaluations, len(HEAD) + layers len(DIAGNOSTICS)).

    Diagnostics are (evaluations, layers).
    """
    head = {
        "epoch": records[:, HEAD.epoch].astype(np.int64),
        "step": records[:, HEAD.step].astype(np.int64),
        "train_loss": records[:, HEAD.train_loss].copy(),
        "validation_loss": records[:, HEAD.validation_loss].copy(),
        "validation_score": records[:, HEAD.validation_score].copy(),
    }
    by_layer = records[:, len(HEAD) :].reshape(len(records), layers, len(DIAGNOSTICS))
    return head | {name: by_layer[:, :, i].copy() for i, name in enumerate(DIAGNOSTICS)}


def metrics_of(
    carry: np.ndarray, history: dict[str, np.ndarray], status: int, parameters: int
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
