"""Evidence that may be looked at after every pair: an e-process for differences, and the interval that inverts it.

For a difference d that is symmetric about x given what came before, and any stake l chosen from what came before,

    E[exp(l (d - x)) / cosh(l (d - x))] = E[1 + tanh(l (d - x))] = 1,

so the product over pairs is what a gambler owns who began with 1 and bets on the sign of d - x: it exceeds 1 / alpha
at any time, ever, with probability at most alpha (Ville 1939; de la Pena 1999; Howard et al. 2020, arXiv:1808.03204;
Ramdas et al. 2023, arXiv:2210.01948). Wealths are averaged over five stakes, log-spaced, and kept apart for d above x
and d below x, each at alpha / 2. Both are monotone in x, so the x not refuted so far are an interval.

Stakes are in units of the spread of the PAST differences (1.4826 times their median distance from their median), so
that no scale is assumed and none can be chosen with hindsight. Distances from x count up to 3 spreads, so one wild or
infinite difference (a lost run) cannot ruin the gambler; while there is no spread (the first two pairs, or pairs all
alike) only the sign is bet on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .paired import Floats, checked
from .signedrank import SignedRank

STAKES = (0.125, 0.25, 0.5, 1.0, 2.0)  # in spreads: growth is near its best for effects of 0.1 to 2 spreads
REACH = 3.0  # spreads, beyond which a distance counts no more
Answer = Literal["better", "worse", "equal", "undecided"]


@dataclass(frozen=True)
class Decision:
    """What differences looked at one by one have shown.

    `answer` stands since `pairs` pairs, or is "undecided" after all of them; `low` and `high` bound the effect with
    confidence 1 - alpha at that look, `p` is valid at any look, `log_better` and `log_worse` are logarithms of the
    gambler's best wealths against 0. `estimate` is the Hodges-Lehmann centre so far, which stopping biases away from
    0.
    """

    answer: Answer
    pairs: int
    estimate: float
    low: float
    high: float
    p: float
    log_better: float
    log_worse: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that has been seen so far as a test (`paired.PairedTest`), for families that are corrected at every look.

    `differences` 1-D, in the order they came. p only falls as pairs come, so Holm's correction is valid at any look
    too. Raises ValueError for no differences or NaN.
    """

    differences: npt.ArrayLike

    @property
    def estimate(self) -> float:
        """The Hodges-Lehmann centre."""
        return SignedRank(self.differences).estimate

    @property
    def smallest_p(self) -> float:
        """The smallest p that as many differences can reach."""
        return smallest_p(checked(self.differences).size)

    def log_wealths(self, at: float) -> tuple[float, float]:
        """Return the logarithm of the gambler's best wealth so far for the effect above `at`, and for it below."""
        above, below = best_log_wealths(checked(self.differences), at)
        return float(above[-1]), float(below[-1])

    def p(self, at: float = 0.0) -> float:
        """Return the two-sided p of the hypothesis that differences are symmetric about `at`, valid at any look."""
        return _p(max(self.log_wealths(at)))

    def equality_p(self, margin: float) -> float:
        """Return the p of "the effect is not within the margin"."""
        return _p(min(self.log_wealths(-margin)[0], self.log_wealths(margin)[1]))

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the effects that no look has refuted: a confidence sequence, valid at all looks together."""
        return interval(self.differences, alpha)


def smallest_p(pairs: int) -> float:
    """Return the smallest p that so many differences can reach: every bet won, the first two of them on the sign.

    The others by the full reach, as where differences are far larger than their spread.
    """
    won = np.where(np.arange(pairs) < 2, 1.0, REACH)
    return _p(float(_log_wealths(won)[0][-1]))


def decide(differences: npt.ArrayLike, alpha: float = 0.05, margin: float | None = None) -> Decision:
    """Look at differences (1-D, in the order they came, positive is better) and stop at the first certain answer.

    "better" and "worse": 0 is refuted; "equal": everything beyond the margin is, on both sides. "equal" goes first.
    What comes after the answer changes nothing. Raises ValueError for no differences, NaN or a margin not above 0.
    """
    d = checked(differences)
    answer, pairs = first_answer(d, alpha, margin)
    seen = d[:pairs]
    evidence = Evidence(seen)
    better, worse = evidence.log_wealths(0.0)
    return Decision(answer, pairs, evidence.estimate, *evidence.interval(alpha), evidence.p(), better, worse)


def first_answer(d: Floats, alpha: float, margin: float | None = None) -> tuple[Answer, int]:
    """Return the first certain answer about 1-D differences and after how many pairs it stood."""
    if margin is not None and not margin > 0:
        raise ValueError(f"a margin is above 0, got {margin}")
    better, worse = refuted(d, alpha)
    equal = np.zeros_like(better)
    if margin is not None:
        equal = refuted(d, alpha, -margin)[0] & refuted(d, alpha, margin)[1]
    names: tuple[Answer, ...] = ("equal", "better", "worse")
    for look in range(d.size):
        for name, found in zip(names, (equal, better, worse), strict=True):
            if found[look]:
                return name, look + 1
    return "undecided", d.size


def refuted(differences: npt.ArrayLike, alpha: float, at: float = 0.0) -> tuple[npt.NDArray[np.bool_], ...]:
    """Return, for each look at differences (..., looks): is it certain that the effect is above `at`? below it?"""
    threshold = math.log(2 / alpha)
    above, below = best_log_wealths(differences, at)
    return above >= threshold, below >= threshold


def best_log_wealths(differences: npt.ArrayLike, at: float = 0.0) -> tuple[Floats, Floats]:
    """Return the largest log wealth so far of betting on differences above and below `at`, shape (..., looks) each."""
    d = np.asarray(differences, dtype=np.float64)
    above, below = (
        np.maximum(wealth, 0.0) for wealth in _log_wealths(_distances(d, spreads(d), at))
    )  # it began with 1
    return np.maximum.accumulate(above, axis=-1), np.maximum.accumulate(below, axis=-1)


def interval(differences: npt.ArrayLike, alpha: float = 0.05) -> tuple[float, float]:
    """Return the effects that no look has refuted: a confidence sequence, valid at all looks together."""
    d = checked(differences)
    return _lowest_left(d, alpha), -_lowest_left(-d, alpha)


def spreads(d: Floats) -> Floats:
    """Return the spread of what came before each difference of (..., looks); NaN where nothing did."""
    found = np.full(d.shape, np.nan)
    with np.errstate(invalid="ignore"):  # distances between infinities: NaN, as good as no spread
        for look in range(2, d.shape[-1]):
            past = d[..., :look]
            distance = np.abs(past - np.median(past, axis=-1, keepdims=True))
            found[..., look] = 1.4826 * np.median(distance, axis=-1)
    return found


def _p(log_wealth: float) -> float:
    return min(1.0, 2 * math.exp(-log_wealth))


def _distances(d: Floats, spread: Floats, at: float) -> Floats:
    """Distances from `at` in spreads, cut to the reach; signs where there is no spread."""
    known = np.isfinite(spread) & (spread > 0)
    with np.errstate(over="ignore"):  # beyond any reach
        scaled = (d - at) / np.where(known, spread, 1.0)
    return np.where(known, np.clip(scaled, -REACH, REACH), np.sign(d - at))


def _log_wealths(z: Floats) -> tuple[Floats, Floats]:
    """log mean over stakes of the products of 1 + tanh(l z) and of 1 - tanh(l z)."""
    totals = []
    for stake in STAKES:
        bend = np.cumsum(np.log(np.cosh(stake * z)), axis=-1)
        push = np.cumsum(stake * z, axis=-1)
        totals.append((push - bend, -push - bend))
    above, below = (np.logaddexp.reduce(np.stack(side)) - math.log(len(STAKES)) for side in zip(*totals, strict=True))
    return np.asarray(above), np.asarray(below)


def _lowest_left(d: Floats, alpha: float) -> float:
    """The lowest effect that "the differences lie above it" has not refuted, to the last bit; -inf if none is."""
    spread = spreads(d)
    threshold = math.log(2 / alpha)

    def certain(at: float) -> bool:
        return bool(_log_wealths(_distances(d, spread, at))[0].max() >= threshold)

    finite = d[np.isfinite(d)]
    if finite.size == 0:
        return math.inf if certain(0.0) else -math.inf
    reach = REACH * max((float(s) for s in spread if math.isfinite(s)), default=0.0)
    low = np.nextafter(finite.min() - 2 * reach, -np.inf)
    high = np.nextafter(finite.max() + 2 * reach, np.inf)
    if not certain(low):
        return -math.inf  # so far below that every bet is won: there is no more to win
    return math.inf if certain(high) else _first_not(certain, float(low), float(high))


def _first_not(certain: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number found not certain, between a certain `low` and a `high` that is not; 0 is tried first."""
    middle = 0.0 if low < 0 < high else low + (high - low) / 2
    for _ in range(200):
        low, high = (middle, high) if certain(middle) else (low, middle)
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
    return high
