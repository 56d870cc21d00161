"""Column statistics and scaling with the same bits on every CPU.

NumPy's own sums change their order with the shape and the vector width, so sums here are made of elementwise
additions only: those are rounded the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlpjit.catalogue.datasets.records import Floats, Scaling
from mlpjit.errors import DatasetError

BLOCK = 1024


def column_sums(rows: Floats) -> Floats:
    """Return the sum of each column of (n, d) in a fixed order.

    Blocks of 1024 rows are folded in halves, lower half plus upper half, then the blocks are added in order.
    """
    total = np.zeros(rows.shape[1])
    for start in range(0, rows.shape[0], BLOCK):
        block = rows[start : start + BLOCK]
        while len(block) > 1:
            half = (len(block) + 1) // 2
            folded = block[:half].copy()
            folded[: len(block) - half] += block[half:]
            block = folded
        total += block[0]
    return total


@dataclass(frozen=True)
class Transform:
    """The scaling that was fitted: scaled = (raw - shift) / divisor, column by column."""

    shift: Floats
    divisor: Floats

    def apply(self, raw: Floats) -> Floats:
        """Scale raw columns."""
        scaled = raw - self.shift
        scaled /= self.divisor
        return scaled

    def undo(self, scaled: Floats) -> Floats:
        """Return scaled columns to the units of the data."""
        return scaled * self.divisor + self.shift


def fit(scaling: Scaling, rows: Floats, label: str = "data") -> Transform:
    """Fit a scaling to training rows (n, d).

    Standardizing subtracts the mean and divides by the standard deviation (biased: divided by n). A constant
    column becomes 0: its value is subtracted and it is divided by 1. DatasetError, which begins with `label`,
    for numbers whose squares overflow.
    """
    columns = rows.shape[1]
    if scaling.kind != "standardize":
        return Transform(np.zeros(columns), np.full(columns, scaling.divisor))
    constant = rows.min(axis=0) == rows.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(constant, rows[0], column_sums(rows) / len(rows))
        squares = rows - mean
        squares *= squares
        deviation = np.sqrt(column_sums(squares) / len(rows))
    # Squares of tiny differences can underflow to 0; such a column is left as it is, too.
    divisor = np.where(constant | (deviation == 0.0), 1.0, deviation)
    if not np.isfinite(mean).all() or not np.isfinite(divisor).all():
        column = int(np.flatnonzero(~(np.isfinite(mean) & np.isfinite(divisor)))[0]) + 1
        raise DatasetError(f"{label}: column {column} holds numbers too large to standardize")
    return Transform(mean, divisor)
