"""Dumbbells: before and after, a row for each competitor, with the interval of the change from before on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.report.charts import dots, svg
from mlpjit.report.charts.dots import LEFT, RIGHT, ROW, TOP, WIDTH
from mlpjit.report.charts.scales import Scale, linear
from mlpjit.statistics import quantiles

TAIL = 0.05  # of the starts, which may be so low that all else would be one spot


@dataclass(frozen=True)
class Dumbbell:
    """One row: both ends, the interval's two, its number in words; what is beyond the scale stands at its edge."""

    name: str
    key: str
    marker: str
    default: float
    tuned: float
    low: float
    high: float
    words: str
    told: str


def draw(name: str, rows: Sequence[Dumbbell], axis: str, title: str, description: str) -> str:
    """Return the rows as one chart; `axis` names score and unit."""
    scale = _scale(rows, axis)
    bottom = TOP + ROW * len(rows)
    parts = [dots.grid(scale, len(rows)), *(_row(row, TOP + ROW * at, scale) for at, row in enumerate(rows))]
    parts.append(svg.text(WIDTH / 2, bottom + 31, axis, class_="soft", anchor="middle"))
    return svg.chart(name, (WIDTH, bottom + 38), parts, title, description)


def _scale(rows: Sequence[Dumbbell], axis: str) -> Scale:
    """All that was tuned is in the picture, and what was not less a few that are far off."""
    ends = [value for row in rows for value in (row.tuned, row.high) if math.isfinite(value)] or [0.0]
    starts = [row.default for row in rows if math.isfinite(row.default)] or ends
    low, high = min(min(ends), float(quantiles.quantile(starts, TAIL))), max(max(ends), max(starts))
    room = max((high - low) * 0.05, 1e-9)
    return linear(low - room, high + room, axis, 7)


def _row(row: Dumbbell, top: float, scale: Scale) -> str:
    y = top + 28
    start, end, low, high = (scale.place(x, LEFT, RIGHT) for x in (row.default, row.tuned, row.low, row.high))
    body = svg.text(LEFT, top + 13, row.name, class_="name") + svg.text(RIGHT, top + 13, row.words, anchor="end")
    body += svg.path([(low, y + 5), (high, y + 5)], class_="bar thin")
    body += svg.path([(start, y), (end, y)], class_="bar")
    body += svg.mark(start, y, row.marker if row.default >= scale.low else "<", row.told, "open")
    body += svg.mark(end, y, row.marker, row.told)
    return svg.element("g", body, class_=row.key)
