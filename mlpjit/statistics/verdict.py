"""The answer about a pair: better, worse, equal within a margin, or not enough evidence and how much would be.

A sample is the paired differences of two competitors: over the seeds of one problem, or one per problem over problems
(`units.over_problems`); never both. "better" and "worse" need Holm's corrected p over the named family at most alpha.
"equal" needs both -margin and margin refuted by the same test (Schuirmann 1987), corrected over the same family; it
goes first, since the margin is what does not matter. Effect, interval and raw p are the pair's alone: they do not
change, to the bit, with who else takes part. The interval is not corrected: it excludes 0 where the raw p is at most
alpha.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .holm import family
from .paired import Floats, Tally, checked, tally
from .power import pairs_needed
from .sequential import Answer, Evidence
from .signedrank import SignedRank
from .signflip import SignFlip

Test = Literal["signflip", "signedrank", "evidence"]
TESTS: dict[str, type[SignFlip] | type[SignedRank] | type[Evidence]] = {
    "signflip": SignFlip,
    "signedrank": SignedRank,
    "evidence": Evidence,
}
LOOKING = 1.25  # pairs that looking takes over a fixed plan of power 0.8 (docs/statistics.md)


@dataclass(frozen=True)
class Verdict:
    """What is known of one pair, positive effects in favour of the first.

    `estimate`, `low` and `high` are in `unit`; `p` is raw, `corrected_p` Holm's over `family`; `more` is how many
    further pairs would give an answer with power 0.8 if the effect is what it seems (None: no number worth naming, or
    not asked).
    """

    answer: Answer
    estimate: float
    low: float
    high: float
    unit: str
    pairs: int
    tally: Tally
    p: float
    corrected_p: float
    family: str
    test: Test
    alpha: float
    margin: float | None
    more: int | None

    @property
    def words(self) -> str:
        """The answer in words, as "not enough evidence: about 14 more pairs"."""
        if self.answer == "equal":
            return f"equal within {self.margin:g} {self.unit}".rstrip()
        if self.answer != "undecided":
            return self.answer
        return "not enough evidence" + (f": about {self.more} more pairs" if self.more else "")


def verdicts(
    differences: Mapping[str, npt.ArrayLike],
    family_name: str,
    unit: str,
    alpha: float = 0.05,
    margin: float | None = None,
    test: Test = "signflip",
    shown: Collection[str] | None = None,
) -> dict[str, Verdict]:
    """Judge a family of pairs, each by its 1-D differences (positive: the first is better), at level alpha together.

    `unit` names what differences are measured in, `margin` (in that unit) how much of it does not matter; `shown` those
    of the family that are returned [all]: of the others p alone is computed, so that a verdict is the same with either.
    Raises ValueError for an unknown test, a margin not above 0, or differences that are none or NaN.
    """
    if margin is not None and not margin > 0:
        raise ValueError(f"a margin is above 0, got {margin}")
    if test not in TESTS:
        raise ValueError(f"unknown test {test!r}: choose of {', '.join(TESTS)}")
    _keep_memory()
    measured = {
        name: _measured(test, checked(d), alpha, margin, shown is None or name in shown)
        for name, d in differences.items()
    }
    p = family(family_name, {name: one.p for name, one in measured.items()}).corrected
    equal = family(family_name, {name: one.equality_p for name, one in measured.items()}).corrected
    found = {}
    for name, one in measured.items():
        if shown is not None and name not in shown:
            continue
        d = checked(differences[name])
        answer = _answer(one, p[name], equal[name], alpha)
        more = None
        if answer == "undecided":
            more = more_pairs(d, one.estimate, alpha / len(measured), margin, LOOKING if test == "evidence" else 1.0)
        found[name] = Verdict(
            answer, one.estimate, one.low, one.high, unit, d.size, tally(d), one.p, p[name], family_name, test, alpha,
            margin, more,
        )  # fmt: skip
    return found


def more_pairs(
    differences: Floats, estimate: float, alpha: float, margin: float | None = None, factor: float = 1.0
) -> int | None:
    """Return about how many further pairs would refute 0, or all beyond the margin: the fewer; None: neither.

    Taken at the estimate and spread seen so far, which are themselves uncertain: a plan, not a promise. `factor` is
    how many pairs the test takes for one of the sign-flip test's.
    """
    spread = float(np.std(differences, ddof=1)) if differences.size > 1 and np.isfinite(differences).all() else 0.0
    if spread == 0:
        return None
    distances = [abs(estimate)] + ([margin - abs(estimate)] if margin is not None and abs(estimate) < margin else [])
    needed = [n for n in (pairs_needed(distance / spread, alpha=alpha) for distance in distances) if n is not None]
    return max(1, math.ceil(factor * min(needed)) - differences.size) if needed else None


def _keep_memory() -> None:
    """Let an allocator keep what is freed: glibc's learns by a large array that megabytes come and go.

    Else every test's patterns may be new pages, by what was freed before: on 7,080 pairs half of all time, or nothing.
    """
    np.empty(1 << 21)


class _Measured(NamedTuple):
    """What a pair says alone, ends NaN where nobody asks; the test itself, with its 100,000 patterns, is let go."""

    estimate: float
    low: float
    high: float
    p: float
    equality_p: float


def _measured(test: Test, differences: Floats, alpha: float, margin: float | None, whole: bool) -> _Measured:
    one = TESTS[test](differences)
    equal = 1.0 if margin is None else one.equality_p(margin)
    ends = one.interval(alpha) if whole else (math.nan, math.nan)
    return _Measured(one.estimate, *ends, one.p(), equal)


def _answer(one: _Measured, p: float, equal_p: float, alpha: float) -> Answer:
    """A p of at most alpha is an interval on one side of 0: that side is the answer's."""
    if equal_p <= alpha:
        return "equal"
    if p <= alpha and one.low > 0:
        return "better"
    return "worse" if p <= alpha and one.high < 0 else "undecided"
