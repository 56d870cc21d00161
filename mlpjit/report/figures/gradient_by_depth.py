"""First-layer gradients by depth, before training: what fades and what grows, in one number a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout, signal
from mlpjit.report.figures.results import Results

TITLE = "How do gradients fade or grow with depth?"
GROUPS = ["init", "normalization", "activation"]
CHANGED = 10.0  # a factor from which on a gradient has faded or grown


def data(results: Results) -> pd.DataFrame:
    """Return init, normalization, activation, depth, runs, first and last (medians of ||dL/dW|| at epoch 0), change.

    `change` is the first layer's gradient over that of the shallowest networks of its kind.
    """
    table = signal.by_layer(results, "gradient_norm")
    if table.empty:
        return table
    ends = table.sort_values("layer").groupby([*GROUPS, "depth"], dropna=False)
    found = ends.agg(runs=("runs", "first"), first=("median", "first"), last=("median", "last")).reset_index()
    found["change"] = found["first"] / found.groupby(GROUPS)["first"].transform("first")
    return found


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """A panel for each initialization and normalization, a line an activation."""
    activations = list(dict.fromkeys(table["activation"]))
    looks, keys = results.lines_of("activation", activations)
    low, high = ticks.log_limits(table["first"])
    y = scales.logarithmic(max(low, high / signal.SPAN), high, "first layer's gradient norm", 5)
    x = scales.fixed(table["depth"].tolist(), "hidden layers", logs=True)
    drawn = [
        lines.draw(f"{name}-{at}", Panel(title, x, y, [
            _line(line, keys[one], looks[one]) for one, line in part.groupby("activation", sort=False)
        ]), finding(part))
        for at, (title, part) in enumerate(signal.distinct(table, [], "first", y))
    ]  # fmt: skip
    mine = results.label == "activation"
    return Chart(finding(table), drawn, [Entry(str(one), keys[one], looks[one], mine) for one in activations])


def finding(table: pd.DataFrame) -> str:
    """Count what fades and what grows from the shallowest networks to the deepest, without and with normalization."""
    depths = int(table["depth"].min()), int(table["depth"].max())
    kinds = [(name, part["change"]) for name, part in table[table["depth"] == depths[1]].groupby("normalization")]
    kinds.sort(key=lambda pair: pair[0] != "none")
    told = [
        f"{'without normalization' if name == 'none' else f'with {style.normalized(name)}'} it {_counted(change)}"
        for name, change in kinds
    ]
    return f"How the first layer's gradient changes from {depths[0]} to {depths[1]} hidden layers: {'; '.join(told)}."


def _counted(change: pd.Series[float]) -> str:
    """How many fade and grow by a factor of ten, and the extremes."""
    faded, grown = int((change < 1 / CHANGED).sum()), int((change > CHANGED).sum())
    kept = len(change) - faded - grown
    counts = {"fades more than tenfold": faded, "grows more than tenfold": grown, "keeps its size": kept}
    of = f" of {len(change)} kinds of networks"
    parts = [f"{words} in {count}" for words, count in counts.items() if count]
    parts[0] += of
    return f"{style.listed(parts)} (factors {factor(change.min())} to {factor(change.max())})"


def factor(value: float) -> str:
    """Write a factor so that it reads: 0.76, 277, 8e-31."""
    if not math.isfinite(value):
        return "\N{INFINITY}"
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e").replace("-", "\N{MINUS SIGN}")


def _places(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Panels with their names, without normalization first."""
    found = sorted(table.groupby(["init", "normalization"], sort=True), key=lambda pair: pair[0][1] != "none")
    return [
        (init if normal == "none" else f"{init} + {style.normalized(normal)}", part) for (init, normal), part in found
    ]


def _line(line: pd.DataFrame, key: str, look: style.Look) -> Line:
    points = [
        Point(
            row.depth, row.first, told=f"{row.activation}, {row.depth} hidden layers: {row.first:.2g}, n = {row.runs}"
        )
        for row in line.itertuples(index=False)
    ]
    return Line(key, points, look)


@figure(
    "gradient_by_depth",
    title=TITLE,
    caption="Norm of the loss gradient with respect to the first layer's weights before the first step, against the "
    "number of hidden layers: median over seeds. A line that falls is a gradient that fades with depth. Hollow "
    "triangles at the lower edge: smaller than the axis shows, which spans 30 decades at most.",
    data=data,
    chart=chart,
    order=5,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """The panels of the page, for print."""
    activations = list(dict.fromkeys(table["activation"]))
    looks = results.looks_of("activation", activations)
    places = _places(table)
    legend = [layout.handle(one, **looks[one].line()) for one in activations]
    columns = min(layout.grid_columns(len(places)), int(table["init"].nunique()))
    sheet = layout.sheet(
        TITLE, "First layer's gradient norm at initialization", len(places), columns, 1.8, legend=legend
    )
    low, high = ticks.log_limits(table["first"])
    limits = max(low, high / signal.SPAN), high
    for panel, (title, part) in zip(sheet.panels, places, strict=True):
        for at, (one, line) in enumerate(part.groupby("activation", sort=False)):
            _draw_line(panel, line, looks[one], limits, at)
        depths = sorted(table["depth"].unique().tolist())
        layout.log_axis(panel, "x", min(depths) * 0.8, max(depths) * 1.25, depths)
        layout.log_axis(panel, "y", *limits, ticks.log_ticks(*limits, 5))
        sheet.title(panel, title, fontweight="bold")
        if sheet.is_low(panel):
            panel.set_xlabel("hidden layers")
        if not sheet.is_left(panel):
            panel.tick_params(labelleft=False)
    return sheet.figure


def _draw_line(panel: Any, line: pd.DataFrame, look: style.Look, limits: tuple[float, float], at: int) -> None:
    shown = line[(line["first"] >= limits[0]) & np.isfinite(line["first"])]
    panel.plot(shown["depth"], shown["first"], **look.nested(at))
    layout.edge_marks(panel, line["depth"], line["first"], limits, look.colour)
