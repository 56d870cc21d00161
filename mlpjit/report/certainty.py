"""How sure it is that the first of the answer table are better: the verdicts of `mlpjit compare`, in sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.comparison.compare import ALPHA, Compared, Comparison, compare
from mlpjit.comparison.reported import columns_needed
from mlpjit.comparison.rows import sequence, table_rows
from mlpjit.comparison.scores import REPORTED
from mlpjit.errors import ConfigError
from mlpjit.report import style
from mlpjit.report.figures.results import Results
from mlpjit.statistics.power import pairs_to_reach
from mlpjit.statistics.signflip import smallest_p

MOST_NAMED = 2  # rivals with their own numbers; more of them share a sentence
MOST_LISTED = 8  # rivals by name; more of them are counted


def compared(results: Results) -> Comparison | None:
    """Compare all that the page shows, each with each; None where there are no two to compare."""
    columns = [name for name in (*columns_needed(), *REPORTED.values()) if name in results.runs]
    rows = table_rows({name: sequence(results.runs[name].to_numpy()) for name in columns})
    try:
        return compare(rows, results.study, by=results.compared)
    except ConfigError:
        return None


def on_problem(found: Comparison | None, results: Results) -> list[Compared]:
    """Return the pairs of one section of the page."""
    if found is None or found.reported.by != results.compared:
        return []
    return [pair for pair in found.on_problems if results.section in ("", pair.problem)]


def overall(found: Comparison | None) -> str:
    """Return the answer over problems in words, of the one that is better than most; empty for a single problem."""
    if found is None or len(found.reported.scores) < 2:
        return ""
    pairs = found.over_problems
    if not pairs:
        return " ".join(f"{note}." for note in found.notes if "problems" in note)
    claims = Counter(claim.better for claim in filter(None, map(_claim, pairs)))
    head = f"Over {len(found.reported.scores)} problems, in {pairs[0].verdict.unit}:"
    if not claims:
        return f"{head} {_too_few(pairs) or 'none is known to be better than another.'}"
    first = max(found.reported.competitors, key=lambda name: claims[name])
    others = [name for name in found.reported.competitors if name != first]
    return " ".join([head, *sentences([first], others, pairs)])


@dataclass(frozen=True)
class Claim:
    """A pair turned so that the first is better; `p` is corrected."""

    better: str
    worse: str
    effect: float
    low: float
    high: float
    unit: str
    p: float


def sentences(best: Sequence[str], others: Sequence[str], pairs: Sequence[Compared]) -> list[str]:
    """Say which of the others the best are known to be better than, or worse, and of which nothing is known."""
    told = [pair for pair in pairs if pair.competitor in best or pair.control in best]
    if not told:
        return []
    if too_few := _too_few(pairs):
        return [too_few]
    claims = sorted(filter(None, map(_claim, told)), key=lambda claim: (claim.p, claim.worse))
    parts = [
        _claimed(name, [claim for claim in claims if claim.better == name])
        for name in dict.fromkeys(claim.better for claim in claims)
    ]
    undecided = [pair for pair in told if pair.verdict.answer == "undecided"]
    return [*parts, _open([*best, *others], undecided)] if undecided else parts


def _too_few(pairs: Sequence[Compared]) -> str:
    """Say that no number could have come out that is a claim; nothing where one could."""
    comparisons, seeds = pairs[0].family, max(pair.verdict.pairs for pair in pairs)
    if comparisons * smallest_p(seeds) <= ALPHA:
        return ""
    counted = f"{seeds} {pairs[0].sample if seeds > 1 else pairs[0].sample[:-1]}"
    told = f"{counted} {'are' if seeds > 1 else 'is'} too few to say which is better"
    return f"{told}: it takes at least {pairs_to_reach(comparisons)}."


def _claim(pair: Compared) -> Claim | None:
    found = pair.verdict
    if found.answer == "better":
        ends = found.estimate, found.low, found.high
        return Claim(pair.competitor, pair.control, *ends, found.unit, found.corrected_p)
    if found.answer == "worse":
        ends = -found.estimate, -found.high, -found.low
        return Claim(pair.control, pair.competitor, *ends, found.unit, found.corrected_p)
    return None


def _claimed(name: str, claims: Sequence[Claim]) -> str:
    """Say what one competitor is better than: few rivals each with its numbers, many together."""
    if len(claims) <= MOST_NAMED:
        return f"{name} is better than {' and than '.join(map(_one, claims))}."
    rivals = _listed([claim.worse for claim in claims])
    least, p = min(claim.effect for claim in claims), max(claim.p for claim in claims)
    by = f", by {_amount(least, claims[0].unit)} or more" if math.isfinite(least) else ""
    return f"{name} is better than {rivals}{by} (corrected p at most {p:.2g})."


def _one(claim: Claim) -> str:
    if not math.isfinite(claim.effect):
        return f"{claim.worse}, which lost more runs (corrected p = {claim.p:.2g})"
    ends = f"{_number(claim.low, claim.unit)} to {_number(claim.high, claim.unit)}"
    return (
        f"{claim.worse} by {_amount(claim.effect, claim.unit)} (95\N{NO-BREAK SPACE}% interval {ends}, "
        f"corrected p = {claim.p:.2g})"
    )


def _open(names: Sequence[str], pairs: Sequence[Compared]) -> str:
    """Say between whom nothing is known, and how many more seeds that would take."""
    found = {name for pair in pairs for name in (pair.competitor, pair.control)}
    listed = [name for name in names if name in found]  # the best first
    shared = [name for name in listed if all(name in (pair.competitor, pair.control) for pair in pairs)]
    if shared:
        rivals = _listed([name for name in listed if name != shared[0]])
        told = f"Between {shared[0]} and {rivals} there is" if len(listed) == 2 else f"Against {rivals} there is"
    else:
        told = f"Between some of {_listed(listed)} there is"
    more = sorted({pair.verdict.more for pair in pairs if pair.verdict.more})
    needed = f" (about {more[0]}{f' to {more[-1]}' if len(more) > 1 else ''} more {pairs[0].sample})" if more else ""
    return f"{told} not enough evidence{needed}."


def _listed(names: Sequence[str]) -> str:
    return style.listed(names) if len(names) <= MOST_LISTED else f"{len(names)} others"


def _amount(value: float, unit: str) -> str:
    return f"{_number(value, unit)}\N{NO-BREAK SPACE}{'SDs' if unit.startswith('seed SDs') else unit}"


def _number(value: float, unit: str) -> str:
    """R² with three digits, others with one; two that count where these are none."""
    shown = f"{value:.{3 if unit == 'R²' else 1}f}"
    return shown if float(shown) or not value else f"{value:.2g}"
