"""Depth x learning rate: where training works as networks get deeper."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style
from mlpjit.report.charts import heat as cells
from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures import figure, heat, layout
from mlpjit.report.figures.results import Results

MOST_NAMED = 4  # labels in a sentence
TITLE = "Which learning rates still work when the network gets deeper?"


def data(results: Results) -> pd.DataFrame:
    """Return label, depth, learning_rate, runs, median, lost at the other settings of the label's best."""
    if "depth" not in results.varying or "learning_rate" not in results.varying or results.label == "depth":
        return pd.DataFrame()
    rows = []
    for setting in results.settings:
        label = setting.factors[results.label]
        if _others(setting.factors) == _others(results.best[label].factors):
            rows.append(
                {
                    "label": label,
                    "depth": setting.factors["depth"],
                    "runs": len(setting.losses),
                    "learning_rate": setting.factors["learning_rate"],
                    "median": setting.median,
                    "lost": setting.diverged,
                }
            )
    return pd.DataFrame(rows).sort_values(["label", "depth", "learning_rate"], ignore_index=True)


def _others(factors: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in factors.items() if name not in ("depth", "hidden", "learning_rate")}


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """One grid a label: rates across, depths up."""
    ramp = cells.ramp(table["median"].tolist())
    ordered = sorted(results.shown(table["label"]), key=lambda label: results.best[label].median)
    panels = []
    for at, label in enumerate(ordered):
        part = table[table["label"] == label]
        found = {
            (row.learning_rate, row.depth): cells.Cell(row.median, row.runs, row.lost, _told(row))
            for row in part.itertuples(index=False)
        }
        rates, depths = sorted(part["learning_rate"].unique()), sorted(table["depth"].unique())
        names = [style.rate(rate) for rate in rates]
        grid = cells.Grid(str(label), rates, depths, found, names, "learning rate", "hidden layers")
        panels.append(cells.draw(f"{name}-{at}", grid, ramp, finding(part, [label])))
    return Chart(finding(table, ordered), panels, [ramp])


def _told(row: Any) -> str:
    found = f"loss {style.short(row.median)}" if math.isfinite(row.median) else "lost"
    return (
        f"{row.label}, rate {style.rate(row.learning_rate)}, depth {row.depth}: {found}, {row.lost} of {row.runs} lost"
    )


def finding(table: pd.DataFrame, labels: list[Any]) -> str:
    """Say how the best rate moves from the shallowest networks to the deepest."""
    depths = int(table["depth"].min()), int(table["depth"].max())
    moves = [_moved(table[table["label"] == label], label) for label in labels[:MOST_NAMED]]
    return f"From {depths[0]} to {depths[1]} hidden layers the best rate {style.listed(moves)}."


def _moved(part: pd.DataFrame, label: Any) -> str:
    ends = [part[part["depth"] == depth] for depth in (part["depth"].min(), part["depth"].max())]
    best = [end.loc[end["median"].idxmin()] for end in ends]
    if not all(math.isfinite(row["median"]) for row in best):
        return f"is none for {label} (all lost)"
    rates = [style.rate(row["learning_rate"]) for row in best]
    return f"{f'stays at {rates[0]}' if rates[0] == rates[1] else f'goes from {rates[0]} to {rates[1]}'} for {label}"


@figure(
    "depth_rate",
    title=TITLE,
    caption="Median final validation loss over the tuning seeds. All cells of a panel share their other settings "
    "(initialization, activation and so on): those of its best cell, which is framed and stands in the answer's table; "
    "at another depth, others may be better. One colour scale for all panels. Grey: the median run was lost; "
    "the numbers say how many of the cell's runs were.",
    data=data,
    chart=chart,
    order=30,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """One panel a label, each with its own rates."""
    labels = results.shown(table["label"])
    table = table[table["label"].isin(labels)]
    depths = sorted(table["depth"].unique().tolist())
    norm = heat.scale(table["median"])
    columns = layout.grid_columns(len(labels))
    most = int(table.groupby("label")["learning_rate"].nunique().max())
    sheet = layout.sheet(
        TITLE,
        "Median final validation loss; in each panel all other settings are those of its best cell",
        len(labels),
        columns,
        max(0.34 * len(depths), 0.9),
        legend=heat.key(),
        room=layout.Room(right=1.0, across=0.22, left=0.55, down=0.62),
        most_across=0.62 * most,
    )
    for panel, label in zip(sheet.panels, labels, strict=True):
        part = table[table["label"] == label]
        rates = sorted(part["learning_rate"].unique().tolist())
        heat.cells(panel, part, ("learning_rate", rates), ("depth", depths), norm)
        panel.set_xlim(-0.5, most - 0.5)  # cells of one size in every panel
        sheet.title(panel, str(label), fontweight="bold")
        step = 1 + (len(rates) - 1) // (6 if columns > 2 else 12)
        layout.fixed_ticks(panel.xaxis, range(0, len(rates), step), [style.rate(r) for r in rates[::step]])
        panel.tick_params(axis="x", labelsize=7.5 if columns > 2 else 8.5)
        names = [str(depth) for depth in depths] if sheet.is_left(panel) else [""] * len(depths)
        layout.fixed_ticks(panel.yaxis, range(len(depths)), names)
        if sheet.is_left(panel):
            panel.set_ylabel("hidden layers")
        if sheet.is_low(panel):
            panel.set_xlabel("learning rate")
    heat.bar(sheet, norm, table["median"], "loss")
    return sheet.figure
