"""Medians, quartiles, bootstrap intervals and line fits: arrays in, arrays out.

An infinite value is a result (a diverged run), so quantiles are taken by rank: +inf sorts last and never
turns into NaN the way `np.quantile` interpolates between two infinities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x by least squares; `r_squared` is 1 for points on a line, NaN for constant y."""

    slope: float
    intercept: float
    r_squared: float

    def at(self, x: npt.ArrayLike) -> Floats:
        """Return the line's y at each x."""
        return np.asarray(self.intercept + self.slope * np.asarray(x, dtype=np.float64))


def quantile(values: npt.ArrayLike, share: float) -> Floats:
    """Return the quantile along axis 0, linear between ranks (Hyndman & Fan 1996, type 7), +-inf allowed.

    `share` lies in 0..1. NaN anywhere in a column makes its quantile NaN; no values at all give NaN.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=0)
    if ordered.shape[0] == 0:
        return np.full(ordered.shape[1:], np.nan)
    position = share * (ordered.shape[0] - 1)
    low, high = ordered[math.floor(position)], ordered[math.ceil(position)]
    part = position - math.floor(position)
    with np.errstate(invalid="ignore"):  # inf - inf, replaced below
        between = low + part * (high - low)
    between = np.where((low == high) | np.isneginf(low), low, between)
    return np.where(np.isnan(ordered[-1]), np.nan, between)  # sort puts NaN last


def median(values: npt.ArrayLike) -> Floats:
    """Return the median along axis 0, infinities allowed."""
    return quantile(values, 0.5)


def quartiles(values: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return lower quartile, median and upper quartile along axis 0, infinities allowed."""
    return quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)


def median_interval(
    values: npt.ArrayLike, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the median (Efron 1979) of a 1-D sample.

    The same values and seed give the same interval in any order of the values. No values give NaN, one value
    gives itself twice.
    """
    sample = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if sample.size == 0:
        return math.nan, math.nan
    picks = np.random.Generator(np.random.PCG64(seed)).integers(0, sample.size, (sample.size, resamples))
    medians = median(sample[picks])
    tail = (1 - confidence) / 2
    return float(quantile(medians, tail)), float(quantile(medians, 1 - tail))


def fit_line(x: npt.ArrayLike, y: npt.ArrayLike) -> Line:
    """Fit y = intercept + slope x by least squares through 1-D points.

    Raises ValueError for fewer than two distinct x, where no line is determined.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if np.unique(xs).size < 2:
        raise ValueError("a line needs points at two different x at least")
    dx, dy = xs - xs.mean(), ys - ys.mean()
    slope = float((dx * dy).sum() / (dx * dx).sum())
    total = float((dy * dy).sum())
    residual = float(((dy - slope * dx) ** 2).sum())
    r_squared = 1 - residual / total if total > 0 else math.nan
    return Line(slope, float(ys.mean() - slope * xs.mean()), r_squared)
