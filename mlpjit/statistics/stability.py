"""Does a ranking hang on one problem? Left out one at a time, what changes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .paired import Floats
from .ranks import ranks


@dataclass(frozen=True)
class Stability:
    """A ranking by average ranks, and the same without each problem.

    `positions` (competitors,) with all problems, 1 for the best; `without` (problems, competitors), `agreement`
    (problems,): Kendall's tau-b between the two; `winner_lost` the problems without which the first is no longer
    first alone or at all.
    """

    positions: Floats
    without: Floats
    agreement: Floats
    winner_lost: tuple[int, ...]

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """The best and worst position that each competitor takes when a problem is left out."""
        return list(zip(self.without.min(axis=0).tolist(), self.without.max(axis=0).tolist(), strict=True))


def leave_one_out(scores: npt.ArrayLike, higher_is_better: bool) -> Stability:
    """Rank competitors by their average rank over problems, scores (problems, competitors), and without each problem.

    Raises ValueError for fewer than 2 problems or competitors.
    """
    from scipy.stats import kendalltau

    found = ranks(scores, higher_is_better)
    if min(found.shape) < 2:
        raise ValueError(f"stability needs 2 problems and 2 competitors at least, got {found.shape}")
    positions = _positions(found.sum(axis=0))
    without = np.stack([_positions(found.sum(axis=0) - problem) for problem in found])
    agreement = np.array([kendalltau(positions, other).statistic for other in without])
    first = positions == positions.min()
    lost = [problem for problem, other in enumerate(without) if ((other == other.min()) != first).any()]
    return Stability(positions, without, agreement, tuple(lost))


def _positions(rank_sums: Floats) -> Floats:
    """Positions of sums of midranks, which are exact in halves: ties are ties."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(rank_sums), dtype=np.float64)
