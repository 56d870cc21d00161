"""Whether a change made anything slower or faster: a verdict for each case, from interleaved launches of both versions.

A few launches time every case. What looks changed is timed again in fresh launches, and they alone decide, so that
having been picked for its first figures gives a case no advantage. A verdict needs a corrected p-value below ALPHA
against a change of MARGIN, and an estimate beyond THRESHOLD.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlpjit.measure.versions.evidence import Estimate, estimate, holm
from mlpjit.measure.versions.launches import Launches, Version
from mlpjit.statistics.quantiles import median

ALPHA = 0.01
THRESHOLD = math.log(1.03)
MARGIN = math.log(1.01)
# What is timed again: cases whose median over the first launches is beyond this.
SUSPECT = math.log(1.02)
SCREENING = (3, 2)  # launches, layouts in each
# Looks at the fresh launches so far; each look may spend an equal part of ALPHA.
LOOKS = (8, 16)
LAYOUTS = 2
CONFIDENCE = 0.95

Tell = Callable[[str], None]


class Sampler(Protocol):
    """What gives log(after / before) of cases, launch by launch: `Launches`, or made-up numbers in a test."""

    def measure(self, names: Sequence[str] | None, launches: int, layouts: int) -> Iterable[dict[str, float]]:
        """Give each launch's values by case."""


@dataclass(frozen=True)
class CaseVerdict:
    """One case: "slower", "faster" or "no evidence"; time after over time before, its interval; 1 - corrected p.

    `seen`: the smallest ratio above 1 that these launches would have found, in four of five comparisons.
    """

    name: str
    verdict: str
    ratio: float
    low: float
    high: float
    confidence: float
    seen: float
    launches: int


@dataclass(frozen=True)
class Comparison:
    """The verdict over all cases; `cases` holds those that were timed again, the largest change first.

    `seen` and `seen_at_most`: how much slower the middle case and the noisiest one must have been to be found, of all
    that were timed, in four of five comparisons; what says how much "no evidence" is worth.
    """

    before: str
    after: str
    verdict: str
    confidence: float
    measured: int
    seen: float
    seen_at_most: float
    cases: list[CaseVerdict]

    @property
    def decided(self) -> list[CaseVerdict]:
        """The cases that are slower or faster."""
        return [case for case in self.cases if case.verdict != "no evidence"]


def compare(
    before: Version, after: Version, dtype: str = "float32", tell: Tell = lambda text: None, only: str = ""
) -> Comparison:
    """Time every case that both versions have (with `only` in its name) and say which are slower or faster later."""
    with Launches(before, after, dtype, only) as launches:
        return judge(launches, before.name, after.name, tell)


def judge(sampler: Sampler, before: str, after: str, tell: Tell = lambda text: None) -> Comparison:
    """Do what `compare` does, on samples from anywhere."""
    first = _gathered(_told(sampler.measure(None, *SCREENING), SCREENING[0], "all cases", tell))
    suspects = [name for name, values in first.items() if abs(median(values)) > SUSPECT]
    found: dict[str, CaseVerdict] = {}
    values: dict[str, list[float]] = {}
    done, family = 0, len(suspects)
    for look in LOOKS:
        if suspects:
            more = sampler.measure(suspects, look - done, LAYOUTS)
            _gathered(_told(more, look - done, f"{len(suspects)} of {len(first)} cases again", tell), values)
            found |= _decide({name: values[name] for name in suspects}, family)
            # What is decided, or has come to nothing, needs no second look.
            suspects = [n for n in suspects if found[n].verdict == "no evidence" and _open(found[n])]
            done = look
    cases = sorted(found.values(), key=lambda case: -abs(math.log(case.ratio)))
    seen = [found[name].seen if name in found else _seen_unsuspected(given, family) for name, given in first.items()]
    return Comparison(before, after, *_overall(cases), len(first), float(median(seen)), max(seen), cases)


def _told(launches: Iterable[dict[str, float]], count: int, what: str, tell: Tell) -> Iterator[dict[str, float]]:
    """Give launches, and tell which of how many is next and when all will be through."""
    started = time.monotonic()
    tell(f"{what}: launch 1 of {count}")
    for done, launch in enumerate(launches, 1):
        yield launch
        if done < count:
            left = (time.monotonic() - started) / done * (count - done)
            tell(f"{what}: launch {done + 1} of {count}, {left:.0f} s left of these")


def _seen_unsuspected(values: Sequence[float], family: int) -> float:
    """The ratio at which a case would have been timed again, and found then by as many launches as there may be."""
    found = estimate(values)
    again = found.after(LOOKS[-1]).seen(MARGIN, THRESHOLD, _level(family + 1))
    return math.exp(max(again, found.seen(0.0, SUSPECT, 1.0)))


def _level(family: int) -> float:
    """The p-value that a case needs where Holm gives it nothing for the others."""
    return ALPHA / (len(LOOKS) * family)


def _gathered(
    launches: Iterable[dict[str, float]], into: dict[str, list[float]] | None = None
) -> dict[str, list[float]]:
    found = {} if into is None else into
    for launch in launches:
        for name, value in launch.items():
            found.setdefault(name, []).append(value)
    return found


def _open(case: CaseVerdict) -> bool:
    return abs(math.log(case.ratio)) > SUSPECT


def _decide(values: dict[str, list[float]], family: int) -> dict[str, CaseVerdict]:
    """Judge these of so many suspects: those that came to nothing at an earlier look still count among them."""
    estimates = {name: estimate(given) for name, given in values.items()}
    corrected = holm({name: each.p_value(MARGIN) for name, each in estimates.items()}, family)
    return {
        name: _case(name, each, min(1.0, len(LOOKS) * corrected[name]), family, len(values[name]))
        for name, each in estimates.items()
    }


def _case(name: str, found: Estimate, p_value: float, family: int, launches: int) -> CaseVerdict:
    sure = p_value < ALPHA and abs(found.center) > THRESHOLD
    verdict = ("slower" if found.center > 0.0 else "faster") if sure else "no evidence"
    low, high = (math.exp(end) for end in found.interval(CONFIDENCE))
    seen = math.exp(found.seen(MARGIN, THRESHOLD, _level(family)))
    return CaseVerdict(name, verdict, math.exp(found.center), low, high, 1.0 - p_value, seen, launches)


def _overall(cases: Sequence[CaseVerdict]) -> tuple[str, float]:
    """Return the verdict over all cases and the confidence of its surest case."""
    found = {word: [c.confidence for c in cases if c.verdict == word] for word in ("slower", "faster")}
    words = [word for word, confidences in found.items() if confidences]
    confidences = [max(found[word]) for word in words]
    return " and ".join(words) or "no evidence", min(confidences, default=0.0)
