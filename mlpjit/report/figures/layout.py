"""Where things stand on a figure: a title, a line below it, a legend, then a grid of panels, all in inches.

Positions are computed, not searched for: matplotlib's layout engines cost more than drawing the figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mlpjit.report import style
from mlpjit.report.ticks import log_ticks, tick_name

WIDTH = 10.4  # inches; the page shows it 1:1 at 1200 px and at 70 % on A4
SIZE = 9.0  # points
NARROWEST = 1.3  # inches that a panel takes at least, with its labels
FULL = 8  # more lines than this share no panel
_LINE = 0.2  # inches of one line of text
_CHARACTER = 0.078  # inches of one character of 9 point text, on the wide side


@dataclass(frozen=True)
class Paper:
    """What figures are drawn on: inches across, the size of text in points, whether the question stands above."""

    width: float = WIDTH
    font_size: float = SIZE
    titled: bool = True

    @property
    def scale(self) -> float:
        """How much larger text is than on the page."""
        return self.font_size / SIZE


PAGE = Paper()
paper: ContextVar[Paper] = ContextVar("paper", default=PAGE)


@dataclass
class Sheet:
    """A figure and its grid of panels, row by row."""

    figure: Figure
    panels: list[Axes]
    columns: int
    _texts: list[Any] = field(default_factory=list)

    def axes(self, row: int, column: int) -> Axes:
        """Return the panel at a row and a column."""
        return self.panels[row * self.columns + column]

    def panel_inches(self) -> tuple[float, float]:
        """Return how wide and how high a panel is."""
        width, height = self.figure.get_size_inches()
        place = self.panels[0].get_position()
        return place.width * width, place.height * height

    def title(self, panel: Axes, text: str, size: float = 9.5, **font: Any) -> None:
        """Write a panel's title at its left, so small that it ends before the next panel's."""
        room = self.panel_inches()[0] + 0.08
        longest = max(text_width([line]) for line in text.split("\n")) / paper.get().font_size
        size *= paper.get().scale
        panel.set_title(text, loc="left", fontsize=min(size, room / longest) if longest else size, **font)

    def is_left(self, panel: Axes) -> bool:
        """Whether the panel stands in the first column."""
        return self.panels.index(panel) % self.columns == 0

    def is_low(self, panel: Axes) -> bool:
        """Whether no panel stands below this one."""
        return self.panels.index(panel) + self.columns >= len(self.panels)


@dataclass(frozen=True)
class Room:
    """Inches around the panels: left and bottom for tick labels, between panels, right for a colour bar."""

    left: float = 0.72
    right: float = 0.15
    bottom: float = 0.55
    across: float = 0.3
    down: float = 0.5


def text_width(texts: Iterable[Any]) -> float:
    """Return the inches that the longest of these texts needs."""
    return max((len(str(text)) for text in texts), default=0) * _CHARACTER * paper.get().scale


def sheet(
    title: str,
    subtitle: str,
    count: int,
    columns: int,
    height: float,
    *,
    room: Room = Room(),
    legend: Sequence[Line2D] = (),
    most_across: float = math.inf,
    title_lines: int = 1,
    above: float = 0.0,
) -> Sheet:
    """Make a figure with `count` panels of `height` inches in `columns` columns.

    Panels share the full width, but none gets wider than `most_across` inches. `title_lines` is the height of
    the titles above the first row, `above` what text at the top of each panel takes, by which low ones are higher.
    """
    on = paper.get()
    width, line = on.width, _LINE * on.scale
    fitting = max(1, int((width - room.right) // (NARROWEST * on.scale)))
    columns = max(1, min(columns, count, fitting if on is not PAGE else columns))
    across = min((width - room.left - room.right - (columns - 1) * room.across) / columns, most_across)
    height = height if on is PAGE else min(height, max(0.8 * across, 0.9) + above)
    rows = math.ceil(count / columns)
    legend_columns = _legend_columns(legend, width)
    legend_lines = math.ceil(len(legend) / legend_columns)
    words = 0.42 + line * (subtitle.count("\n") + 1) if on.titled else 0.04
    head = words + 0.21 * on.scale * legend_lines + 0.3 + 0.16 * (title_lines - 1)
    total = head + rows * height + (rows - 1) * room.down + room.bottom
    figure = Figure(figsize=(width, total))
    if on.titled:
        _head(figure, title, subtitle, total)
    if legend:
        figure.legend(
            handles=list(legend),
            loc="upper left",
            bbox_to_anchor=(0.1 / width, 1 - words / total),
            borderpad=0,
            borderaxespad=0,
            ncols=legend_columns,
            columnspacing=1.6,
            handlelength=2.6,
        )
    panels = []
    for index in range(count):
        row, column = divmod(index, columns)
        x = room.left + column * (across + room.across)
        y = total - head - height - row * (height + room.down)
        panels.append(figure.add_axes((x / width, y / total, across / width, height / total)))
    return Sheet(figure, panels, columns)


def _head(figure: Figure, title: str, subtitle: str, total: float) -> None:
    left = 0.1 / figure.get_figwidth()
    figure.text(left, 1 - 0.08 / total, title, fontsize=12.5, fontweight="bold", va="top")
    figure.text(left, 1 - 0.36 / total, subtitle, color=style.GREY, va="top", linespacing=1.35)


def _legend_columns(legend: Sequence[Line2D], width: float) -> int:
    """As many as fit: all in one line if they do, else columns of the longest text."""
    texts = [str(handle.get_label()) for handle in legend]
    if sum(text_width([text]) + 0.65 for text in texts) < width - 0.2:
        return max(1, len(legend))
    return max(1, int((width - 0.2) / (text_width(texts) + 0.65)))


def handle(label: Any, **look: Any) -> Line2D:
    """Return a legend entry that looks as given, without drawing anything."""
    return Line2D([], [], label=str(label), **look)


def grid_columns(count: int, most: int = 4) -> int:
    """Return in how many columns `count` small panels stand best: full rows where possible."""
    if count <= most:
        return max(count, 1)
    rows = math.ceil(count / most)
    return math.ceil(count / rows)


def log_axis(panel: Axes, which: str, low: float, high: float, ticks: Sequence[float] | None = None) -> None:
    """Make x or y logarithmic from low to high with few, plainly written ticks."""
    getattr(panel, f"set_{which}scale")("log")
    getattr(panel, f"set_{which}lim")(low, high)
    axis = getattr(panel, f"{which}axis")
    axis.set_minor_locator(NullLocator())
    fixed_ticks(axis, log_ticks(low, high) if ticks is None else ticks)


def edge_marks(panel: Axes, x: Any, values: Any, limits: tuple[float, float], colour: Any, size: float = 4) -> None:
    """Mark what a logarithmic axis cannot show: below zero hollow and too small filled, above what is not finite."""
    places, numbers, (low, high) = np.asarray(x), np.asarray(values, dtype=float), limits
    kinds = [
        (numbers <= 0, low, "v", "none"), ((numbers > 0) & (numbers < low), low, "v", colour),
        (~np.isfinite(numbers), high, "^", "none"),
    ]  # fmt: skip
    for chosen, edge, marker, fill in kinds:
        if chosen.any():
            panel.plot(
                places[chosen], np.full(chosen.sum(), edge), marker, color=colour, markerfacecolor=fill,
                markersize=size, markevery=max(1, len(places) // 9), clip_on=False,
            )  # fmt: skip


def fixed_ticks(axis: Any, ticks: Sequence[float], names: Sequence[str] | None = None) -> None:
    """Put ticks exactly there, named as given or as short numbers."""
    texts = [tick_name(tick) for tick in ticks] if names is None else list(names)
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda _, index: texts[index] if index is not None else ""))
