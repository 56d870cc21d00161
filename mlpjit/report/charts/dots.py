"""A dot plot: differences to one competitor with their intervals, one row each, the numbers beside the names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.report.charts import svg
from mlpjit.report.charts.scales import Scale, linear

WIDTH = 380.0  # a phone shows it 1:1
ROW = 40.0
LEFT, RIGHT = 8.0, WIDTH - 8.0
TOP = 8.0


@dataclass(frozen=True)
class Dot:
    """One row: its name, its estimate with both ends (infinite where there is none), and its number in words."""

    name: str
    key: str  # the class that gives its colour
    marker: str
    estimate: float
    low: float
    high: float
    words: str
    certain: bool  # filled where the interval decides, hollow where it does not
    told: str  # all of it in words, for who points at it


def dot_plot(name: str, dots: Sequence[Dot], axis: str, title: str, description: str, ends: tuple[str, str]) -> str:
    """Return the plot; `axis` names difference and unit, `ends` what left and right mean."""
    scale = _scale(dots, axis)
    bottom = TOP + ROW * len(dots)
    parts = [grid(scale, len(dots)), *(_row(dot, TOP + ROW * at, scale) for at, dot in enumerate(dots))]
    parts += [
        svg.text(LEFT, bottom + 31, f"\N{LEFTWARDS ARROW} {ends[0]}", class_="soft"),
        svg.text(RIGHT, bottom + 31, f"{ends[1]} \N{RIGHTWARDS ARROW}", class_="soft", anchor="end"),
        svg.text(WIDTH / 2, bottom + 47, axis, class_="soft", anchor="middle"),
    ]
    return svg.chart(name, (WIDTH, bottom + 54), parts, title, description)


def _scale(dots: Sequence[Dot], axis: str) -> Scale:
    """Zero stands in the picture, and what is finite; a little room on both sides."""
    found = [value for dot in dots for value in (dot.estimate, dot.low, dot.high) if math.isfinite(value)]
    low, high = min([0.0, *found]), max([0.0, *found])
    room = max((high - low) * 0.05, 1e-9)
    return linear(low - room, high + room, axis, 7)


def grid(scale: Scale, rows: int) -> str:
    """Return the grid, a piece for each row: names and numbers stand between the pieces."""
    parts = []
    for tick, name in zip(scale.ticks, scale.names, strict=True):
        x = svg.number(scale.place(tick, LEFT, RIGHT))
        pieces = "".join(f"M{x},{svg.number(TOP + ROW * row + 18)}v20" for row in range(rows))
        parts.append(svg.element("path", class_="zero" if tick == 0 else "grid", d=pieces))
        parts.append(svg.text(float(x), TOP + ROW * rows + 14, name, anchor="middle"))
    return "".join(parts)


def _row(dot: Dot, top: float, scale: Scale) -> str:
    y = top + 28
    low, high = (scale.place(end, LEFT, RIGHT) for end in (dot.low, dot.high))
    x = scale.place(dot.estimate, LEFT, RIGHT)
    look = "" if dot.certain else "open"
    body = svg.text(LEFT, top + 13, dot.name, class_="name")
    body += svg.text(RIGHT, top + 13, dot.words, anchor="end")
    body += svg.path([(low, y), (high, y)], class_="bar")
    body += svg.mark(x, y, dot.marker, dot.told, look)
    return svg.element("g", body, class_=dot.key)
