"""What a file's target column means: classes or numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.records import Column, Floats
from mlpjit.errors import DatasetError

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
MOST_CLASSES = 20  # without task=, more different whole numbers than this are a quantity, not classes
SAMPLES_PER_CLASS = 3  # without task=, fewer samples than this for each different number likewise


@dataclass(frozen=True)
class Table:
    """A file's contents: x (n, d) float64; y (n,) text or numbers, or (n, k) numbers; `place` names a row.

    columns, target, notes: as in `Raw`.
    """

    label: str
    x: Floats
    y: npt.NDArray[Any]
    place: Callable[[int], str]
    columns: tuple[Column, ...] = ()
    target: str = ""
    notes: tuple[str, ...] = ()


def is_missing(cell: str) -> bool:
    """Return whether a cell says that it holds nothing."""
    return cell.lower() in MISSING


def encode(table: Table, task: str | None) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return (labels (n,) int64, names of the classes), or (targets (n, k) float64, ()) for regression.

    Classes are numbered in sorted order: numbers by value, text by alphabet.
    """
    text = table.y.dtype.kind == "U"
    if task == "regression" and text:
        row = _first_text(table.y)
        got = f"text {table.y[row].tolist()!r} as target, {table.place(row)}"
        raise DatasetError(f"{table.label}: {got}; regression needs numbers")
    if task == "regression" or (task is None and not text and not _looks_like_classes(table.y)):
        return np.ascontiguousarray(table.y, dtype=np.float64).reshape(len(table.y), -1), ()
    y = table.y.argmax(axis=1) if _one_hot(table.y) else table.y
    if y.ndim != 1:
        raise DatasetError(f"{table.label}: y has shape {y.shape}, need one column, or one-hot rows")
    values, labels = np.unique(y, return_inverse=True)
    if text:
        _refuse_missing(table, values)
    return labels.astype(np.int64), tuple(_name(value) for value in values.tolist())


def _refuse_missing(table: Table, texts: npt.NDArray[np.str_]) -> None:
    """A text that stands for nothing is no class of its own."""
    for gap in filter(is_missing, texts.tolist()):
        raise DatasetError(f"{table.label}: no target at {table.place(int(np.argmax(table.y == gap)))}: {gap!r}")


def _one_hot(y: npt.NDArray[Any]) -> bool:
    if y.ndim != 2 or y.dtype.kind == "U":
        return False
    return bool(((y == 0) | (y == 1)).all() and ((y == 1).sum(axis=1) == 1).all())


def _looks_like_classes(y: npt.NDArray[Any]) -> bool:
    if y.ndim == 2:
        return _one_hot(y)
    if not (y == np.floor(y)).all():
        return False
    return len(np.unique(y)) <= min(MOST_CLASSES, len(y) // SAMPLES_PER_CLASS)


def _name(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _first_text(y: npt.NDArray[Any]) -> int:
    for row, value in enumerate(y.tolist()):
        try:
            float(value)
        except ValueError:
            return row
    return 0
