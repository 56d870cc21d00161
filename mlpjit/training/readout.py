"""What a run's records and carried numbers say: its history and its metrics, by name."""

from __future__ import annotations

import numpy as np

from mlpjit.kernels import tables


def history_of(records: np.ndarray, layers: int) -> dict[str, np.ndarray]:
    """Return one entry an evaluation from records (evaluations, RECORD_HEAD + layers DIAGNOSTIC_COUNT).

    Diagnostics are (evaluations, layers).
    """
    head = {
        "epoch": records[:, tables.RECORD_EPOCH].astype(np.int64),
        "step": records[:, tables.RECORD_STEP].astype(np.int64),
        "train_loss": records[:, tables.RECORD_TRAIN_LOSS].copy(),
        "validation_loss": records[:, tables.RECORD_VALIDATION_LOSS].copy(),
        "validation_score": records[:, tables.RECORD_VALIDATION_SCORE].copy(),
    }
    by_layer = records[:, tables.RECORD_HEAD :].reshape(len(records), layers, tables.DIAGNOSTIC_COUNT)
    return head | {name: by_layer[:, :, i].copy() for i, name in enumerate(tables.DIAGNOSTICS)}


def metrics_of(
    carry: np.ndarray, history: dict[str, np.ndarray], status: int, parameters: int
) -> dict[str, float | int | None]:
    """Return the numbers of a run, None for what it has not: final and test values only when it is done."""
    done, diverged = status == tables.FINISHED, status == tables.DIVERGED
    losses, scores = history["validation_loss"], history["validation_score"]
    metrics: dict[str, float | int | None] = {
        "final_train_loss": _number(carry[tables.FINAL_TRAIN_LOSS]),
        "final_validation_loss": _number(losses[-1]) if done else None,
        "final_validation_score": _number(scores[-1]) if done else None,
        "best_validation_loss": _number(carry[tables.BEST_LOSS]) if len(losses) else None,
        "best_epoch": int(carry[tables.BEST_EPOCH]) if len(losses) else None,
    }
    for name, place in (
        ("test_loss", tables.TEST_LOSS), ("test_score", tables.TEST_SCORE),
        ("best_test_loss", tables.BEST_TEST_LOSS), ("best_test_score", tables.BEST_TEST_SCORE),
    ):  # fmt: skip
        metrics[name] = _number(carry[place]) if done else None
    return metrics | {
        "parameters": parameters,
        "diverged_step": int(carry[tables.DIVERGED_STEP]) if diverged else None,
        "last_finite_loss": _number(carry[tables.LAST_FINITE_LOSS]),
    }


def _number(value: float) -> float | None:
    """Return a float, None for NaN."""
    return None if value != value else float(value)
