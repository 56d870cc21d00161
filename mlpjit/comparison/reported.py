"""Which runs speak for a competitor on a problem: those of its best setting, on final seeds where there are some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

from mlpjit.comparison import names
from mlpjit.comparison.choosing import Choice, Key, Plan, Row, best, plain_key, stage
from mlpjit.comparison.scores import REPORTED, Measure, check_measure, measure
from mlpjit.config.fields import PROBLEM, SEED_FIELDS, SETTING
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.statistics.selection import order_key

Seeds = tuple[Any, ...]
# What a study compares when it does not say so: the first of these that varies.
COMPARED = ("optimizer", "wrapper", "activation", "init", "normalization", "residual", "schedule", "clip")
FLATTERS = "validation data over the very seeds by which settings were chosen, so scores may flatter"


@dataclass(frozen=True)
class Reported:
    """Scores by problem, competitor and seeds, lost runs NaN; `notes` says what a reader must know of them."""

    by: tuple[str, ...]
    stage: str
    scores: dict[str, dict[str, dict[Seeds, float]]]
    measures: dict[str, Measure]
    spoken: dict[str, str]  # names by what a user may call a competitor: depth 4, 4
    notes: tuple[str, ...]
    units: str = "seeds"  # what the scores on a problem are of: seeds, or repetitions of the tuning

    @property
    def competitors(self) -> list[str]:
        """Every competitor in a stable order."""
        return list(dict.fromkeys(self.spoken.values()))


def columns_needed() -> tuple[str, ...]:
    """Return the columns of a row that `reported` reads besides the metric."""
    return ("stage", "state", *SETTING, *SEED_FIELDS, "final_validation_loss")


def compared(plan: Plan, rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the columns that a study compares: those of its final stage, else the first usual one that varies."""
    if plan.per:
        return plan.per
    values: dict[str, set[Any]] = {name: set() for name in COMPARED}
    for row in rows:
        for name, found in values.items():
            found.add(plan.competitor(row, name))
    return (next((name for name, found in values.items() if len(found) > 1), "optimizer"),)


def reported(rows: Sequence[Row], study: Mapping[str, Any], by: Sequence[str] = (), metric: str = "") -> Reported:
    """Choose the best setting of each problem and competitor, and take its runs of the stage that reports.

    `by` names the columns that make a competitor, those of the study unless given; `metric` the column that scores.
    Raises ConfigError for an unknown column.
    """
    for name in by:
        if name not in SETTING:
            raise ConfigError(f"unknown column {name!r}{suggestion(name, SETTING)}")
    plan = Plan(study)
    columns = tuple(by) or compared(plan, stage(rows, "tune"))
    why = _why_tuning(plan, columns, stage(rows, "final"))
    metric = metric or REPORTED["tune" if why else "final"]
    check_measure(metric)
    groups = tuple(dict.fromkeys((*PROBLEM, *columns)))
    chosen = [best(plan, part, groups, not why) for part in plan.repetitions(rows)]
    found = _scored(plan, [choices for choices, _ in chosen], columns, metric, why)
    lacking = sum((Counter(short) for _, short in chosen), Counter())
    return replace(found, notes=(*found.notes, *_unfinished(lacking, groups, columns)))


def _unfinished(lacking: Mapping[Key, int], groups: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Say of whom final runs are missing, on all problems together; nothing where the stage is at its end."""
    counts: Counter[str] = Counter()
    for key, count in lacking.items():
        values = dict(zip(groups, key, strict=True))
        counts[names.competitor(columns, [values[name] for name in columns])] += count
    if not counts:
        return []
    listed = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
    return [f"the final stage is not at its end, and its answers may change: runs are missing, {listed}"]


def _why_tuning(plan: Plan, columns: Sequence[str], final: Sequence[Row]) -> str:
    """Say why tuning runs must report; nothing where final runs do."""
    if not plan.per:
        return "the study has no [final] stage"
    if not set(columns) <= set(plan.per):
        told = f"{names.together(plan.per)}, not {names.together(columns)}"
        return f"the final stage has the best settings of each {told}"
    return "" if final else "the final stage has not run yet"


def _scored(
    plan: Plan, chosen: Sequence[Mapping[Key, Choice]], columns: tuple[str, ...], metric: str, why: str
) -> Reported:
    firsts = {group: choice.members[0] for some in chosen for group, choice in some.items()}
    called = names.problems(sorted(firsts.values(), key=lambda row: [order_key(row[name]) for name in PROBLEM]))
    scores: dict[str, dict[str, dict[Seeds, float]]] = {name: {} for name in called.values()}
    measures: dict[str, Measure] = {}
    spoken: dict[str, str] = {}
    for group, first in sorted(
        firsts.items(), key=lambda item: [order_key(each) for each in plan.key(item[1], columns)]
    ):
        problem, values = called[first["dataset"], first["loss"]], plan.key(first, columns)
        name = names.competitor(columns, values)
        spoken |= {name: name, ", ".join(map(str, values)): name}
        measures[problem] = measure(metric, first["dataset"], first["loss"], plan.classified)
        members = [some[group].members if group in some else [] for some in chosen]
        scores[problem][name] = sample(members, measures[problem], 1 if why else plan.runs_each)
    notes = (f"{why}: {FLATTERS}",) if why else ()
    units = "seeds" if plan.repeats == 1 else "repetitions"
    return Reported(columns, "tune" if why else "final", scores, measures, spoken, notes, units)


def sample(repetitions: Sequence[Sequence[Row]], measured: Measure, whole: int) -> dict[Seeds, float]:
    """Return a score for each seed; where tuning is repeated, for each repetition the mean of its runs, lost if one is.

    Runs of one repetition share what it chose, so that they are not independent; repetitions are. One that has not its
    `whole` number of runs yet has no score: its mean would be over other seeds than its rivals'.
    """
    if len(repetitions) == 1:
        return {plain_key(row, SEED_FIELDS): measured.value(row) for row in repetitions[0]}
    return {
        (f"repetition {at}",): fsum(measured.value(row) for row in rows) / len(rows)
        for at, rows in enumerate(repetitions, 1) if rows and len(rows) >= whole
    }  # fmt: skip
