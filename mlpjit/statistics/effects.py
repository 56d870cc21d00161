"""Effects of factors and their interactions on a balanced grid, and the share of variance that each explains.

The grid has scores of shape (levels of factor 0, levels of factor 1, ..., seeds): every combination with the same
seeds. A main effect is a level's mean minus the grand mean, an interaction a cell's mean minus what both main effects
say, averaged over all other factors. Each is a linear contrast, so every seed has its own value of it and the seeds
are the sample: interval and p are those of the sign-flip test over the seeds (`signflip`), not of a bootstrap.

Shares of variance are those of the functional analysis of variance of the cells' means (Hoeffding 1948; Hutter et al.
2014, ICML), which on a balanced grid is exact and sums to 1 over all sets of factors. They contain the
seeds' noise, and describe this grid: other levels have other shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from .paired import Floats
from .signflip import SignFlip

ROUNDING = 1e-12  # of the largest score


@dataclass(frozen=True)
class Effect:
    """A contrast in the scores' unit: its mean over the seeds, with interval and p of the sign-flip test over them."""

    estimate: float
    low: float
    high: float
    p: float


def main_effects(scores: npt.ArrayLike, factor: int, alpha: float = 0.05) -> list[Effect]:
    """Return the effect of each level of a factor (its axis), against the mean of all levels."""
    per_seed = contrasts(scores, (factor,))
    return [_effect(level, alpha) for level in per_seed]


def interactions(scores: npt.ArrayLike, first: int, second: int, alpha: float = 0.05) -> list[list[Effect]]:
    """Return the interaction of each level of the first factor (rows) with each of the second."""
    per_seed = contrasts(scores, (first, second))
    return [[_effect(cell, alpha) for cell in row] for row in (per_seed if first < second else per_seed.swapaxes(0, 1))]


def contrasts(scores: npt.ArrayLike, factors: tuple[int, ...]) -> Floats:
    """Return every seed's effects of a set of factors: (levels of each, in the order of axes, seeds).

    For one factor main effects, for two their interactions, and so on: what the set explains beyond its subsets.
    Rounding (less than 1e-12 of the largest score) is 0: a factor that changes nothing has no effect of 1e-17.
    Raises ValueError for scores that are not finite (name a score for lost runs first, as that of guessing), factors
    that are not there or the same twice.
    """
    s = grid(scores)
    chosen = sorted(factors)
    if len(set(chosen)) < len(chosen) or not all(0 <= factor < s.ndim - 1 for factor in chosen):
        raise ValueError(f"factors are different axes in 0..{s.ndim - 2}, got {factors}")
    others = tuple(axis for axis in range(s.ndim - 1) if axis not in chosen)
    means = s.mean(axis=others)
    for axis in range(len(chosen)):
        means = means - means.mean(axis=axis, keepdims=True)
    return np.where(np.abs(means) < ROUNDING * np.abs(s).max(), 0.0, means)


def variance_shares(scores: npt.ArrayLike) -> dict[tuple[int, ...], float]:
    """Return the share of the cells' variance of each set of factors, largest first; empty where cells are alike."""
    s = grid(scores)
    cells = s.mean(axis=-1, keepdims=True)
    apart = cells - cells.mean()
    if (np.abs(apart) <= ROUNDING * np.abs(cells).max()).all():
        return {}
    total = float((apart**2).mean())
    shares = {chosen: float((contrasts(cells, chosen) ** 2).mean()) / total for chosen in _sets(range(s.ndim - 1))}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def grid(scores: npt.ArrayLike) -> Floats:
    """Return scores as a grid of one factor at least and seeds; ValueError for anything else or lost runs."""
    s = np.asarray(scores, dtype=np.float64)
    if s.ndim < 2 or s.size == 0:
        raise ValueError(f"a grid has an axis for each factor and one for the seeds, got shape {s.shape}")
    if not np.isfinite(s).all():
        raise ValueError("effects of lost runs are not defined: name the score of a lost run, as that of guessing")
    return s


def _effect(per_seed: Floats, alpha: float) -> Effect:
    test = SignFlip(per_seed)
    return Effect(test.estimate, *test.interval(alpha), test.p())


def _sets(factors: Iterable[int]) -> Iterable[tuple[int, ...]]:
    chosen = tuple(factors)
    for size in range(1, len(chosen) + 1):
        yield from combinations(chosen, size)
