"""Signals through the layers at initialization: shared by the forward and the backward figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report.figures import layout, style
from mlpjit.report.figures.gradient_norm import layer_ticks
from mlpjit.report.figures.results import Results, with_skips
from mlpjit.statistics import quantiles

GROUPS = ["activation", "init", "normalization", "depth"]
ACROSS = 6  # panels in a row
DEEP = 12  # hidden layers from which the signal through them is worth a figure
SPAN = 1e30  # of the axis: what is smaller still is marked at its lower edge
READING = (
    "Median over seeds. Triangles at the lower edge are exact zeros where hollow, and where filled too small for the "
    "axis, which spans 30 decades at most; hollow triangles at the upper edge are not finite."
)


def by_layer(results: Results, quantity: str) -> pd.DataFrame:
    """Return activation, init, normalization, depth, layer, runs, median of a layer record at epoch 0.

    Empty unless the study varies depth and goes deep. One run a seed serves: nothing is trained yet.
    """
    if "depth" not in results.varying or results.tuning["depth"].max() < DEEP:
        return pd.DataFrame()
    runs = with_skips(results.tuning).drop_duplicates([*GROUPS, "width", "init_seed", "split_seed"])
    records = results.layers(runs, [quantity], 0).merge(runs[["run_id", *GROUPS]], on="run_id")
    rows = []
    for key, part in records.groupby([*GROUPS, "layer"], dropna=False):
        middle = float(quantiles.median(part[quantity]))
        named = dict(zip([*GROUPS, "layer"], key, strict=True))
        rows.append({**named, "runs": len(part), "median": middle})
    return pd.DataFrame(rows)


def panels(table: pd.DataFrame, title: str, subtitle: str, axis: str) -> Figure:
    """Rows are activations, columns initializations without and with normalization, lines depths."""
    depths = sorted(table["depth"].unique().tolist())
    colours = dict(zip(depths, style.ramp(len(depths)), strict=True))
    places = sorted(set(zip(table["init"], table["normalization"], strict=True)), key=_plain_first)
    pages = [places[start : start + ACROSS] for start in range(0, len(places), ACROSS)]
    wanted = [
        (a, p)
        for page in pages
        for a in sorted(set(table["activation"]))
        for p in page + [None] * (min(ACROSS, len(places)) - len(page))
    ]
    legend = [layout.handle(f"{depth} hidden layers", color=colours[depth], linewidth=2.2) for depth in depths]
    sheet = layout.sheet(
        title,
        subtitle,
        len(wanted),
        min(ACROSS, len(places)),
        1.15,
        legend=legend,
        room=layout.Room(left=1.0, across=0.14, down=0.22),
        title_lines=2,
    )
    low, high = layout.log_limits(table["median"])
    low = max(low, high / SPAN)
    for panel, (activation, place) in zip(sheet.panels, wanted, strict=True):
        if place is None:
            panel.set_visible(False)
            continue
        part = table[(table["activation"] == activation) & (table["init"] == place[0])]
        part = part[part["normalization"] == place[1]]
        for depth, line in part.groupby("depth"):
            _line(panel, line, colours[depth], (low, high))
        _axes(panel, sheet, (low, high), int(table["layer"].max()))
        if activation == wanted[0][0]:  # the column's name, once
            sheet.title(panel, _name(*place), 8.5)
        if sheet.is_left(panel):
            panel.set_ylabel(f"{activation}\n{axis}")
    return sheet.figure


def _line(panel: Any, line: pd.DataFrame, colour: Any, limits: tuple[float, float]) -> None:
    shown = line[(line["median"] >= limits[0]) & np.isfinite(line["median"])]
    panel.plot(shown["layer"], shown["median"], color=colour, linewidth=1.5)
    layout.edge_marks(panel, line["layer"], line["median"], limits, colour, 3.5)


def _axes(panel: Any, sheet: layout.Sheet, limits: tuple[float, float], layers: int) -> None:
    layout.log_axis(panel, "y", *limits, layout.log_ticks(*limits, 4))
    layout.fixed_ticks(panel.xaxis, layer_ticks(layers)[::2])
    panel.set_xlim(0, layers + 1)
    if sheet.is_low(panel):
        panel.set_xlabel("layer")
    else:
        panel.tick_params(labelbottom=False)
    if not sheet.is_left(panel):
        panel.tick_params(labelleft=False)


def _plain_first(place: tuple[str, str]) -> tuple[str, bool, str]:
    return (place[0], place[1] != "none", place[1])


def _name(init: str, normalization: str) -> str:
    return f"{init}\n{style.normalized(normalization)}"
