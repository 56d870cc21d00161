"""Gradient norm by layer at initialization: what vanishes and what explodes before training starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import Results, with_skips
from mlpjit.statistics import quantiles

TITLE = "Do gradients reach the first layer?"
GROUPS = ["init", "activation", "normalization"]
DEEP = 12  # hidden layers from which on the signal through all depths has figures of its own


def data(results: Results) -> pd.DataFrame:
    """Return init, activation, normalization, depth, layer, runs, median, low, high of ||dL/dW|| at epoch 0.

    Only the deepest networks, and none where `backward_signal` shows every depth. Optimizer and rate play no part
    before the first step: one run a seed serves.
    """
    runs = with_skips(results.deepest).drop_duplicates([*GROUPS, "width", "init_seed", "split_seed"])
    if runs.empty or runs["depth"].iloc[0] < 2 or ("depth" in results.varying and runs["depth"].iloc[0] >= DEEP):
        return pd.DataFrame()
    records = results.layers(runs, ["gradient_norm"], 0).merge(runs[["run_id", "depth", *GROUPS]], on="run_id")
    rows = []
    for key, part in records.groupby([*GROUPS, "depth", "layer"], dropna=False):
        low, middle, high = (float(q) for q in quantiles.quartiles(part["gradient_norm"]))
        rows.append(
            dict(zip([*GROUPS, "depth", "layer"], key, strict=True))
            | {"runs": len(part), "median": middle, "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """A panel for each normalization and initialization, a line an activation."""
    activations = list(dict.fromkeys(table["activation"]))
    looks, keys = results.lines_of("activation", activations)
    low, high = ticks.log_limits(table[["low", "high"]].to_numpy().ravel())
    last = int(table["layer"].max())
    x = scales.fixed(layer_ticks(last), "layer (1 = first)")
    y = scales.logarithmic(low, high, "gradient norm")
    several = table["normalization"].nunique() > 1
    places = sorted(table.groupby(["normalization", "init"]), key=lambda pair: (pair[0][0] != "none", pair[0]))
    drawn = []
    for at, ((normalization, init), part) in enumerate(places):
        found = [_chart_line(line, keys[one], looks[one]) for one, line in part.groupby("activation", sort=False)]
        title = _title(init, normalization, several)
        drawn.append(lines.draw(f"{name}-{at}", Panel(title, x, y, found), finding(part)))
    mine = results.label == "activation"
    return Chart(finding(table), drawn, [Entry(str(one), keys[one], looks[one], mine) for one in activations])


def finding(table: pd.DataFrame) -> str:
    """Name where the first layer gets the least of the last one's gradient, and where the most."""
    ends = table.sort_values("layer").groupby(GROUPS)["median"].agg(["first", "last"])
    share = ends["first"] / ends["last"]
    depth = int(table["depth"].iloc[0])
    if share.dropna().empty:
        return f"At {depth} hidden layers no gradient reaches any layer."
    least, most = share.idxmin(), share.idxmax()
    parts = [f"{style.short(value)} of the last one's with {key[1]} and {key[0]}" for value, key in (
        (share.min(), least), (share.max(), most)
    )]  # fmt: skip
    return f"At {depth} hidden layers the first layer's gradient is {parts[0]}, {parts[1]}."


def _chart_line(line: pd.DataFrame, key: str, look: style.Look) -> Line:
    points = [
        Point(row.layer, row.median, row.low, row.high, f"{row.activation}, layer {row.layer}: {_spread(row)}")
        for row in line.itertuples(index=False)
    ]
    return Line(key, points, look, band=True)


def _spread(row: Any) -> str:
    return f"{row.median:.2g} ({row.low:.2g} to {row.high:.2g}), n = {row.runs}"


@figure(
    "gradient_norm",
    title=TITLE,
    caption="Norm of the loss gradient with respect to each layer's weights at initialization, before "
    "the first step, in the deepest networks: median over seeds, band from quartile to "
    "quartile. Layer 1 is next to the input. A line that falls to the left is a vanishing "
    "gradient, one that rises to the left an exploding one. Hollow triangles mark gradients of exactly "
    "zero at the lower edge, and at the upper one those that are not finite.",
    data=data,
    chart=chart,
    order=50,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """One panel for each initialization and normalization, one line an activation."""
    activations = list(dict.fromkeys(table["activation"]))
    looks = results.looks_of("activation", activations)
    several = table["normalization"].nunique() > 1
    panels = [
        (n, i)
        for n in sorted(set(table["normalization"]), key=lambda n: n != "none")
        for i in sorted(set(table["init"]))
    ]
    columns = table["init"].nunique() if several else layout.grid_columns(len(panels), 4)
    columns = min(columns, 5)
    legend = [layout.handle(name, **looks[name].line()) for name in activations]
    depth = int(table["depth"].iloc[0])
    sheet = layout.sheet(
        TITLE,
        f"Gradient norm by layer at initialization, {depth} hidden layers",
        len(panels),
        columns,
        2.3,
        legend=legend,
        room=layout.Room(left=0.8),
    )
    low, high = ticks.log_limits(table[["low", "high"]].to_numpy().ravel())
    for panel, (normalization, init) in zip(sheet.panels, panels, strict=True):
        part = table[(table["normalization"] == normalization) & (table["init"] == init)]
        for name, line in part.groupby("activation", sort=False):
            _line(panel, line, looks[name], (low, high), activations.index(name))
        layout.log_axis(panel, "y", low, high)
        layout.fixed_ticks(panel.xaxis, layer_ticks(int(table["layer"].max())))
        sheet.title(panel, _title(init, normalization, several), fontweight="bold")
        if sheet.is_low(panel):
            panel.set_xlabel("layer (1 = first)")
        if sheet.is_left(panel):
            panel.set_ylabel("gradient norm")
        else:
            panel.tick_params(labelleft=False)
    return sheet.figure


def _line(panel: Any, line: pd.DataFrame, look: style.Look, limits: tuple[float, float], position: int) -> None:
    shown = line[(line["median"] > 0) & np.isfinite(line["median"])]
    every = max(1, len(line) // 9)
    panel.plot(shown["layer"], shown["median"], markevery=every, **look.nested(position, 8))
    positive = np.maximum(shown["low"].to_numpy(), limits[0])
    panel.fill_between(
        shown["layer"], positive, shown["high"].clip(upper=limits[1]), color=look.colour, alpha=0.14, linewidth=0
    )
    layout.edge_marks(panel, line["layer"], line["median"], limits, look.colour)


def _title(init: str, normalization: str, several: bool) -> str:
    suffix = style.normalized(normalization)
    return f"{init}, {suffix}" if several else init


def layer_ticks(count: int) -> list[int]:
    """Return at most nine layer numbers from 1 to the last."""
    step = max(1, round(count / 8))
    return list(range(1, count + 1, step))
