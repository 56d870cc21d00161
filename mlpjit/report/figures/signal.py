"""Signals through the layers at initialization: shared by the forward and the backward figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import lines, scales
from mlpjit.report.charts.colours import ramp_key
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.charts.scales import like
from mlpjit.report.figures import layout
from mlpjit.report.figures.gradient_norm import DEEP, layer_ticks
from mlpjit.report.figures.results import Results, with_skips
from mlpjit.statistics import quantiles

GROUPS = ["activation", "init", "normalization", "depth"]
SMALL = style.Look("", "o", "-")
ACROSS = 6  # panels in a row
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


def chart(name: str, table: pd.DataFrame, axis: str, finding: str) -> Chart:
    """A panel for each activation, initialization and normalization that looks different, a line a depth."""
    depths = sorted(table["depth"].unique().tolist())
    keys = {depth: ramp_key(at, len(depths)) for at, depth in enumerate(depths)}
    low, high = ticks.log_limits(table["median"])
    y = scales.logarithmic(max(low, high / SPAN), high, axis, 5)
    last = int(table["layer"].max())
    x = scales.Scale(0.0, last + 1.0, layer_ticks(last)[::2], [str(tick) for tick in layer_ticks(last)[::2]], "layer")
    drawn = [
        lines.draw(f"{name}-{at}", Panel(title, x, y, _chart_lines(part, keys)), _told(part, axis))
        for at, (title, part) in enumerate(distinct(table, ["activation"], "median", y))
    ]
    return Chart(finding, drawn, [Entry(f"{depth} hidden layers", keys[depth]) for depth in depths])


def ends(table: pd.DataFrame, quantity: str, forward: bool = False) -> str:
    """Compare both ends of the deepest networks: how many lose and gain more than tenfold on the way."""
    depth = int(table["depth"].max())
    deep = table[table["depth"] == depth].sort_values("layer").groupby(GROUPS[:3])["median"]
    change = deep.last() / deep.first() if forward else deep.first() / deep.last()
    less, more = int((change < 0.1).sum()), int((change > 10).sum())
    way = ("at the last layer", "at the first") if forward else ("at the first layer", "at the last")
    return (
        f"At {depth} hidden layers the {quantity} {way[0]} is less than a tenth of that {way[1]} in {less or 'none'} "
        f"of {len(change)} kinds of networks, and more than ten times as large in {more or 'none'}."
    )


def distinct(
    table: pd.DataFrame, groups: Sequence[str], column: str, scale: scales.Scale
) -> list[tuple[str, pd.DataFrame]]:
    """Return panels and their names, one for each of `groups` and initialization; what looks the same is one panel.

    Networks without normalization go first.
    """
    found: list[tuple[tuple[Any, ...], list[str], pd.DataFrame]] = []
    parts = table.groupby([*groups, "normalization", "init"], sort=True)
    for (*key, init), part in sorted(parts, key=lambda pair: _plain_normalization_first(pair[0])):
        values = part[column].tolist()
        same = (names for at, names, one in found if at == tuple(key) and like(one[column].tolist(), values, scale))
        if (names := next(same, None)) is None:
            found.append((tuple(key), [str(init)], part))
        else:
            names.append(str(init))
    every = table["init"].nunique()
    return [(_place(key, inits, every), part) for key, inits, part in found]


def _plain_normalization_first(key: tuple[Any, ...]) -> tuple[Any, ...]:
    *groups, normalization, init = key
    return *groups, normalization != "none", normalization, init


def _place(key: tuple[Any, ...], inits: list[str], every: int) -> str:
    """Name a panel: activation, initializations, normalization."""
    where = "every initialization" if 1 < every == len(inits) else style.listed(inits)
    shown = where if key[-1] == "none" else f"{where} + {style.normalized(key[-1])}"
    return ", ".join([*map(str, key[:-1]), shown])


def _chart_lines(part: pd.DataFrame, keys: dict[int, str]) -> list[Line]:
    drawn = []
    for depth, line in part.groupby("depth"):
        points = [
            Point(
                row.layer,
                row.median,
                told=f"{depth} hidden layers, layer {row.layer}: {row.median:.2g}, n = {row.runs}",
            )
            for row in line.itertuples(index=False)
        ]
        drawn.append(Line(keys[depth], points, SMALL))
    return drawn


def _told(part: pd.DataFrame, axis: str) -> str:
    """The first and the last layer of the deepest networks."""
    deep = part[part["depth"] == part["depth"].max()].sort_values("layer")["median"]
    return f"{axis} of the deepest networks: {deep.iloc[0]:.2g} at the first layer, {deep.iloc[-1]:.2g} at the last."


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
    low, high = ticks.log_limits(table["median"])
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
    layout.log_axis(panel, "y", *limits, ticks.log_ticks(*limits, 4))
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
