"""How much of the variance each factor explains, with an interval: over problems, or over the seeds of one.

Over problems each problem's shares are a sample, with Student's interval of their mean. On one problem the seeds are:
shares are no means over them, so their interval is the jackknife's (Tukey 1958; Miller 1974, Biometrika 61), Student's
of the pseudo-values n s - (n - 1) s_i, where s_i leaves out seed i. Intervals are cut at 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .effects import grid, variance_shares
from .paired import Floats

Factors = tuple[int, ...]


@dataclass(frozen=True)
class Share:
    """A share of the variance with the ends of its interval, 0 and 1 where the sample has one member."""

    estimate: float
    low: float
    high: float


def over_seeds(scores: npt.ArrayLike, alpha: float = 0.05) -> dict[Factors, Share]:
    """Return the share of each set of factors on a balanced grid, largest first; empty where all cells are alike."""
    s = grid(scores)
    whole, seeds = variance_shares(s), s.shape[-1]
    if seeds == 1:
        return {chosen: Share(share, 0.0, 1.0) for chosen, share in whole.items()}
    parts = [variance_shares(np.delete(s, at, axis=-1)) for at in range(seeds)]
    found = {}
    for chosen, share in whole.items():
        pseudo = seeds * share - (seeds - 1) * np.array([part.get(chosen, 0.0) for part in parts])
        found[chosen] = Share(share, *_ends(pseudo, share, alpha))
    return found


def over_problems(shares: Sequence[dict[Factors, float]], alpha: float = 0.05) -> dict[Factors, Share]:
    """Return the mean share of each set of factors over problems, largest first; where none is told it is 0."""
    sets = dict.fromkeys(chosen for some in shares for chosen in some)
    found = {}
    for chosen in sets:
        values = np.array([some.get(chosen, 0.0) for some in shares])
        found[chosen] = Share(float(values.mean()), *_ends(values, float(values.mean()), alpha))
    return dict(sorted(found.items(), key=lambda item: -item[1].estimate))


def _ends(values: Floats, middle: float, alpha: float) -> tuple[float, float]:
    """Student's interval around the estimate, by the spread of a sample."""
    if values.size < 2:
        return 0.0, 1.0
    from scipy.special import stdtrit  # what scipy.stats calls: that takes 60 MB and a second to import

    reach = float(stdtrit(values.size - 1, 1 - alpha / 2)) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return max(0.0, middle - reach), min(1.0, middle + reach)
