"""Ranks of competitors over problems: average ranks, Friedman's test, Nemenyi's critical difference (Demsar 2006).

J. Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006) 1-30. A mean rank depends on
who else takes part (Benavoli et al. 2016, JMLR 17(5)): adding competitors can turn two around. So these describe a
whole field; a pair is judged by `signedrank` and `holm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .paired import Floats


@dataclass(frozen=True)
class Friedman:
    """Friedman's test, chi squared with a correction for ties: are the average ranks of all competitors alike?"""

    statistic: float
    p: float
    average_ranks: Floats


@dataclass(frozen=True)
class Nemenyi:
    """Average ranks further apart than the critical difference differ, all pairs together.

    `p` of shape (competitors, competitors). Where `refused` is text, the design cannot tell much apart: it says why,
    and `p` is None.
    """

    critical_difference: float
    p: Floats | None
    refused: str | None


def ranks(scores: npt.ArrayLike, higher_is_better: bool) -> Floats:
    """Return ranks within each problem, 1 for the best, ties averaged: scores (problems, competitors), same shape.

    A score that is not finite is of a lost run: last, level with others lost on that problem.
    """
    from scipy.stats import rankdata

    s = np.asarray(scores, dtype=np.float64)
    losses = np.where(np.isfinite(s), -s if higher_is_better else s, np.inf)
    return np.asarray(rankdata(losses, axis=1), dtype=np.float64)


def friedman(scores: npt.ArrayLike, higher_is_better: bool) -> Friedman:
    """Test scores of shape (problems, competitors); ValueError for fewer than 3 competitors or 2 problems."""
    from scipy.stats import friedmanchisquare

    found = ranks(scores, higher_is_better)
    if found.shape[0] < 2 or found.shape[1] < 3:
        raise ValueError(f"Friedman's test needs 2 problems and 3 competitors at least, got {found.shape}")
    if (found == found.mean()).all():
        return Friedman(0.0, 1.0, found.mean(axis=0))  # all tied: its correction for ties would divide by 0
    result = friedmanchisquare(*found.T)
    return Friedman(float(result.statistic), float(result.pvalue), found.mean(axis=0))


def critical_difference(competitors: int, problems: int, alpha: float = 0.05) -> float:
    """Return q sqrt(k (k + 1) / (6 N)), q the studentized range's quantile over sqrt(2) (Demsar, section 3.2.2)."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - alpha, competitors, np.inf) / math.sqrt(2)
    return float(q * _rank_error(competitors, problems))


def nemenyi(scores: npt.ArrayLike, higher_is_better: bool, alpha: float = 0.05) -> Nemenyi:
    """Compare all pairs of competitors of scores (problems, competitors).

    Refused where the critical difference exceeds half of what ranks can range over, k - 1.
    """
    from scipy.stats import studentized_range

    average = ranks(scores, higher_is_better).mean(axis=0)
    k, problems = average.size, np.shape(scores)[0]
    difference = critical_difference(k, problems, alpha)
    if difference > (k - 1) / 2:
        return Nemenyi(difference, None, _reason(k, problems, difference))
    apart = np.abs(average[:, None] - average[None, :]) / _rank_error(k, problems) * math.sqrt(2)
    distinct, place = np.unique(apart, return_inverse=True)
    p = np.minimum(1.0, studentized_range.sf(distinct, k, np.inf))
    return Nemenyi(difference, p[place].reshape(apart.shape), None)


def _rank_error(competitors: int, problems: int) -> float:
    return math.sqrt(competitors * (competitors + 1) / (6 * problems))


def _reason(competitors: int, problems: int, difference: float) -> str:
    return (
        f"{problems} problems are too few to compare {competitors} competitors by average ranks: only ranks further "
        f"apart than {difference:.2f} would differ, more than half of the {competitors - 1} between first and last"
    )
