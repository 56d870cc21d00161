"""Heat maps: cells with numbers on one shared logarithmic scale; diverged cells grey and hatched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from mlpjit.report import style, ticks
from mlpjit.report.figures import layout


def scale(values: Any) -> Normalize:
    """Return one logarithmic scale for all cells; it ends at 100 times the best, to keep detail visible."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite) & (finite > 0)]
    if finite.size == 0:
        return LogNorm(0.1, 1.0)
    low = float(finite.min())
    return LogNorm(low, max(min(float(finite.max()), 100 * low), 1.05 * low))


def cells(
    panel: Axes,
    table: pd.DataFrame,
    across: tuple[str, Sequence[Any]],
    up: tuple[str, Sequence[Any]],
    norm: Normalize,
) -> None:
    """Draw one panel: `table` holds the columns named by `across` and `up`, `median`, `runs` and `lost`.

    The best cell gets a frame. A cell without a row stays white.
    """
    columns, rows = list(across[1]), list(up[1])
    finite = table["median"][np.isfinite(table["median"])]
    lowest = finite.min() if len(finite) else math.inf
    for cell in table.to_dict("records"):
        x, y = columns.index(cell[across[0]]), rows.index(cell[up[0]])
        _cell(panel, x, y, cell, norm, cell["median"] == lowest)
    panel.set_xlim(-0.5, len(columns) - 0.5)
    panel.set_ylim(-0.5, len(rows) - 0.5)
    panel.grid(visible=False)
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _cell(panel: Axes, x: int, y: int, cell: dict[str, Any], norm: Normalize, best: bool) -> None:
    value, lost = cell["median"], math.isinf(cell["median"])
    colour = style.LOST if lost else colormaps[style.SEQUENTIAL](float(norm(value)))
    hatch: dict[str, Any] = {"hatch": "/////", "edgecolor": "#8a8a8a", "linewidth": 0} if lost else {"linewidth": 0}
    panel.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=colour, **hatch))
    if best and not lost:
        panel.add_patch(Rectangle((x - 0.45, y - 0.43), 0.9, 0.86, fill=False, edgecolor="black", linewidth=1.6))
    text = f"{cell['lost']}/{cell['runs']}" if lost else style.short(value)
    ink = "black" if lost or _bright(colour) else "white"
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0} if lost else None
    panel.text(x, y, text, ha="center", va="center", fontsize=7.5, color=ink, bbox=box)


def _bright(colour: Any) -> bool:
    red, green, blue = colour[:3]
    return bool(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)


def key() -> list[Line2D]:
    """Return the legend of heat maps."""
    return [
        layout.handle("best cell", color="black", marker="s", markersize=9, fillstyle="none", linestyle="None"),
        layout.handle(
            "median run diverged (runs lost / runs)",
            color=style.LOST,
            marker="s",
            markersize=10,
            markeredgecolor="#8a8a8a",
            linestyle="None",
        ),
    ]


def bar(sheet: layout.Sheet, norm: Normalize, values: Any, name: str) -> None:
    """Put the shared colour bar to the right of the panels."""
    width, height = sheet.figure.get_size_inches()
    top, low = sheet.panels[0].get_position().y1, sheet.panels[-1].get_position().y0
    size = min(top - low, 2.6 / height)
    right = max(panel.get_position().x1 for panel in sheet.panels)
    place = sheet.figure.add_axes((right + 0.25 / width, top - size, 0.14 / width, size))
    finite = np.asarray(values, dtype=float)
    over = bool((finite[np.isfinite(finite)] > (norm.vmax or 1.0) * 1.001).any())
    colour_bar = sheet.figure.colorbar(
        ScalarMappable(norm, style.SEQUENTIAL), cax=place, extend="max" if over else "neither"
    )
    colour_bar.outline.set_visible(False)
    place.minorticks_off()
    layout.fixed_ticks(place.yaxis, ticks.log_ticks(norm.vmin or 0.1, norm.vmax or 1.0, 5))
    place.tick_params(length=2)
    place.set_title(name, fontsize=8.5, pad=9, loc="center")
