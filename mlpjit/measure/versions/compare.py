"""Whether a change made anything slower or faster: a verdict for each case, from interleaved launches of both versions.

A few launches time every case. What looks changed is timed again in fresh launches, and they alone decide, so that
having been picked for its first figures gives a case no advantage. A verdict needs a corrected p-value below ALPHA
against a change of MARGIN, and an estimate beyond THRESHOLD.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
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
    """One case: "slower", "faster" or "no evidence"; time after over time before, its interval; 1 - corrected p."""

    name: str
    verdict: str
    ratio: float
    low: float
    high: float
    confidence: float
    launches: int


@dataclass(frozen=True)
class Comparison:
    """The verdict over all cases; `cases` holds those that were timed again, the largest change first."""

    before: str
    after: str
    verdict: str
    confidence: float
    measured: int
    cases: list[CaseVerdict]

    @property
    def decided(self) -> list[CaseVerdict]:
        """The cases that are slower or faster."""
        return [case for case in self.cases if case.verdict != "no evidence"]


def compare(before: Version, after: Version, dtype: str = "float32", tell: Tell = lambda text: None) -> Comparison:
    """Time every case that both versions have and say which are slower or faster in the later one."""
    with Launches(before, after, dtype) as launches:
        return judge(launches, before.name, after.name, tell)


def judge(sampler: Sampler, before: str, after: str, tell: Tell = lambda text: None) -> Comparison:
    """Do what `compare` does, on samples from anywhere."""
    tell("all cases")
    first = _gathered(sampler.measure(None, *SCREENING))
    suspects = [name for name, values in first.items() if abs(median(values)) > SUSPECT]
    found: dict[str, CaseVerdict] = {}
    values: dict[str, list[float]] = {}
    done, family = 0, len(suspects)
    for look in LOOKS:
        if suspects:
            tell(f"{len(suspects)} cases again")
            _gathered(sampler.measure(suspects, look - done, LAYOUTS), values)
            found |= _decide({name: values[name] for name in suspects}, family)
            # What is decided, or has come to nothing, needs no second look.
            suspects = [n for n in suspects if found[n].verdict == "no evidence" and _open(found[n])]
            done = look
    cases = sorted(found.values(), key=lambda case: -abs(math.log(case.ratio)))
    return Comparison(before, after, *_overall(cases), len(first), cases)


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
        name: _case(name, each, min(1.0, len(LOOKS) * corrected[name]), len(values[name]))
        for name, each in estimates.items()
    }


def _case(name: str, found: Estimate, p_value: float, launches: int) -> CaseVerdict:
    sure = p_value < ALPHA and abs(found.center) > THRESHOLD
    verdict = ("slower" if found.center > 0.0 else "faster") if sure else "no evidence"
    low, high = (math.exp(end) for end in found.interval(CONFIDENCE))
    return CaseVerdict(name, verdict, math.exp(found.center), low, high, 1.0 - p_value, launches)


def _overall(cases: Sequence[CaseVerdict]) -> tuple[str, float]:
    """Return the verdict over all cases and the confidence of its surest case."""
    found = {word: [c.confidence for c in cases if c.verdict == word] for word in ("slower", "faster")}
    words = [word for word, confidences in found.items() if confidences]
    confidences = [max(found[word]) for word in words]
    return " and ".join(words) or "no evidence", min(confidences, default=0.0)
