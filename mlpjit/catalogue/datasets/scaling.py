"""Column statistics and scaling with the same bits on every CPU.

NumPy's own sums change their order with the shape and the vector width, so sums here are made of elementwise
additions only: those are rounded the same everywhere.

Rows are (n, d), or (..., n, d) for several sets of rows at once; they may lie in memory column by column, which is the
faster the fewer columns there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlpjit.catalogue.datasets.records import Floats, Scaling
from mlpjit.errors import DatasetError

BLOCK = 1024
# Powers of two between which squares, and sums of them, keep all their digits.
PLAIN_EXPONENT = 480
TOO_LARGE = "holds numbers too large to standardize"
LEAST_DEVIATION = float(np.finfo(np.float64).tiny)


def column_sums(rows: Floats) -> Floats:
    """Return the sum of each column of (..., n, d) in a fixed order.

    Blocks of 1024 rows are folded in halves, lower half plus upper half, then the blocks are added in order.
    """
    total = np.zeros((*rows.shape[:-2], rows.shape[-1]))
    for start in range(0, rows.shape[-2], BLOCK):
        block = rows[..., start : start + BLOCK, :].copy(order="K")
        count = block.shape[-2]
        while count > 1:
            half = (count + 1) // 2
            block[..., : count - half, :] += block[..., half:count, :]
            count = half
        total += block[..., 0, :]
    return total


@dataclass(frozen=True)
class Transform:
    """The scaling that was fitted: scaled = (raw - shift) / divisor, column by column.

    shift, divisor: (d,), or (..., d) where it was fitted to several sets of rows.
    """

    shift: Floats
    divisor: Floats

    def apply(self, raw: Floats) -> Floats:
        """Scale raw columns."""
        scaled = raw - (self.shift[..., None, :] if self.shift.ndim > 1 else self.shift)
        scaled /= self.divisor[..., None, :] if self.divisor.ndim > 1 else self.divisor
        return scaled

    def of(self, place: int) -> Transform:
        """Return the scaling of one of several sets of rows."""
        return Transform(*(each[place] if each.ndim > 1 else each for each in (self.shift, self.divisor)))

    def undo(self, scaled: Floats) -> Floats:
        """Return scaled columns to the units of the data."""
        return scaled * self.divisor + self.shift


def fit(scaling: Scaling, rows: Floats, label: str = "data") -> Transform:
    """Fit a scaling to training rows (n, d), or to each of several sets of them.

    Standardizing subtracts the mean and divides by the standard deviation (biased: divided by n). A constant
    column becomes 0: its value is subtracted and it is divided by 1. DatasetError, which begins with `label`,
    for numbers whose sum overflows, or whose deviation is below the smallest normal number.
    """
    count, columns = rows.shape[-2:]
    if scaling.kind != "standardize":
        return Transform(np.zeros(columns), np.full(columns, scaling.divisor))
    low, high = rows.min(axis=-2), rows.max(axis=-2)
    constant = low == high
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(constant, rows[..., 0, :], column_sums(rows) / count)
        peak = np.maximum(high - mean, mean - low)
        divisor = np.where(constant, 1.0, _deviations(rows - mean[..., None, :], peak))
    finite = np.isfinite(mean) & np.isfinite(divisor)
    _refuse(~finite, label, TOO_LARGE)
    _refuse(divisor < LEAST_DEVIATION, label, f"varies by less than {LEAST_DEVIATION:.1e}, too little to standardize")
    return Transform(mean, divisor)


def check(scaling: Scaling, rows: Floats, label: str = "data") -> float:
    """Return the largest magnitude among rows (n, d) divided by a constant, 0 where they are standardized.

    Raises DatasetError for what overflows, whichever rows are for training, and for what varies too little.
    """
    fit(scaling, rows, label)
    peak = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    with np.errstate(over="ignore"):
        if scaling.kind == "standardize":
            _refuse(~np.isfinite(2.0 * len(rows) * peak), label, TOO_LARGE)
            return 0.0
        found = float(np.float64(peak.max()) / scaling.divisor)
    if not np.isfinite(found):
        raise DatasetError(f"{label}: scaling = {scaling.divisor!r}, by which its numbers are too large for float64")
    return found


def _deviations(differences: Floats, peak: Floats) -> Floats:
    """Return the root of the mean square of each column (..., n, d), which it overwrites; peak: its largest magnitude.

    Columns of very small or large numbers are brought to about 1 by a power of two, which is exact: their squares
    would underflow or overflow.
    """
    exponent = np.frexp(np.where(np.isfinite(peak), peak, 0.0))[1]
    exponent[abs(exponent) <= PLAIN_EXPONENT] = 0
    if exponent.any():
        np.ldexp(differences, -exponent[..., None, :], out=differences)
    differences *= differences
    return np.ldexp(np.sqrt(column_sums(differences) / differences.shape[-2]), exponent)


def _refuse(wrong: np.ndarray, label: str, why: str) -> None:
    """Raise DatasetError for the first of the columns (..., d) that are wrong."""
    if wrong.any():
        raise DatasetError(f"{label}: column {int(np.argwhere(wrong)[0, -1]) + 1} {why}")
