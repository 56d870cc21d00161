"""Step time against number of parameters: backpropagation's cost is linear (source, section 4.2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style
from mlpjit.report.charts import lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import Results
from mlpjit.statistics import quantiles

TITLE = "Is the cost of a training step linear in the number of parameters?"
COLUMNS = [
    "optimizer", "hidden", "activation", "batch_size", "parameters", "step_seconds", "low_seconds", "high_seconds",
]  # fmt: skip


def data(results: Results) -> pd.DataFrame:
    """Return the timed networks with their optimizer's fitted line.

    The line is slope_seconds (per parameter), intercept_seconds and r_squared; it takes three sizes at least,
    fewer leave it NaN.
    """
    timing = results.source.timing()
    if timing.empty or not results.first:
        return pd.DataFrame()
    parts = [_fitted(part) for _, part in timing[COLUMNS].groupby("optimizer", sort=True)]
    return pd.concat(parts, ignore_index=True)


def _fitted(part: pd.DataFrame) -> pd.DataFrame:
    part = part.sort_values(["parameters", "hidden"])
    line = quantiles.Line(math.nan, math.nan, math.nan)
    if part["parameters"].nunique() >= 3:
        line = quantiles.fit_line(part["parameters"], part["step_seconds"])
    return part.assign(slope_seconds=line.slope, intercept_seconds=line.intercept, r_squared=line.r_squared)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """All optimizers in one panel, of many the eight slowest."""
    slowest = table.groupby("optimizer")["step_seconds"].max().sort_values(ascending=False).index[: layout.FULL]
    optimizers = [one for one in dict.fromkeys(table["optimizer"]) if one in set(slowest)]
    looks, keys = results.lines_of("optimizer", optimizers)
    top = float(table["high_seconds"].max()) * 1.06e6
    axes = scales.linear(0.0, float(table["parameters"].max()) * 1.04, "parameters", 5), scales.linear(0.0, top)
    drawn = [_chart_line(table[table["optimizer"] == one], keys[one], looks[one]) for one in optimizers]
    panel = lines.draw(f"{name}-0", Panel("step time (µs)", *axes, drawn), finding(table), (420.0, 260.0))
    mine = results.label == "optimizer"
    legend = [Entry(_entry(table, one), keys[one], looks[one], competitor=mine) for one in optimizers]
    return Chart(finding(table), [panel], legend, wide=True)


def _chart_line(part: pd.DataFrame, key: str, look: style.Look) -> Line:
    points = [
        Point(row.parameters, row.step_seconds * 1e6, row.low_seconds * 1e6, row.high_seconds * 1e6,
              f"{row.optimizer}, {row.parameters:,} parameters: {row.step_seconds * 1e6:.3g} µs")
        for row in part.sort_values("parameters").itertuples(index=False)
    ]  # fmt: skip
    return Line(key, points, look, bars=True)


def finding(table: pd.DataFrame) -> str:
    """Say who is slowest and who fastest on the largest network."""
    large = table[table["parameters"] == table["parameters"].max()].sort_values("step_seconds")
    first, last = large.iloc[0], large.iloc[-1]
    micro = first["step_seconds"] * 1e6
    text = f"A step of {int(first['parameters']):,} parameters takes {micro:.3g} µs with {first['optimizer']}"
    if len(large) < 2 or first["optimizer"] == last["optimizer"]:
        return f"{text}."
    return f"{text} and {last['step_seconds'] / first['step_seconds']:.2g} times that with {last['optimizer']}."


@figure(
    "step_time",
    title=TITLE,
    caption="Time of one training step against the number of parameters, measured one run at a time at "
    "the end of the study, at the activation and batch size named below the title: median and range (thin vertical "
    "line) of a few repeats, and the least-squares line. The legend gives the line's slope and R².",
    data=data,
    chart=chart,
    order=60,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """All optimizers in one panel, or one panel each where they are many."""
    optimizers = list(dict.fromkeys(table["optimizer"]))
    looks = results.looks_of("optimizer", optimizers)
    many = len(optimizers) > layout.FULL
    groups = [[name] for name in optimizers] if many else [optimizers]
    legend = [layout.handle(_entry(table, name), **looks[name].line()) for name in optimizers]
    sheet = layout.sheet(
        TITLE,
        f"Median time of one step, one run at a time, {_networks(table)}",
        len(groups),
        layout.grid_columns(len(groups)) if many else 1,
        1.4 if many else 3.2,
        legend=() if many else legend,
        room=layout.Room(right=0.35, down=0.6 if many else 0.5),
        title_lines=2 if many else 1,
    )
    right = table["parameters"].max() * 1.04
    top = table["high_seconds"].max() * 1.06e6
    for panel, names in zip(sheet.panels, groups, strict=True):
        for name in names:
            _points(panel, table[table["optimizer"] == name], looks[name], right)
        panel.set_xlim(0, right)
        panel.set_ylim(0, top)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        if many:
            sheet.title(panel, _entry(table, names[0]).replace(": ", "\n"), 8)
            panel.locator_params(axis="x", nbins=3)
        elif layout.paper.get() is not layout.PAGE:
            panel.locator_params(axis="x", nbins=max(2, int(sheet.panel_inches()[0] / 0.8)))
        if sheet.is_low(panel):
            panel.set_xlabel("parameters")
        if sheet.is_left(panel):
            panel.set_ylabel("step time (µs)")
        else:
            panel.tick_params(labelleft=False)
    return sheet.figure


def _networks(table: pd.DataFrame) -> str:
    activations, sizes = table["activation"].unique(), table["batch_size"].unique()
    names = str(activations[0]) if len(activations) == 1 else f"{len(activations)} activations"
    return f"{names}, {f'batch size {sizes[0]}' if len(sizes) == 1 else f'{len(sizes)} batch sizes'}"


def _entry(table: pd.DataFrame, name: Any) -> str:
    row = table[table["optimizer"] == name].iloc[0]
    if not math.isfinite(row["slope_seconds"]):
        return str(name)
    r_squared = f", R² = {row['r_squared']:.4f}" if math.isfinite(row["r_squared"]) else ""
    return f"{name}: {row['slope_seconds'] * 1e9:.2f} ns per parameter{r_squared}"


def _points(panel: Any, part: pd.DataFrame, look: style.Look, right: float) -> None:
    micro = part[["step_seconds", "low_seconds", "high_seconds"]].to_numpy(float) * 1e6
    panel.vlines(part["parameters"], micro[:, 1], micro[:, 2], color=look.colour, linewidth=1)
    panel.plot(part["parameters"], micro[:, 0], look.marker, color=look.colour)
    first = part.iloc[0]
    line = quantiles.Line(first["slope_seconds"], first["intercept_seconds"], first["r_squared"])
    if math.isfinite(line.slope):
        ends = np.array([0.0, right])
        panel.plot(ends, line.at(ends) * 1e6, color=look.colour, linestyle=look.dashes, linewidth=1.2)
