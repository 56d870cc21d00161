"""Pairs of runs: differences in which the first is better when positive, lost runs included, and their tally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class PairedTest(Protocol):
    """A test of paired differences whose interval is its own inversion: `interval` excludes x iff `p(x)` <= alpha."""

    @property
    def estimate(self) -> float:
        """The shift at which the test finds nothing at all: p is 1 there."""

    @property
    def smallest_p(self) -> float:
        """The smallest p that any data of this size can reach."""

    def p(self, at: float = 0.0) -> float:
        """Return the two-sided p of the hypothesis that the differences are symmetric about `at`."""

    def equality_p(self, margin: float) -> float:
        """Return the p of "the effect is not within the margin": the larger of those at -margin and at margin."""

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the interval of confidence 1 - alpha, -inf or inf where alpha cannot be reached."""


@dataclass(frozen=True)
class Tally:
    """How many pairs the first won, tied and lost."""

    wins: int
    ties: int
    losses: int


def differences(first: npt.ArrayLike, second: npt.ArrayLike, higher_is_better: bool) -> Floats:
    """Return first - second, elementwise and turned so that positive means the first is better, in the scores' unit.

    Scores that are not finite are of lost runs, which rank worst: the pair counts -inf where only the first is
    lost, inf where only the second is, and 0 (neither is better) where both are. Raises ValueError for two shapes.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"pairs need as many scores on both sides, got shapes {a.shape} and {b.shape}")
    with np.errstate(invalid="ignore"):  # inf - inf, replaced below
        plain = a - b if higher_is_better else b - a
    lost_a, lost_b = ~np.isfinite(a), ~np.isfinite(b)
    return np.select([lost_a & lost_b, lost_a, lost_b], [0.0, -np.inf, np.inf], plain)


def tally(difference: npt.ArrayLike) -> Tally:
    """Count wins, ties and losses of the first among differences."""
    d = checked(difference)
    return Tally(int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum()))


def mean(difference: npt.ArrayLike) -> float:
    """Return the mean, where infinities are the limit of ever larger numbers: as many up as down cancel."""
    d = checked(difference)
    infinite = np.isinf(d)
    balance = np.sign(d[infinite]).sum()
    return float(balance * np.inf) if balance else float(np.where(infinite, 0.0, d).sum() / d.size)


def equality_p(test: PairedTest, margin: float) -> float:
    """Return the larger p of a test at -margin and at margin (Schuirmann 1987), 1 where the estimate lies outside."""
    return max(test.p(-margin), test.p(margin)) if abs(test.estimate) < margin else 1.0


def checked(difference: npt.ArrayLike) -> Floats:
    """Return the differences as a 1-D array; raises ValueError for none at all or NaN among them."""
    d = np.asarray(difference, dtype=np.float64).ravel()
    if d.size == 0:
        raise ValueError("a paired test needs at least one difference")
    if np.isnan(d).any():
        raise ValueError("differences hold NaN: make them by paired.differences, which ranks lost runs worst")
    return d
