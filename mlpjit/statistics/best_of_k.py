"""What the best of k settings would score, against k: is a competitor good, or only much tuned?

Of n settings tried, all subsets of k are as likely, so the expected best is a weighted mean of the sorted scores, the
i-th best having weight C(n - i, k - 1) / C(n, k): unbiased for every k <= n (Tang et al. 2020, arXiv:2004.13705,
equation 4). Drawing with replacement instead (Dodge et al. 2019, arXiv:1909.03004) is biased: it may take one setting
twice.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .paired import Floats


def expected_best(
    chosen_by: npt.ArrayLike, scores: npt.ArrayLike | None = None, higher_is_better: bool = True
) -> Floats:
    """Return the expected score of the best of k settings for k = 1 .. n, shape (n,).

    Settings are chosen by `chosen_by` (n,), as validation scores, and reported by `scores` (n,), as their test scores
    (None: the same). Settings that tie share their scores' mean. Not finite is lost: chosen last, and infinitely bad
    for every k that may draw only such. Raises ValueError for none or unequal numbers.
    """
    by = _losses(chosen_by, higher_is_better)
    reported = by if scores is None else _losses(scores, higher_is_better)
    if by.size == 0 or by.shape != reported.shape:
        raise ValueError(f"best of k needs a score for each setting, got {by.size} and {reported.size}")
    ordered = _tied_means(by, reported)
    best = np.array([_weighted(ordered, weights(by.size, k)) for k in range(1, by.size + 1)])
    return -best if higher_is_better else best


def weights(n: int, k: int) -> Floats:
    """Return the chance that the i-th best of n settings is the best of k drawn without replacement, i = 1 .. n."""
    total = math.comb(n, k)
    return np.array([math.comb(n - i, k - 1) / total for i in range(1, n + 1)])


def _losses(values: npt.ArrayLike, higher_is_better: bool) -> Floats:
    v = np.asarray(values, dtype=np.float64).ravel()
    return np.where(np.isfinite(v), -v if higher_is_better else v, np.inf)


def _tied_means(by: Floats, reported: Floats) -> Floats:
    """The reported losses in the order of what is chosen by, level where that is."""
    _, group, sizes = np.unique(by, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=reported) / sizes
    return np.repeat(means, sizes)


def _weighted(values: Floats, weight: Floats) -> float:
    drawn = weight > 0  # infinity times no chance is nothing
    return float((values[drawn] * weight[drawn]).sum())
