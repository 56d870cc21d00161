"""Panels of lines over one axis: bands, bars, marks, and what lies beyond the scale marked at its edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlpjit.report.charts import svg
from mlpjit.report.charts.scales import Scale
from mlpjit.report.style import Look

WIDTH, HEIGHT = 320.0, 214.0
TOP, BOTTOM, RIGHT = 26.0, 36.0, 8.0
MOST_MARKS = 8  # of a line: more hide it


@dataclass(frozen=True)
class Point:
    """A place on a line, perhaps with quartiles; `told` says all of it."""

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    told: str = ""


@dataclass(frozen=True)
class Line:
    """Points from left to right in one look; `band` and `bars` draw their quartiles."""

    key: str
    points: Sequence[Point]
    look: Look | None = None
    band: bool = False
    bars: bool = False
    marked: bool = True


@dataclass(frozen=True)
class Mark:
    """A sign that stands alone."""

    x: float
    y: float
    marker: str
    told: str
    key: str = "soft"


@dataclass(frozen=True)
class Panel:
    """One panel: its name, its axes, what stands in it; `bands` are stretches of x that are shaded."""

    title: str
    x: Scale
    y: Scale
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    bands: Sequence[tuple[float, float]] = ()
    words: Sequence[tuple[float, str]] = field(default_factory=list)  # written along the upper edge


@dataclass(frozen=True)
class Frame:
    """Where a panel's axes stand."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of two numbers."""
        return self.x.place(x, self.left, self.right), self.y.place(y, self.bottom, self.top)

    def holds(self, y: float) -> bool:
        """Whether a number lies on the scale."""
        return math.isfinite(y) and self.y.low <= y <= self.y.high


def draw(name: str, panel: Panel, description: str, size: tuple[float, float] = (WIDTH, HEIGHT)) -> str:
    """Return a panel as a chart of its own."""
    crowded = svg.width([panel.title], 13) + svg.width([panel.y.title]) > size[0] - RIGHT - 10
    top = TOP + 13 if crowded else TOP
    frame = Frame(svg.width(panel.y.names) + 8, size[0] - RIGHT, top, size[1] - BOTTOM, panel.x, panel.y)
    parts = [_bands(panel, frame), axes(frame), svg.heading(panel.title, size[0])]
    parts += [_line(line, frame) for line in panel.lines]
    parts += [_alone(mark, frame) for mark in panel.marks]
    parts += [
        svg.text(frame.at(x, 0)[0], frame.top + 18, words, anchor="middle", class_="lost small")
        for x, words in panel.words
    ]
    return svg.chart(name, size, parts, panel.title or panel.y.title, description)


def axes(frame: Frame) -> str:
    """Return grid, ticks and names of both axes."""
    places = [(frame.at(frame.x.low, tick)[1], name) for tick, name in zip(frame.y.ticks, frame.y.names, strict=True)]
    lines = "".join(f"M{svg.number(frame.left)},{svg.number(y)}H{svg.number(frame.right)}" for y, _ in places)
    parts = [svg.element("path", class_="grid", d=lines)] if lines else []
    parts += [svg.text(frame.left - 4, y + 4, name, anchor="end") for y, name in places]
    parts += [
        svg.text(frame.at(tick, frame.y.low)[0], frame.bottom + 14, name, anchor="middle")
        for tick, name in zip(frame.x.ticks, frame.x.names, strict=True)
    ]
    if frame.x.title:
        parts.append(
            svg.text((frame.left + frame.right) / 2, frame.bottom + 29, frame.x.title, anchor="middle", class_="soft")
        )
    if frame.y.title:
        parts.append(svg.text(frame.right, frame.top - 13, frame.y.title, anchor="end", class_="soft"))
    return "".join(parts)


def _bands(panel: Panel, frame: Frame) -> str:
    parts = []
    for low, high in panel.bands:
        start, stop = frame.at(low, 0)[0], frame.at(high, 0)[0]
        height = frame.bottom - frame.top
        parts.append(svg.element("rect", class_="good", x=start, y=frame.top, width=stop - start, height=height))
    return "".join(parts)


def _line(line: Line, frame: Frame) -> str:
    kept = [point for point in line.points if frame.holds(point.y)]
    body = _band(kept, frame) if line.band else ""
    body += svg.path(
        [frame.at(point.x, point.y) for point in kept], class_="line",
        stroke_dasharray=svg.dashes(line.look) if line.look else None,
    )  # fmt: skip
    if line.bars:
        body += "".join(_bar(point, frame) for point in kept)
    every = max(1, math.ceil(len(line.points) / MOST_MARKS))
    body += "".join(_mark(point, line, frame) for point in line.points[::every] if line.marked)
    return svg.element("g", body, class_=line.key)


def _band(kept: Sequence[Point], frame: Frame) -> str:
    found = [point for point in kept if not math.isnan(point.low)]
    if len(found) < 2:
        return ""
    up = [frame.at(point.x, point.high) for point in found]
    down = [frame.at(point.x, point.low) for point in reversed(found)]
    return svg.path([*up, *down], class_="band")


def _bar(point: Point, frame: Frame) -> str:
    return svg.path([frame.at(point.x, point.low), frame.at(point.x, point.high)], class_="bar")


def _mark(point: Point, line: Line, frame: Frame) -> str:
    """A point's marker; beyond the scale a hollow triangle that points there, a cross for what is not finite."""
    if frame.holds(point.y):
        return svg.mark(*frame.at(point.x, point.y), line.look.marker if line.look else "o", point.told)
    if not math.isfinite(point.y):
        return svg.mark(*frame.at(point.x, frame.y.high), "x", point.told, "lost")
    below = point.y < frame.y.low
    place = frame.at(point.x, frame.y.low if below else frame.y.high)
    return svg.mark(*place, "v" if below else "^", point.told, "open")


def _alone(mark: Mark, frame: Frame) -> str:
    return svg.mark(*frame.at(mark.x, mark.y), mark.marker, mark.told, mark.key)
