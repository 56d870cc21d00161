"""Bars of parts one after the other, a row for each whole, with the numbers beside the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.report.charts import svg
from mlpjit.report.charts.scales import linear

WIDTH, ROW, LEFT, TOP = 380.0, 38.0, 8.0, 6.0


@dataclass(frozen=True)
class Part:
    """A piece of a bar: its class, its length, all of it in words."""

    key: str
    length: float
    told: str


@dataclass(frozen=True)
class Bar:
    """A whole: its name, its number in words, its parts from left to right."""

    name: str
    words: str
    parts: Sequence[Part]


def draw(name: str, bars: Sequence[Bar], axis: str, title: str, description: str) -> str:
    """Return the bars as one chart."""
    most = max(sum(part.length for part in bar.parts) for bar in bars) or 1.0
    scale = linear(0.0, most, axis, 6)
    bottom = TOP + ROW * len(bars)
    right = WIDTH - LEFT
    parts = []
    for at, bar in enumerate(bars):
        top = TOP + ROW * at
        parts.append(svg.text(LEFT, top + 13, bar.name, class_="name"))
        parts.append(svg.text(right, top + 13, bar.words, anchor="end"))
        start = 0.0
        for part in bar.parts:
            x, end = scale.place(start, LEFT, right), scale.place(start + part.length, LEFT, right)
            told = svg.element("title", part.told)
            parts.append(
                svg.element("rect", told, class_=f"fill {part.key}", x=x, y=top + 18, width=end - x, height=13)
            )
            start += part.length
    for tick, words in zip(scale.ticks, scale.names, strict=True):
        parts.append(svg.text(scale.place(tick, LEFT, right), bottom + 12, words, anchor="middle"))
    parts.append(svg.text(WIDTH / 2, bottom + 28, axis, anchor="middle", class_="soft"))
    return svg.chart(name, (WIDTH, bottom + 34), parts, title, description)
