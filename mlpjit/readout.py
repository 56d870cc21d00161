"""What a run's records and carried numbers say: its history and its metrics, by name."""

from __future__ import annotations

import numpy as np

from mlpjit.kernels import layout


def history_of(records: np.ndarray, layers: int) -> dict[str, np.ndarray]:
    """Return one entry an evaluation from records (evaluations, RECORD_HEAD + layers DIAGNOSTIC_COUNT).

    Diagnostics are (evaluations, layers).
    """
    head = {
        "epoch": records[:, layout.RECORD_EPOCH].astype(np.int64),
        "step": records[:, layout.RECORD_STEP].astype(np.int64),
        "train_loss": records[:, layout.RECORD_TRAIN_LOSS].copy(),
        "validation_loss": records[:, layout.RECORD_VALIDATION_LOSS].copy(),
        "validation_score": records[:, layout.RECORD_VALIDATION_SCORE].copy(),
    }
    by_layer = records[:, layout.RECORD_HEAD :].reshape(len(records), layers, layout.DIAGNOSTIC_COUNT)
    return head | {name: by_layer[:, :, i].copy() for i, name in enumerate(layout.DIAGNOSTICS)}


def metrics_of(
    carry: np.ndarray, history: dict[str, np.ndarray], status: int, parameters: int
) -> dict[str, float | int | None]:
    """Return the numbers of a run, None for what it has not: final and test values only when it is done."""
    done, diverged = status == layout.FINISHED, status == layout.DIVERGED
    losses, scores = history["validation_loss"], history["validation_score"]
    metrics: dict[str, float | int | None] = {
        "final_train_loss": _number(carry[layout.FINAL_TRAIN_LOSS]),
        "final_validation_loss": _number(losses[-1]) if done else None,
        "final_validation_score": _number(scores[-1]) if done else None,
        "best_validation_loss": _number(carry[layout.BEST_LOSS]) if len(losses) else None,
        "best_epoch": int(carry[layout.BEST_EPOCH]) if len(losses) else None,
    }
    for name, place in (
        ("test_loss", layout.TEST_LOSS), ("test_score", layout.TEST_SCORE),
        ("best_test_loss", layout.BEST_TEST_LOSS), ("best_test_score", layout.BEST_TEST_SCORE),
    ):  # fmt: skip
        metrics[name] = _number(carry[place]) if done else None
    return metrics | {
        "parameters": parameters,
        "diverged_step": int(carry[layout.DIVERGED_STEP]) if diverged else None,
        "last_finite_loss": _number(carry[layout.LAST_FINITE_LOSS]),
    }


def _number(value: float) -> float | None:
    """Return a float, None for NaN."""
    return None if value != value else float(value)
