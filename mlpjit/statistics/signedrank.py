"""Wilcoxon's signed-rank test of paired differences, and the interval that inverts it.

Wilcoxon 1945, Biometrics Bulletin 1, 80-83; Hodges & Lehmann 1963, Ann. Math. Statist. 34, 598-611.

For a shift x let T be the sum of the ranks of |d - x| over positive d - x. T is the number of Walsh averages (d_i +
d_j) / 2, i <= j, above x: so p(x), its inversion, an interval between two Walsh averages, and the estimate, their
median (Hodges-Lehmann), are one thing. Only order matters: use it over problems, where one difference may be far
larger than the rest, or where runs were lost.

The null distribution is the exact one without ties, for any n. Zeros and ties are kept: an average at x counts for both
sides, so p is at least that of ties broken by any noise. Without them p is `scipy.stats.wilcoxon`'s.
Infinite differences have the highest ranks; the average of inf and -inf lies above any x as much as below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from .paired import Floats, checked, equality_p
from .quantiles import median
from .signflip import most_within


@dataclass(frozen=True, eq=False)
class SignedRank:
    """The test of one sample: `differences` 1-D, positive where the first is better, infinite for a lost run.

    Raises ValueError for no differences or NaN.
    """

    differences: npt.ArrayLike

    @cached_property
    def walsh(self) -> Floats:
        """Every Walsh average twice, ascending, of shape (n (n + 1),): what inf and -inf average to is one of each."""
        d = checked(self.differences)
        i, j = np.triu_indices(d.size)
        with np.errstate(invalid="ignore"):  # inf - inf, replaced below
            averages = d[i] + (d[j] - d[i]) / 2
            averages = np.where(np.isinf(d[i]) | np.isinf(d[j]), d[i] + d[j], averages)
        both = np.isnan(averages)
        return np.sort(np.concatenate([np.where(both, -np.inf, averages), np.where(both, np.inf, averages)]))

    @property
    def estimate(self) -> float:
        """The median of the Walsh averages (Hodges-Lehmann)."""
        return float(median(self.walsh))

    @property
    def smallest_p(self) -> float:
        """The smallest p that as many differences can reach: 2 / 2^n."""
        return float(2.0 ** (1 - checked(self.differences).size))

    def p(self, at: float = 0.0) -> float:
        """Return the two-sided p of the hypothesis that the differences are symmetric about `at`."""
        upto = np.searchsorted(self.walsh, at, side="right")
        above = self.walsh.size - np.searchsorted(self.walsh, at, side="left")
        smaller_sum = min(upto, above) // 2
        return float(min(1.0, 2 * _at_most(checked(self.differences).size)[smaller_sum]))

    def equality_p(self, margin: float) -> float:
        """Return the p of "the effect is not within the margin"."""
        return equality_p(self, margin)

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the interval of confidence 1 - alpha; infinite where alpha is below the smallest p."""
        most_within(alpha, 1)  # is it a level?
        share = 2 * _at_most(checked(self.differences).size)
        allowed = 2 * int(np.searchsorted(share, alpha, side="right"))  # of the doubled averages
        if allowed == 0:
            return -np.inf, np.inf
        return float(self.walsh[allowed - 1]), float(self.walsh[-allowed])


@lru_cache(maxsize=64)
def _at_most(n: int) -> Floats:
    """The null probability that the rank sum is at most t, for t = 0 .. n (n + 1) / 2."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    return np.cumsum(ways)
