"""Cells with numbers on one logarithmic scale: pale where the loss is low; lost cells grey, with how many were lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.report import style
from mlpjit.report.charts import svg
from mlpjit.report.charts.colours import RAMP, ramp_key

WIDTH, TOP, CELL, FOOT = 320.0, 24.0, 25.0, 40.0
NARROW = 25.0  # a cell this narrow has no room for its number


@dataclass(frozen=True)
class Cell:
    """A median, how many of its runs were lost, and all of it in words."""

    median: float
    runs: int
    lost: int
    told: str


@dataclass(frozen=True)
class Grid:
    """Cells by (column, row); rows are drawn from below."""

    title: str
    columns: Sequence[Any]
    rows: Sequence[Any]
    cells: Mapping[tuple[Any, Any], Cell]
    column_names: Sequence[str]
    across: str = ""
    up: str = ""

    @property
    def lowest(self) -> float:
        """The least median, infinite where all were lost."""
        return min((cell.median for cell in self.cells.values()), default=math.inf)


@dataclass(frozen=True)
class Ramp:
    """The key of the colours: from the lowest loss to the highest that is told apart."""

    low: float
    high: float

    @property
    def key(self) -> str:
        """It is no competitor's."""
        return ""

    @property
    def competitor(self) -> bool:
        """It cannot be switched off."""
        return False

    @property
    def name(self) -> str:
        """What the colours mean."""
        return f"median loss {style.short(self.low)} to {style.short(self.high)} and above, logarithmic"

    @property
    def sample(self) -> str:
        """All colours in a row."""
        steps = [svg.element("rect", class_=f"fill r{at}", x=2.8 * at, y=1, width=2.9, height=12) for at in range(RAMP)]
        return f'<svg viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">{"".join(steps)}</svg>'

    def step(self, value: float) -> str:
        """Return the class of a median's colour."""
        inside = min(max(value, self.low), self.high)
        return ramp_key(round(99 * math.log(inside / self.low) / math.log(self.high / self.low)), 100)


def ramp(values: Sequence[float]) -> Ramp:
    """Return the scale of all cells; it ends at 100 times the best, to keep detail visible."""
    found = [value for value in values if 0 < value < math.inf] or [0.1, 1.0]
    low = min(found)
    return Ramp(low, max(min(max(found), 100 * low), 1.05 * low))


def draw(name: str, grid: Grid, scale: Ramp, description: str) -> str:
    """Return a grid as a chart of its own."""
    left = svg.width(grid.rows) + (20 if grid.up else 8)
    wide = min((WIDTH - left - 4) / len(grid.columns), 70.0)
    high = TOP + CELL * len(grid.rows)
    parts = [svg.heading(grid.title, WIDTH)]
    for at, row in enumerate(grid.rows):
        y = high - CELL * (at + 1)
        parts.append(svg.text(left - 5, y + CELL / 2 + 4, row, anchor="end"))
        cells = [(column, grid.cells.get((column, row))) for column in grid.columns]
        parts += [
            _cell(left + wide * place, y, wide, cell, scale, cell.median == grid.lowest)
            for place, (_, cell) in enumerate(cells) if cell is not None
        ]  # fmt: skip
    parts += _names(grid, left, wide, high)
    return svg.chart(name, (WIDTH, high + FOOT), parts, grid.title, description)


def _names(grid: Grid, left: float, wide: float, high: float) -> list[str]:
    """Column names in two lines by turns where they would touch, then the axes' titles."""
    crowded = svg.width(grid.column_names) > wide
    parts = [
        svg.text(left + wide * (at + 0.5), high + 13 + (12 if crowded and at % 2 else 0), name, anchor="middle")
        for at, name in enumerate(grid.column_names)
    ]
    if grid.across:
        parts.append(
            svg.text(left + wide * len(grid.columns) / 2, high + 38, grid.across, anchor="middle", class_="soft")
        )
    if grid.up:
        middle = TOP + (high - TOP) / 2
        turn = f"rotate(-90 10 {svg.number(middle)})"
        parts.append(svg.text(10.0, middle, grid.up, anchor="middle", class_="soft", transform=turn))
    return parts


def _cell(x: float, y: float, wide: float, cell: Cell, scale: Ramp, best: bool) -> str:
    lost = not math.isfinite(cell.median)
    step = "gone" if lost else f"fill {scale.step(cell.median)}"
    title = svg.element("title", cell.told)
    body = svg.element("rect", title, class_=f"cell {step}", x=x + 0.5, y=y + 0.5, width=wide - 1, height=CELL - 1)
    if best and not lost:
        body += svg.element("rect", class_="frame", x=x + 2, y=y + 2, width=wide - 4, height=CELL - 4)
    words = f"{cell.lost}/{cell.runs}" if lost else style.short(cell.median)
    if wide < NARROW:
        return body
    return body + svg.text(
        x + wide / 2,
        y + CELL / 2 + 4,
        words,
        anchor="middle",
        class_="soft" if lost else f"in {scale.step(cell.median)}",
    )
