"""How many seeds an effect needs, and what a design can claim at all, by the sign-flip test.

Effects are in standard deviations of the paired differences, taken as normal. Up to 16 pairs power is counted, on
noise of our own: p <= alpha with a positive mean from the effect on at which the lower end of the noise's interval
passes 0, so a sample says at once which effects it finds, and the steps of p are in it. Above, power is that of the
t test (noncentral t, Johnson & Welch 1940, Biometrika 31), which the sign-flip test approaches (Hoeffding 1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .paired import Floats
from .signflip import EXACT, SignFlip, smallest_p

SAMPLES = 2000  # of noise; fewer where each has tens of thousands of patterns
MOST = 100_000  # seeds, beyond which an answer is not worth naming


@dataclass(frozen=True)
class Plan:
    """What a design of `pairs` seeds (or problems) and a family of `comparisons` can claim under Holm at level alpha.

    `reachable`: may any claim come out; `pairs_to_reach` how many pairs it takes (None: no number of pairs does);
    `detectable` the effect, in standard deviations, found with the power asked for when it is the family's strongest.
    """

    pairs: int
    comparisons: int
    alpha: float
    smallest_p: float
    reachable: bool
    pairs_to_reach: int | None
    detectable: float


def plan(pairs: int, comparisons: int = 1, alpha: float = 0.05, wanted: float = 0.8) -> Plan:
    """Say what a design can claim, before any run is made."""
    smallest = smallest_p(pairs)
    reachable = comparisons * smallest <= alpha
    found = detectable(pairs, wanted, alpha / comparisons)
    return Plan(pairs, comparisons, alpha, smallest, reachable, pairs_to_reach(comparisons, alpha), found)


def pairs_to_reach(comparisons: int, alpha: float = 0.05) -> int | None:
    """Return the fewest pairs whose smallest p survives Holm's correction of `comparisons`; None if none do."""
    return next((n for n in range(1, 2 * EXACT) if comparisons * smallest_p(n) <= alpha), None)


def power(effect: float, pairs: int, alpha: float = 0.05) -> float:
    """Return the chance of a claim in the right direction with p <= alpha, for an effect in standard deviations."""
    if smallest_p(pairs) > alpha:
        return 0.0
    return _counted(abs(effect), pairs, alpha) if pairs <= EXACT else _by_t(abs(effect), pairs, alpha)


def pairs_needed(effect: float, wanted: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return the fewest pairs with the power wanted; None where more than 100,000 would be needed."""
    low, high = 1, MOST
    if effect == 0 or not math.isfinite(effect) or power(effect, high, alpha) < wanted:
        return None
    while high - low > 1:
        middle = (low + high) // 2 if high < 4 * low else math.isqrt(low * high)
        low, high = (low, middle) if power(effect, middle, alpha) >= wanted else (middle, high)
    return high


def detectable(pairs: int, wanted: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest effect, in standard deviations, found with the power wanted; inf where none is. To 0.01."""
    if smallest_p(pairs) > alpha:
        return math.inf
    low, high = 0.0, 100.0
    while high - low > 0.005:
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, pairs, alpha) >= wanted else (middle, high)
    return round(high, 2)


def _counted(effect: float, pairs: int, alpha: float) -> float:
    found = _found_from(pairs, alpha)
    return float(np.searchsorted(found, effect, side="left") / found.size)


@lru_cache(maxsize=256)
def _found_from(pairs: int, alpha: float) -> Floats:
    """Ascending, the effect beyond which each sample of noise gives a claim in the right direction."""
    samples = min(SAMPLES, (1 << 24) >> (pairs - 1))
    noise = np.random.Generator(np.random.PCG64(pairs)).standard_normal((samples, pairs))
    return np.sort([-SignFlip(sample).interval(alpha)[0] for sample in noise])


def _by_t(effect: float, pairs: int, alpha: float) -> float:
    from scipy.special import nctdtr, ndtr, stdtrit  # what scipy.stats has takes a hundred times as long

    centre, limit = effect * math.sqrt(pairs), stdtrit(pairs - 1, 1 - alpha / 2)
    if pairs > 1000:  # where the noncentral t runs out of digits, and is normal
        return float(ndtr(centre - limit))
    missed = float(nctdtr(pairs - 1, centre, limit))
    return 1.0 if math.isnan(missed) else 1.0 - missed  # far out, where nothing is missed, it may be NaN
