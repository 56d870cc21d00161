"""Racing: settings that are certainly not the best run no further seeds (F-race; Birattari et al. 2002, GECCO, 11-18).

Every run is whole: a loss is a run's last one. Halving by learning curves is another thing, and no fair one, since
curves cross when the rate decays. After some seeds Friedman's test asks whether the settings left differ at all; if so,
those go whose rank sum is further from the lowest than Conover's critical difference (Conover 1999, Practical
nonparametric statistics, 3rd ed., section 5.8), for each of the k of them at level alpha:

    t sqrt(2 (n A - sum R^2) / ((n - 1) (k - 1))),    A the sum of all squared ranks, R rank sums, n seeds,

t the 1 - alpha / 2 quantile of Student's with (n - 1) (k - 1) degrees of freedom. Of two settings left the signed ranks
judge (irace; Lopez-Ibanez et al. 2016, Operations Research Perspectives 3, 43-58). Only the order of losses matters:
lost runs rank last.

A random tenth of what is dropped runs to the end all the same, drawn by numbers that were there before any result: the
best of it shows what was lost by dropping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .paired import Floats, differences
from .ranks import friedman, ranks
from .signedrank import SignedRank

FIRST = 3  # seeds before the first look; then a look after each
ALPHA = 0.05
AUDITED = 0.1  # the share of what was dropped that runs to the end
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Race:
    """How far a race is.

    `dropped` counts for each setting the seeds after which it was dropped, 0 where it was not; `is_audited` marks those
    that run to the end nevertheless; `needed`, of shape (settings, seeds), the runs that the next look lacks: none at
    the end.
    """

    dropped: npt.NDArray[np.intp]
    is_audited: Bools
    needed: Bools

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to run."""
        return not self.needed.any()

    @property
    def to_the_end(self) -> Bools:
        """The settings that have a run on every seed, of which the best is chosen."""
        return (self.dropped == 0) | self.is_audited


def race(losses: npt.ArrayLike, is_stored: npt.ArrayLike, draws: npt.ArrayLike) -> Race:
    """Replay a race from the losses of shape (settings, seeds), lost runs not finite, of which some are stored.

    What was decided depends on the losses in the order of the seeds alone. `draws` has a number for each setting: of
    those dropped at a look, the ones with the lowest are audited.
    """
    values, stored = np.asarray(losses, dtype=np.float64), np.asarray(is_stored, dtype=bool)
    order = np.argsort(np.asarray(draws), kind="stable")
    settings, seeds = values.shape
    dropped, audited = np.zeros(settings, dtype=np.intp), np.zeros(settings, dtype=bool)
    for look in range(min(FIRST, seeds), seeds + 1):
        is_in = (dropped == 0) | audited
        needed = ~stored & is_in[:, None] & (np.arange(seeds) < look)
        if needed.any() or look == seeds:
            return Race(dropped, audited, needed)
        left = np.flatnonzero(dropped == 0)
        out = left[worse(values[left, :look])]
        dropped[out] = look
        wanted = math.ceil(AUDITED * np.count_nonzero(dropped)) - np.count_nonzero(audited)
        audited[[at for at in order if at in out][:wanted]] = True
    raise AssertionError("the last look returns")


def worse(losses: Floats, alpha: float = ALPHA) -> Bools:
    """Return which settings of losses (settings, seeds) are certainly worse than the best of them."""
    count, seeds = losses.shape
    if count < 2 or seeds < 2:
        return np.zeros(count, dtype=bool)
    if count == 2:
        return _worse_of_two(losses, alpha)
    if friedman(losses.T, higher_is_better=False).p > alpha:
        return np.zeros(count, dtype=bool)
    ranked = ranks(losses.T, higher_is_better=False)
    sums = ranked.sum(axis=0)
    return np.asarray(sums - sums.min() > conover(ranked, alpha))


def conover(ranked: Floats, alpha: float) -> float:
    """Return Conover's critical difference of the rank sums of ranks (seeds, settings)."""
    from scipy.stats import t

    seeds, count = ranked.shape
    freedom = (seeds - 1) * (count - 1)
    spread = 2 * (seeds * (ranked**2).sum() - (ranked.sum(axis=0) ** 2).sum()) / freedom
    return float(t.ppf(1 - alpha / 2, freedom) * math.sqrt(max(spread, 0.0)))


def _worse_of_two(losses: Floats, alpha: float) -> Bools:
    test = SignedRank(differences(losses[0], losses[1], higher_is_better=False))
    if test.p() > alpha or test.estimate == 0:
        return np.zeros(2, dtype=bool)
    return np.array([test.estimate < 0, test.estimate > 0])
