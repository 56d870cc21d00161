"""A dot plot: differences to one competitor with their intervals, one row each, the numbers beside the names.

Of many competitors a row has a line of text's height, its dot beside the name, and numbers where it is pointed at.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.report.charts import svg
from mlpjit.report.charts.scales import Scale, linear

WIDTH = 380.0  # a phone shows it 1:1
ROW = 40.0
LEFT, RIGHT = 8.0, WIDTH - 8.0
TOP = 8.0
MOST_TALL = 15  # rows, from which on they are low
LOW = 20.0


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
    beside = svg.width([dot.name for dot in dots], 12) + 14
    low = len(dots) > MOST_TALL and beside <= WIDTH / 2  # names too long for that stand above their bars
    left, high = (beside, LOW) if low else (LEFT, ROW)
    bottom = TOP + high * len(dots)
    parts = [_lines(scale, left, bottom) if low else grid(scale, len(dots))]
    parts += [(_low if low else _row)(dot, TOP + high * at, scale, left) for at, dot in enumerate(dots)]
    parts += [
        svg.text(left, bottom + 31, f"\N{LEFTWARDS ARROW} {ends[0]}", class_="soft"),
        svg.text(RIGHT, bottom + 31, f"{ends[1]} \N{RIGHTWARDS ARROW}", class_="soft", anchor="end"),
    ]
    words = _broken(axis)
    parts += [svg.text(WIDTH / 2, bottom + 47 + 14 * n, part, class_="soft", anchor="middle") for n, part in words]
    return svg.chart(name, (WIDTH, bottom + 40 + 14 * len(words)), parts, title, description)


def _broken(text: str) -> list[tuple[int, str]]:
    """Return the lines of a text, numbered: as many as the plot's width asks for."""
    lines = max(1, math.ceil((svg.width([text], 12)) / (WIDTH - 10)))
    return list(enumerate(textwrap.wrap(text, math.ceil(len(text) / lines) + 4)))


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


def _lines(scale: Scale, left: float, bottom: float) -> str:
    """The grid of low rows goes through all of them."""
    parts = []
    for tick, name in zip(scale.ticks, scale.names, strict=True):
        x = scale.place(tick, left, RIGHT)
        parts.append(svg.path([(x, TOP), (x, bottom)], class_="zero" if tick == 0 else "grid"))
        parts.append(svg.text(x, bottom + 14, name, anchor="middle"))
    return "".join(parts)


def _row(dot: Dot, top: float, scale: Scale, left: float) -> str:
    body = svg.text(left, top + 13, _cut(dot.name, RIGHT - left - svg.width([dot.words], 12)), class_="name")
    body += svg.text(RIGHT, top + 13, dot.words, anchor="end")
    return svg.element("g", body + _bar(dot, top + 28, scale, left), class_=dot.key)


def _cut(name: str, room: float) -> str:
    """Return a name as far as there is room; who points at it, and the tables, are told all of it."""
    most = int(room / svg.width("x", 12))
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _low(dot: Dot, top: float, scale: Scale, left: float) -> str:
    body = svg.text(LEFT, top + 14, dot.name, class_="name")
    return svg.element("g", body + _bar(dot, top + 10, scale, left), class_=dot.key)


def _bar(dot: Dot, y: float, scale: Scale, left: float) -> str:
    low, x, high = (scale.place(value, left, RIGHT) for value in (dot.low, dot.estimate, dot.high))
    return svg.path([(low, y), (high, y)], class_="bar") + svg.mark(
        x, y, dot.marker, dot.told, "" if dot.certain else "open"
    )
