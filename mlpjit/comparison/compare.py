"""Verdicts for pairs of competitors, on each problem and over problems. Definitions: docs/statistics.md.

On a problem its seeds are the sample, by the sign-flip test; over problems the problems are, by Wilcoxon's signed
ranks of each one's mean difference in seed standard deviations. The two levels are families of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from mlpjit.comparison import names
from mlpjit.comparison.reported import Reported, Row, Seeds, reported
from mlpjit.comparison.tuning import Tuning, tunings
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.statistics import paired, units
from mlpjit.statistics.paired import Floats
from mlpjit.statistics.ranks import ranks
from mlpjit.statistics.verdict import Test, Verdict, verdicts

ALPHA = 0.05
ENOUGH_PROBLEMS = 6  # the fewest whose signed ranks reach p < 0.05: 2 / 2^6
Pair = tuple[str, str]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Compared:
    """One pair on one problem, or over `problems` of them; positive effects are in favour of the competitor."""

    competitor: str
    control: str
    problem: str
    sample: str  # what more of is needed: seeds, problems
    family: int  # comparisons that Holm corrected together
    verdict: Verdict

    @property
    def words(self) -> str:
        """The answer: better, worse, equal within .., not enough: about k more seeds."""
        if self.verdict.answer != "undecided":
            return self.verdict.words
        return "not enough" + (f": about {self.verdict.more} more {self.sample}" if self.verdict.more else "")

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = self.verdict
        return {
            "competitor": self.competitor, "control": self.control, "problem": self.problem,
            "effect": found.estimate, "low": found.low, "high": found.high, "unit": found.unit,
            "wins": found.tally.wins, "ties": found.tally.ties, "losses": found.tally.losses,
            "pairs": found.pairs, "p": found.p, "corrected_p": found.corrected_p, "verdict": self.words,
            "answer": found.answer, "more": found.more, "test": found.test, "family": found.family,
        }  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All pairs that were asked for: on problems, over them where there are at least six; and how all were tuned."""

    reported: Reported
    on_problems: list[Compared]
    over_problems: list[Compared]
    tunings: list[Tuning]
    notes: tuple[str, ...]
    leader: str = ""  # with whom alone the others are compared here, of a family of every pair; else nobody


def compare(
    rows: Sequence[Row],
    study: Mapping[str, Any],
    control: str = "",
    by: Sequence[str] = (),
    metric: str = "",
    margin: float | None = None,
    most: int | None = None,
) -> Comparison:
    """Compare the competitors of a study's rows with `control`, or each with each.

    `margin` is the difference that does not matter, in the score's unit. Of more than `most` competitors without a
    control only pairs with their leader are returned; the family is every pair all the same, since the data chose it.
    Raises ConfigError for what is unknown and where there is nothing to compare.
    """
    found = reported(rows, study, by, metric)
    pairs = _pairs(found, control)
    _check_margin(found, margin)
    alone = found.spoken[control] if control else ""
    leader = leaders(found)[0] if most is not None and not control and len(found.competitors) > most else ""
    pairs = [pair[::-1] if pair[0] == leader else pair for pair in pairs]
    on, lacking = _on_problems(found, pairs, alone, margin, leader)
    over, refused = _over_problems(found, pairs, alone, leader)
    if not on:
        raise ConfigError("nothing to compare: no two competitors have a seed in common on a problem")
    return Comparison(found, on, over, tunings(rows, study, found), (*found.notes, *lacking, *refused), leader)


def leaders(found: Reported) -> list[str]:
    """Return the competitors, best first, by the mean over problems of the rank of their mean score.

    One that lost a run on a problem, or has none there, is last on it.
    """
    everyone = found.competitors
    placed = []
    for problem, scores in found.scores.items():
        means = [float(np.mean(list(scores[name].values()))) if scores.get(name) else math.nan for name in everyone]
        placed.append(ranks([means], found.measures[problem].higher_is_better)[0])
    mean_rank = dict(zip(everyone, np.mean(placed, axis=0).tolist(), strict=True))
    return sorted(everyone, key=mean_rank.__getitem__)


def _pairs(found: Reported, control: str) -> list[Pair]:
    if control and control not in found.spoken:
        raise ConfigError(f"unknown control {control!r}{suggestion(control, found.competitors)}")
    if len(found.competitors) < 2:
        told = ", ".join(found.competitors) or "no run"
        raise ConfigError(f"nothing to compare: the only {names.together(found.by)} is {told}")
    if not control:
        return list(itertools.combinations(found.competitors, 2))
    alone = found.spoken[control]
    return [(name, alone) for name in found.competitors if name != alone]


