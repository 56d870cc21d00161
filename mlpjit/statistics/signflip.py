"""The sign-flip test of paired differences, and the interval that inverts it (Fisher 1935; Dwass 1957).

Null hypothesis: each difference is as likely positive as negative (symmetric about the tested shift x). The statistic
is the distance of the mean from x, so the estimate is the mean difference, where p is 1. All 2^n patterns of signs
are as likely: p is the share of patterns whose distance is at least the one observed.

A pattern turns the sign of a set A of differences and keeps the rest, B. With sums S about x,

    |S_B - S_A| >= |S_B + S_A|   iff   S_A S_B <= 0   iff   x lies between the mean of A and the mean of B,

so each pattern is an interval [min(mean A, mean B), max(mean A, mean B)] that does not depend on x, p(x) is the share
of these intervals that hold x, and the ends of the confidence interval are order statistics of their ends: test and
interval are the same numbers and cannot disagree. A pattern and its opposite make one interval: 2^(n-1) are
enumerated.

Up to 16 differences every pattern is taken, above that 100,000 drawn ones and the observed one (Phipson & Smyth 2010;
Hemerik & Goeman 2018, arXiv:1411.7565), which is exact over the draws as well. They depend on n and the seed alone.

Infinite differences (a lost run) enter as the limit of ever larger ones: a mean over a set is +-inf where its
infinities do not cancel. One lost run makes the mean infinite: nothing can be claimed in favour of the competitor
that lost it, and the interval has no end on that side. `signedrank` asks about the middle instead.

Numbers tie in decimals that differ in bits: sums within 1e-12 of the largest finite |difference| from 0 count as 0.
Where the smallest is below 1e-6 of it (a run that nearly diverged), what is summed counts instead of the largest: else
every sum of the others could be 0, and their pairs evidence beside a lost run and none beside a nearly lost one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .paired import Floats, checked, equality_p, mean

EXACT = 16  # differences, up to which all patterns are taken
DRAWS = 100_000
AT_ONCE = 1 << 14  # patterns
FEW, SAMPLE = 1 << 15, 1 << 12  # values, from which on an order statistic is looked for around that of a sample
TIE = 1e-12  # of the largest |difference|: a sum this small is 0
WHOLE = {17: 3, 18: 2, 19: 2, 20: 2}  # of the patterns drawn with seed 0 turn none or all; of more signs only the first
UNEVEN = 1e-6  # of the largest |difference|: where one is smaller each sum ties by its own sizes


@dataclass(frozen=True, eq=False)
class Patterns:
    """Patterns of signs: a bit of `codes` (patterns, bytes) for each that turns; `turned` (patterns,) counts them."""

    codes: npt.NDArray[np.uint8]
    turned: Floats
    signs: int

    @cached_property
    def whole(self) -> npt.NDArray[np.bool_]:
        """Which patterns turn none or all: they change no distance."""
        return (self.turned == 0) | (self.turned == self.signs)


@dataclass(frozen=True, eq=False)
class SignFlip:
    """The test of one sample: `differences` 1-D, positive where the first is better, infinite for a lost run.

    `seed` chooses the drawn patterns above 16 differences. Raises ValueError for no differences or NaN.
    """

    differences: npt.ArrayLike
    seed: int = 0

    @cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """Lower and upper end of every pattern's interval, of shape (patterns,) each."""
        d = checked(self.differences)
        return pattern_ends(d, patterns(d.size, self.seed))

    @property
    def estimate(self) -> float:
        """The mean difference."""
        return mean(self.differences)

    @property
    def smallest_p(self) -> float:
        """The smallest p that as many differences can reach."""
        whole = patterns(checked(self.differences).size, self.seed).whole
        return float(np.count_nonzero(whole) / whole.size)

    def p(self, at: float = 0.0) -> float:
        """Return the two-sided p of the hypothesis that the differences are symmetric about `at`."""
        low, high = self.ends
        return float(np.count_nonzero((low <= at) & (at <= high)) / low.size)

    def equality_p(self, margin: float) -> float:
        """Return the p of "the effect is not within the margin"."""
        return equality_p(self, margin)

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return all x with p(x) > alpha, ends included; infinite where alpha is below the smallest p."""
        low, high = self.ends
        allowed = most_within(alpha, low.size)
        return order_statistic(low, allowed), order_statistic(high, low.size - 1 - allowed)


def p_values(differences: npt.ArrayLike, seed: int = 0) -> Floats:
    """Return the two-sided p about 0 of each row of `differences` (samples, n), finite: the bits of `SignFlip`."""
    d = np.asarray(differences, dtype=np.float64)
    flips = patterns(d.shape[1], seed)
    rows = max(1, (1 << 20) // len(flips.codes))  # what fits the caches
    return np.concatenate([_shares(d[at : at + rows], flips) for at in range(0, len(d), rows)])


def smallest_p(n: int) -> float:
    """Return the smallest p that n differences can reach: 2 / 2^n, above 16 the share of drawn patterns that are whole.

    That is 1 / 100,001 from 21 on.
    """
    return 2.0 ** (1 - n) if n <= EXACT else WHOLE.get(n, 1) / (DRAWS + 1)


@lru_cache(maxsize=8)
def patterns(n: int, seed: int = 0) -> Patterns:
    """Return the patterns of n signs that a test looks at; the first turns none."""
    codes = _all_codes(n) if n <= EXACT else _drawn_codes(n, seed)
    return Patterns(codes, subset_sums(np.ones(n), codes), n)


def pattern_ends(d: Floats, flips: Patterns) -> tuple[Floats, Floats]:
    """Return both ends of each pattern's interval of shifts for differences d of shape (n,).

    Some patterns at a time: what is made on the way then stays in the caches (measured at 20 differences: 0.8 ms for
    6.4 at once).
    """
    prepared = _prepared(d)
    low, high = np.empty(len(flips.codes)), np.empty(len(flips.codes))
    for start in range(0, len(low), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        turned, kept = _both(prepared, flips.codes[some])
        with np.errstate(invalid="ignore", divide="ignore"):  # the pattern that turns none or all, replaced below
            turned /= flips.turned[some]
            kept /= d.size - flips.turned[some]
        np.minimum(turned, kept, out=low[some])
        np.maximum(turned, kept, out=high[some])
    low[flips.whole], high[flips.whole] = -np.inf, np.inf
    return low, high


def both_sums(d: Floats, flips: Patterns) -> tuple[Floats, Floats]:
    """Return the sums of the turned and of the kept differences, shape (..., patterns), infinities as limits."""
    return _both(_prepared(d), flips.codes)


class _Prepared(NamedTuple):
    """Differences as their sums are made of: finite ones, sizes of uneven ones, signs of infinite ones; [] for none."""

    tables: list[Floats]
    total: Floats
    tie: Floats
    sizes: list[Floats]
    signs: list[Floats]
    balance: Floats


def _prepared(d: Floats) -> _Prepared:
    infinite = np.isinf(d)
    finite = np.where(infinite, 0.0, d)
    sizes = np.abs(finite)
    largest = sizes.max(axis=-1, keepdims=True)
    is_uneven = ((sizes > 0) & (sizes < UNEVEN * largest)).any()
    signs = np.where(infinite, np.sign(d), 0.0)
    return _Prepared(
        _tables(finite), _snapped(finite.sum(axis=-1, keepdims=True), TIE * largest), TIE * largest,
        _tables(sizes) if is_uneven else [], _tables(signs) if infinite.any() else [],
        signs.sum(axis=-1, keepdims=True),
    )  # fmt: skip


def _both(one: _Prepared, codes: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    if one.sizes:
        sides = codes, codes ^ np.array([table.shape[-1] - 1 for table in one.tables], dtype=np.uint8)
        turned, kept = (_snapped(_summed(one.tables, side), TIE * _summed(one.sizes, side)) for side in sides)
    else:
        turned = _snapped(_summed(one.tables, codes), one.tie)
        kept = _snapped(one.total - turned, one.tie)
    if not one.signs:
        return turned, kept
    balance = _summed(one.signs, codes)
    return _limit(balance, turned), _limit(one.balance - balance, kept)


def subset_sums(values: Floats, codes: npt.NDArray[np.uint8]) -> Floats:
    """Return the sum of the values whose bit is set, for values (..., n) and each pattern: shape (..., patterns).

    Eight values at a time by a table of their 256 sums: plain additions in a fixed order, so one sample has the
    same bits alone as among others.
    """
    return _summed(_tables(values), codes)


def _tables(values: Floats) -> list[Floats]:
    tables = []
    for first in range(0, values.shape[-1], 8):
        table = np.zeros((*values.shape[:-1], 1))
        for place in range(first, min(first + 8, values.shape[-1])):
            table = np.concatenate([table, table + values[..., place : place + 1]], axis=-1)
        tables.append(table)
    return tables


def _summed(tables: Sequence[Floats], codes: npt.NDArray[np.uint8]) -> Floats:
    total = np.take(tables[0], codes[:, 0], axis=-1)
    for byte, table in enumerate(tables[1:], 1):
        total += np.take(table, codes[:, byte], axis=-1)
    return total


def order_statistic(values: Floats, rank: int) -> float:
    """Return the value of that rank, counted from 0 and ascending.

    Of very many a sample says about where it lies, and only what lies there is sorted: the sample decides the time it
    takes, and never the answer.
    """
    if values.size > FEW:
        ordered = np.sort(values[:: values.size // SAMPLE])
        place, room = rank / values.size * ordered.size, 2 * math.sqrt(ordered.size)
        first, last = (ordered[int(min(max(at, 0), ordered.size - 1))] for at in (place - room, place + room))
        below, between = np.count_nonzero(values < first), values[(values >= first) & (values <= last)]
        if below <= rank < below + between.size:
            return float(np.partition(between, rank - below)[rank - below])
    return float(np.partition(values, rank)[rank])


def most_within(alpha: float, patterns: int) -> int:
    """Return the largest count with count / patterns <= alpha, as floats compare; ValueError unless 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, got {alpha}")
    count = math.floor(alpha * patterns)
    if (count + 1) / patterns <= alpha:
        return count + 1
    return count - 1 if count / patterns > alpha else count


def _all_codes(n: int) -> npt.NDArray[np.uint8]:
    """Half of all patterns, the last sign never turned: the others are their opposites."""
    numbers = np.arange(1 << (n - 1), dtype="<u8")
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 8)[:, : -(-n // 8)])


def _drawn_codes(n: int, seed: int) -> npt.NDArray[np.uint8]:
    size = -(-n // 8)
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (DRAWS + 1, size), dtype=np.uint8)
    drawn[:, -1] &= np.uint8((1 << (n - 8 * (size - 1))) - 1)
    drawn[0] = 0
    return drawn


def _shares(d: Floats, flips: Patterns) -> Floats:
    turned, kept = both_sums(d, flips)
    opposite = ((turned <= 0) & (kept >= 0)) | ((turned >= 0) & (kept <= 0))
    return np.asarray((opposite | flips.whole).mean(axis=-1))


def _snapped(sums: Floats, tie: Floats) -> Floats:
    np.copyto(sums, 0.0, where=np.abs(sums) <= tie)
    return sums


def _limit(balance: Floats, finite: Floats) -> Floats:
    return np.where(balance == 0, finite, np.copysign(np.inf, balance))
