"""Which runs speak for a competitor on a problem: those of its best setting, on final seeds where there are some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.comparison import names
from mlpjit.comparison.scores import REPORTED, Measure, check_measure, measure
from mlpjit.config.fields import PROBLEM, SEED_FIELDS, SETTING, columns_of
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.statistics import selection

Row = Mapping[str, Any]
Seeds = tuple[Any, ...]
Key = tuple[Any, ...]
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

    @property
    def competitors(self) -> list[str]:
        """Every competitor in a stable order."""
        return list(dict.fromkeys(self.spoken.values()))


def columns_needed() -> tuple[str, ...]:
    """Return the columns of a row that `reported` reads besides the metric."""
    return ("stage", "state", *SETTING, *SEED_FIELDS, "final_validation_loss")


def compared(study: Mapping[str, Any], rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the columns that a study compares: those of its final stage, else the first usual one that varies."""
    if columns := columns_of((study.get("final") or {}).get("per", ())):
        return columns
    values: dict[str, set[Any]] = {name: set() for name in COMPARED}
    for row in rows:
        for name, found in values.items():
            found.add(row.get(name))
    return (next((name for name, found in values.items() if len(found) > 1), "optimizer"),)


def reported(rows: Sequence[Row], study: Mapping[str, Any], by: Sequence[str] = (), metric: str = "") -> Reported:
    """Choose the best setting of each problem and competitor, and take its runs of the stage that reports.

    `by` names the columns that make a competitor, those of the study unless given; `metric` the column that scores.
    Raises ConfigError for an unknown column.
    """
    for name in by:
        if name not in SETTING:
            raise ConfigError(f"unknown column {name!r}{suggestion(name, SETTING)}")
    tuning = [row for row in rows if row["stage"] == "tune"]
    final = [row for row in rows if row["stage"] == "final"]
    columns = tuple(by) or compared(study, tuning)
    why = _why_tuning(study, columns, final)
    metric = metric or REPORTED["tune" if why else "final"]
    check_measure(metric)
    chosen = _best(tuning, tuple(dict.fromkeys((*PROBLEM, *columns))), None if why else final)
    return _scored(chosen, columns, metric, why)


def _why_tuning(study: Mapping[str, Any], columns: Sequence[str], final: Sequence[Row]) -> str:
    """Say why tuning runs must report; nothing where final runs do."""
    per = columns_of((study.get("final") or {}).get("per", ()))
    if not per:
        return "the study has no [final] stage"
    if not set(columns) <= set(per):
        return f"the final stage has the best settings of each {names.together(per)}, not {names.together(columns)}"
    return "" if final else "the final stage has not run yet"


def _best(tuning: Sequence[Row], groups: Sequence[str], final: Sequence[Row] | None) -> dict[Key, list[Row]]:
    """Return the runs of each group's best setting; with final runs, of its best setting that has some."""
    finals: dict[Key, list[Row]] = {}
    for row in final or ():
        finals.setdefault(_key(row, SETTING), []).append(row)
    best: dict[Key, list[Row]] = {}
    for setting in selection.settings(tuning, SETTING):
        first = tuning[setting.members[0]]
        group = _key(first, groups)
        if group in best:
            continue
        members = [tuning[at] for at in setting.members] if final is None else finals.get(_key(first, SETTING), [])
        if members:
            best[group] = members
    return best


def _scored(chosen: Mapping[Key, list[Row]], columns: tuple[str, ...], metric: str, why: str) -> Reported:
    firsts = [members[0] for members in chosen.values()]
    called = names.problems(sorted(firsts, key=lambda row: [selection.order_key(row[name]) for name in PROBLEM]))
    scores: dict[str, dict[str, dict[Seeds, float]]] = {name: {} for name in called.values()}
    measures: dict[str, Measure] = {}
    spoken: dict[str, str] = {}
    for members in sorted(chosen.values(), key=lambda some: [selection.order_key(some[0][name]) for name in columns]):
        first = members[0]
        problem, values = called[first["dataset"], first["loss"]], [first[name] for name in columns]
        name = names.competitor(columns, values)
        spoken |= {name: name, ", ".join(map(str, values)): name}
        measures[problem] = measure(metric, first["dataset"], first["loss"])
        scores[problem][name] = {_key(row, SEED_FIELDS): measures[problem].value(row) for row in members}
    notes = (f"{why}: {FLATTERS}",) if why else ()
    return Reported(columns, "tune" if why else "final", scores, measures, spoken, notes)


def _key(row: Row, columns: Sequence[str]) -> Key:
    """A row's values as a key; a width that is not there is NaN in frames, which differs from itself."""
    values = (row.get(name) for name in columns)
    return tuple(None if value != value else value for value in values)