def _check_margin(found: Reported, margin: float | None) -> None:
    if margin is None:
        return
    if not 0 < margin < math.inf:
        raise ConfigError(f"margin: got {margin:g}, need a finite number above 0")
    if len(shown := sorted({measure.unit for measure in found.measures.values()})) > 1:
        raise ConfigError(f"margin: scores of these problems are in {' and '.join(shown)}, so none fits all")


def _on_problems(
    found: Reported, pairs: Sequence[Pair], alone: str, margin: float | None, leader: str
) -> tuple[list[Compared], list[str]]:
    """Judge each pair on each problem, all of them one family; and say which have no seeds in common."""
    samples: dict[tuple[str, Pair], Floats] = {}
    lacking = []
    for problem, scores in found.scores.items():
        for pair in pairs:
            if (sample := _differences(found, problem, pair)).size:
                samples[problem, pair] = sample
            elif absent := [name for name in pair if name not in scores]:
                lacking.append(f"{' and '.join(absent)}: no run on {problem}")
            else:
                lacking.append(f"{' and '.join(pair)}: no {found.units[:-1]} in common on {problem}")
    family = _family(found, samples, alone, f"on {counted(len(found.scores), 'problem')}")
    shown = [(problem, pair) for problem, pair in samples if not leader or pair[1] == leader]
    judged = _judged(samples, family, margin, "signflip", shown)
    return [
        Compared(*pair, problem, found.units, len(samples), replace(verdict, unit=found.measures[problem].unit))
        for (problem, pair), verdict in judged.items()
    ], lacking


def _judged(
    samples: Mapping[Key, Floats], family: str, margin: float | None, test: Test, shown: Collection[Key]
) -> dict[Key, Verdict]:
    """Judge all of a family, and return those that are shown."""
    numbers = {key: str(at) for at, key in enumerate(samples)}
    numbered = {numbers[key]: sample for key, sample in samples.items()}
    wanted = {numbers[key]: key for key in shown}
    judged = verdicts(numbered, family, "", alpha=ALPHA, margin=margin, test=test, shown=wanted)
    return {wanted[number]: verdict for number, verdict in judged.items()}


def _family(found: Reported, samples: Sized, alone: str, where: str) -> str:
    """Name what Holm corrects over, as "3 comparisons: 3 against adam on 1 problem"."""
    count = len(found.competitors)
    who = f"{count - 1} against {alone}" if alone else f"every pair of {count}"
    return f"{counted(len(samples), 'comparison')}: {who} {where}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 problem, 3 problems."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _differences(found: Reported, problem: str, pair: Pair) -> Floats:
    """Return the differences of a pair on the seeds that both have."""
    first, second = (found.scores[problem].get(name, {}) for name in pair)
    shared = _shared(first, second)
    measure = found.measures[problem]
    return paired.differences([first[s] for s in shared], [second[s] for s in shared], measure.higher_is_better)


def _shared(first: Mapping[Seeds, float], second: Mapping[Seeds, float]) -> list[Seeds]:
    return sorted(seeds for seeds in first if seeds in second)


def _over_problems(found: Reported, pairs: Sequence[Pair], alone: str, leader: str) -> tuple[list[Compared], list[str]]:
    """Judge each pair over the problems that both have runs on; say which have no unit."""
    samples: dict[Pair, Floats] = {}
    refused: list[str] = []
    for pair in pairs:
        common = [problem for problem in found.scores if _differences(found, problem, pair).size]
        if len(common) < ENOUGH_PROBLEMS:
            continue
        spreads = [_spread(found, problem, [alone] if alone else pair) for problem in common]
        if flat := [problem for problem, spread in zip(common, spreads, strict=True) if not spread]:
            refused.append(f"{' and '.join(pair)} over problems: no unit, as seeds do not vary on {', '.join(flat)}")
            continue
        means = [paired.mean(_differences(found, problem, pair)) for problem in common]
        samples[pair] = np.array(means) / np.array(spreads)
    if 1 < len(found.scores) < ENOUGH_PROBLEMS:
        refused.append(f"{len(found.scores)} problems are too few for a verdict over them: it takes {ENOUGH_PROBLEMS}")
    if not samples:
        return [], refused
    shown = [pair for pair in samples if not leader or pair[1] == leader]
    unit = f"seed SDs of {alone}" if alone else "seed SDs of the pair"
    family = _family(found, samples, alone, f"over {counted(len(found.scores), 'problem')}")
    return [
        Compared(*pair, f"{verdict.pairs} problems", "problems", len(samples), replace(verdict, unit=unit))
        for pair, verdict in _judged(samples, family, None, "signedrank", shown).items()
    ], refused


def _spread(found: Reported, problem: str, competitors: Sequence[str]) -> float:
    """Return the standard deviation over seeds, of several competitors the root of their mean variance."""
    scores = [np.array(list(found.scores[problem][name].values())) for name in competitors]
    return math.sqrt(sum(units.spread(each) ** 2 for each in scores) / len(scores))
