"""Curves as compact arrays: one row per evaluation, so that many runs join into one array without a loop.

A run's curve is (evaluations, 5) float64; its layer curve (evaluations, layers, 7) float32: diagnostics are read
off figures, losses are compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

CURVES = ("epoch", "step", "train_loss", "validation_loss", "validation_score")
LAYER_CURVES = (
    "gradient_norm", "activation_mean", "activation_std", "dead_fraction", "saturated_fraction", "weight_norm",
    "update_ratio",
)  # fmt: skip


def encode(history: Mapping[str, npt.ArrayLike]) -> tuple[int, bytes, bytes]:
    """Return (layers, curve, layer curve) of a run's history. A key that is missing is stored as NaN."""
    evaluations = len(np.atleast_1d(np.asarray(history.get("epoch", ()))))
    curve = np.full((evaluations, len(CURVES)), np.nan, dtype="<f8")
    for column, name in enumerate(CURVES):
        if name in history:
            curve[:, column] = history[name]
    present = {name: np.asarray(history[name]) for name in LAYER_CURVES if name in history}
    layers = max((array.shape[1] for array in present.values()), default=0)
    deep = np.full((evaluations, layers, len(LAYER_CURVES)), np.nan, dtype="<f4")
    with np.errstate(over="ignore"):  # beyond float32 is infinite for a figure
        for column, name in enumerate(LAYER_CURVES):
            if name in present:
                deep[:, :, column] = present[name]
    return layers, curve.tobytes(), deep.tobytes()


def decode_curves(blobs: Iterable[bytes]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return all rows (rows, 5) of many curves, and how many rows each has."""
    blobs = list(blobs)
    rows = np.frombuffer(b"".join(blobs), dtype="<f8").reshape(-1, len(CURVES))
    size = 8 * len(CURVES)
    return rows, np.array([len(blob) // size for blob in blobs], dtype=np.intp)


def decode_layers(blobs: Iterable[bytes]) -> npt.NDArray[np.float32]:
    """Return all rows (evaluations x layers of every run in order, 7) of many layer curves."""
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, len(LAYER_CURVES))


def columns(rows: npt.NDArray[Any], names: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
    """Return each column of `rows` under its name; epoch and step as whole numbers."""
    found = {name: np.ascontiguousarray(rows[:, i]) for i, name in enumerate(names)}
    return {name: array.astype(np.int64) if name in ("epoch", "step") else array for name, array in found.items()}
