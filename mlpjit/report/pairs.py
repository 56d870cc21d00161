"""Pairs of competitors as pictures: differences to one of them with intervals, and the matrix of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpjit.comparison.compare import Compared
from mlpjit.report.charts import dots
from mlpjit.report.charts.dots import Dot
from mlpjit.report.style import Look

MOST_IN_MATRIX = 15  # competitors, from which on the matrix has the best alone, and a table the rest
BEST_IN_MATRIX = 12
MOST_NUMBERS = 9  # competitors, from which on a cell of the matrix has room for a sign alone
SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}", "equal": "="}
BAND = " \N{EN DASH} "


@dataclass(frozen=True)
class Against:
    """What is known of one competitor against another: positive is in its favour."""

    competitor: str
    control: str
    effect: float
    low: float
    high: float
    unit: str
    answer: str
    words: str
    p: float
    pairs: int
    sample: str

    @property
    def difference(self) -> str:
        """The estimate with its sign."""
        return signed(self.effect, self.unit)

    @property
    def ends(self) -> str:
        """The interval."""
        return f"{amount(self.low, self.unit)} to {amount(self.high, self.unit)}"

    @property
    def told(self) -> str:
        """All of it in one line."""
        ends = f"95 % interval {self.ends}"
        return (
            f"{self.competitor} against {self.control}: {signed(self.effect, self.unit)} {self.unit}, {ends}, "
            f"{self.pairs} {self.sample}, corrected p = {self.p:.2g}: {self.words}"
        )


def against(pairs: Sequence[Compared]) -> dict[tuple[str, str], Against]:
    """Return every pair from both sides."""
    found: dict[tuple[str, str], Against] = {}
    for pair in pairs:
        one = pair.verdict
        plain = Against(
            pair.competitor, pair.control, one.estimate, one.low, one.high, one.unit, one.answer, pair.words,
            one.corrected_p, one.pairs, pair.sample,
        )  # fmt: skip
        found[pair.competitor, pair.control] = plain
        found[pair.control, pair.competitor] = _turned(plain)
    return found


def _turned(one: Against) -> Against:
    answer = {"better": "worse", "worse": "better"}.get(one.answer, one.answer)
    words = answer if one.answer in ("better", "worse") else one.words
    return replace(
        one, competitor=one.control, control=one.competitor, effect=-one.effect, low=-one.high, high=-one.low,
        answer=answer, words=words,
    )  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: what it shows, its class, all of it in words."""

    shown: str
    answer: str
    told: str


@dataclass(frozen=True)
class Picture:
    """Competitors beside each other: a dot plot with its finding and a matrix, rows and columns in one order.

    `names` are those of the matrix; `rows` are all against the control, for a table where the matrix lacks some.
    """

    control: str
    finding: str
    plot: str
    names: list[str]
    keys: Mapping[str, str]
    cells: list[list[Cell | None]]
    unit: str
    family: str
    rows: Sequence[Against]

    @property
    def many(self) -> bool:
        """Whether the matrix has the best alone."""
        return len(self.rows) >= len(self.names)

    @property
    def small(self) -> bool:
        """Whether a cell has room for a sign alone."""
        return len(self.names) > MOST_NUMBERS


def picture(
    name: str, pairs: Sequence[Compared], order: Sequence[str], looks: Mapping[Any, Look], keys: Mapping[Any, str]
) -> Picture | None:
    """Draw the pairs of one problem, or over problems; the first of `order` is what all others are compared with."""
    known = against(pairs)
    names = [one for one in order if any(one in pair for pair in known)]
    if len(names) < 2:
        return None
    control = names[0]
    spoken = {str(label): key for label, key in keys.items()}
    marks = {str(label): look.marker for label, look in looks.items()}
    rows = [known[one, control] for one in names[1:] if (one, control) in known]
    rows.sort(key=lambda row: -row.effect)
    shown = [_dot(row, spoken.get(row.competitor, ""), marks.get(row.competitor, "o")) for row in rows]
    finding = _finding(rows, control)
    plot = dots.dot_plot(
        name, shown, f"difference to {control} in {rows[0].unit}, with its 95 % interval",
        f"Differences to {control}", " ".join([finding, *(row.told + "." for row in rows)]), ("worse", "better"),
    )  # fmt: skip
    best = [control, *(row.competitor for row in rows)][:BEST_IN_MATRIX] if len(names) > MOST_IN_MATRIX else names
    unit, family = rows[0].unit, pairs[0].verdict.family
    return Picture(control, finding, plot, best, spoken, _cells(known, best), unit, family, rows)


def _cells(known: Mapping[tuple[str, str], Against], names: Sequence[str]) -> list[list[Cell | None]]:
    small = len(names) > MOST_NUMBERS
    return [[_cell(known.get((one, other)), small) for other in names] for one in names]


def _dot(row: Against, key: str, marker: str) -> Dot:
    words = f"{row.difference} ({row.ends})"
    return Dot(row.competitor, key, marker, row.effect, row.low, row.high, words, row.answer != "undecided", row.told)


def _finding(rows: Sequence[Against], control: str) -> str:
    """Count what is known of all against the one they are compared with."""
    counts = {answer: sum(row.answer == answer for row in rows) for answer in ("better", "worse", "equal")}
    known = [f"{count} {'is' if count == 1 else 'are'} {answer}" for answer, count in counts.items() if count]
    open_ = len(rows) - sum(counts.values())
    if open_:
        known.append(f"of {open_} nothing is known")
    return f"Of {len(rows)} compared with {control}, {', '.join(known)}."


def _cell(pair: Against | None, small: bool) -> Cell | None:
    if pair is None:
        return None
    sign = SIGNS.get(pair.answer, "")
    number = signed(pair.effect, pair.unit)
    shown = (sign or "\N{MIDDLE DOT}") if small else f"{sign}\N{NO-BREAK SPACE}{number}" if sign else number
    return Cell(shown, pair.answer, pair.told)


def signed(value: float, unit: str) -> str:
    """Return a difference with its sign, R² with three digits and others with one."""
    shown = amount(value, unit)
    return shown if shown.startswith("\N{MINUS SIGN}") or not value else f"+{shown}"


def amount(value: float, unit: str) -> str:
    """Return a number of a unit, with a minus that is as wide as a plus."""
    if not math.isfinite(value):
        return "\N{MINUS SIGN}\N{INFINITY}" if value < 0 else "\N{INFINITY}"
    shown = f"{value:.{3 if unit == 'R²' else 1}f}"
    if not float(shown):
        shown = f"{value:.1g}" if value else "0"
    return shown.replace("-", "\N{MINUS SIGN}")
