"""Many problems on one page: who is how far behind the best on each, in a table instead of a section a problem."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlpjit.report import style, verdict
from mlpjit.report.charts.colours import ramp_key
from mlpjit.report.samples import test_samples
from mlpjit.report.section import Section
from mlpjit.statistics import quantiles

MOST_PROBLEMS = 4  # with a section and figures of their own
STEPS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # points behind the best, where one colour ends and the next begins
MOST_LEADERS = 3  # in the finding


@dataclass(frozen=True)
class Column:
    """A problem: its best, its score in words, how many samples it is over."""

    name: str
    leaders: Sequence[str]
    score: str
    samples: str

    @property
    def best(self) -> str:
        """Who is best, of several with one score the first."""
        more = len(self.leaders) - 1
        return self.leaders[0] + (f" and {more} more" if more else "") if self.leaders else "none"


@dataclass(frozen=True)
class Cell:
    """A competitor on a problem: what is written, its class, all of it in words."""

    shown: str
    key: str
    told: str


@dataclass(frozen=True)
class Problems:
    """The table: rows of competitors, least behind first, columns of problems; `table` is its data."""

    finding: str
    columns: Sequence[Column]
    rows: Sequence[tuple[str, str, Sequence[Cell]]]
    table: pd.DataFrame
    steps: Sequence[tuple[str, str]]


def problems(sections: Sequence[Section], keys: Mapping[str, str]) -> Problems | None:
    """Return the table where there are too many problems for a section each; `keys` are the competitors' classes."""
    if len(sections) <= MOST_PROBLEMS:
        return None
    table = pd.DataFrame([record for section in sections for record in _records(section)])
    typical = {name: float(quantiles.median(part["behind"])) for name, part in table.groupby("competitor", sort=True)}
    columns = [_column(section) for section in sections]
    cells = {(record["competitor"], record["problem"]): _cell(record) for record in table.to_dict("records")}
    rows = [
        (name, keys.get(name, ""), [cells.get((name, column.name), Cell("-", "none", "no run")) for column in columns])
        for name in sorted(typical, key=lambda name: (typical[name], name))
    ]
    return Problems(_finding(columns, rows[0][0], typical), columns, rows, table, _steps())


def _records(section: Section) -> list[dict[str, Any]]:
    """How far each competitor is behind the best of a problem; infinitely where its median run was lost."""
    unit, top = section.results.score_unit, section.rows[0]["score"]
    return [
        {
            "problem": section.results.section, "competitor": verdict.name(row), "score": row["score"] * unit,
            "unit": "points" if unit == 100 else "R²", "behind": _behind(row["score"], top, unit), "lost": row["lost"],
            "runs": row["runs"],
        }
        for row in section.rows
    ]  # fmt: skip


def _behind(score: float, top: float, unit: float) -> float:
    return (top - score) * unit if math.isfinite(score) and math.isfinite(top) else math.inf


def _column(section: Section) -> Column:
    first = section.rows[0]
    leaders = [verdict.name(row) for row in section.rows if section.is_best(row)]
    count = test_samples(section.results, section.data)
    unit = " %" if section.results.score_unit == 100 else " R²"
    one = f"; one is {100 / count:.2g} points" if count and unit == " %" else ""
    samples = f"{count:,} {section.data} samples{one}" if count else ""
    return Column(section.results.section, leaders, section.score(first, "score") + unit, samples)


def _cell(record: Mapping[str, Any]) -> Cell:
    """Points with one digit, R² with three; a median run that was lost is grey with how many were."""
    behind, lost = record["behind"], f"{record['lost']} of {record['runs']} runs lost"
    who = f"{record['competitor']} on {record['problem']}"
    if not math.isfinite(behind):
        return Cell(f"{record['lost']}/{record['runs']} lost", "gone", f"{who}: {lost}, so the median run is")
    shown = f"{behind:.1f}" if record["unit"] == "points" else f"{behind:.3f}"
    told = f"{who}: {shown} {record['unit']} behind the best" + (f", {lost}" if record["lost"] else "")
    return Cell(shown + ("*" * bool(record["lost"])), _colour(behind, record["unit"]), told)


def _colour(behind: float, unit: str) -> str:
    """A hundredth of R² is coloured as a point."""
    points = behind if unit == "points" else 100 * behind
    return ramp_key(sum(points >= step for step in STEPS), len(STEPS) + 1)


def _steps() -> list[tuple[str, str]]:
    ends = [f"below {STEPS[0]:g}", *(f"{low:g} to {high:g}" for low, high in itertools.pairwise(STEPS))]
    names = [*ends, f"{STEPS[-1]:g} or more"]
    return [(ramp_key(at, len(names)), name) for at, name in enumerate(names)]


def _finding(columns: Sequence[Column], first: str, typical: Mapping[str, float]) -> str:
    """Who is best how often, and who is least behind on the typical problem."""
    counts = Counter(name for column in columns for name in column.leaders)
    often = [f"{name} ({count})" for name, count in counts.most_common(MOST_LEADERS)]
    rest = [f"{len(counts) - MOST_LEADERS} others less often"] if len(counts) > MOST_LEADERS else []
    led = f"Of {len(columns)} problems, most often best: {style.listed([*often, *rest]) or 'none'}."
    if not math.isfinite(near := typical[first]):
        return led
    if not near:
        return f"{led} On half of them or more {first} is the best."
    return f"{led} On the typical problem {first} is least behind the best: {near:.2g} points, or hundredths of R²."
