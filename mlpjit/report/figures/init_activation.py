"""Initialization x activation, each at its best learning rate, shallow and deep."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style
from mlpjit.report.charts import heat as cells
from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures import figure, heat, layout
from mlpjit.report.figures.results import MOST_PANELS, Results

TITLE = "Which initialization suits which activation?"
SHOWN = ("depth", "init", "activation")


def data(results: Results) -> pd.DataFrame:
    """Return label, depth, init, activation, learning_rate (the best), runs, median, lost.

    Everything else (batch size, clipping, ...) is at its best too; depths are the least and the greatest.
    """
    if not {"init", "activation"} & set(results.varying):
        return pd.DataFrame()
    depths = results.values("depth")
    rows = [
        {
            "label": factors[results.label],
            **factors,
            "learning_rate": setting.factors["learning_rate"],
            "runs": len(setting.losses),
            "median": setting.median,
            "lost": setting.diverged,
        }
        for factors, setting in results.best_by([results.label, *SHOWN])
        if factors["depth"] in (depths[0], depths[-1])
    ]
    names = ["label", *SHOWN, "learning_rate", "runs", "median", "lost"]
    return pd.DataFrame(rows)[names].sort_values(names[:4], ignore_index=True)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """One grid for each label and depth: initializations across, activations up."""
    if results.label in ("init", "activation"):
        table = table.assign(label="")
    ramp = cells.ramp(table["median"].tolist())
    inits, activations = sorted(table["init"].unique()), sorted(table["activation"].unique(), reverse=True)
    parts = list(table.groupby(["label", "depth"], sort=False))
    parts.sort(key=lambda pair: (pair[0][1], pair[1]["median"].min()))
    panels = []
    for at, ((label, depth), part) in enumerate(parts[:MOST_PANELS]):
        found = {
            (row.init, row.activation): cells.Cell(row.median, row.runs, row.lost, _told(row))
            for row in part.itertuples(index=False)
        }
        title = f"{label}, depth {depth}" if label != "" else f"depth {depth}"
        grid = cells.Grid(title, inits, activations, found, inits)
        panels.append(cells.draw(f"{name}-{at}", grid, ramp, finding(part)))
    return Chart(finding(table), panels, [ramp])


def finding(table: pd.DataFrame) -> str:
    """Name the best and the worst pair in the deepest networks."""
    deep = table[table["depth"] == table["depth"].max()]
    finite = deep[deep["median"].map(math.isfinite)]
    depth = int(deep["depth"].iloc[0])
    if finite.empty:
        return f"At {depth} hidden layers the median run was lost whatever was chosen."
    best, worst = finite.loc[finite["median"].idxmin()], finite.loc[finite["median"].idxmax()]
    who = f"{best['label']}'s best pair" if best["label"] != "" else "the best pair"
    loss = style.short(best["median"])
    text = f"At {depth} hidden layers {who} is {best['activation']} with {best['init']} (loss {loss})"
    if len(finite) < 2:
        return f"{text}."
    whose = f"{worst['label']}'s " if worst["label"] != "" else ""
    gone = len(deep) - len(finite)
    lost = f"; {gone} {'was' if gone == 1 else 'were'} lost" if gone else ""
    return (
        f"{text}, the worst {whose}{worst['activation']} with {worst['init']} ({style.short(worst['median'])}){lost}."
    )


def _told(row: Any) -> str:
    found = f"loss {style.short(row.median)}" if math.isfinite(row.median) else "lost"
    rate = f"rate {style.rate(row.learning_rate)}"
    return f"{row.activation} with {row.init}, depth {row.depth}: {found} at {rate}, {row.lost} of {row.runs} lost"


@figure(
    "init_activation",
    title=TITLE,
    caption="Median final validation loss over the tuning seeds of each initialization and activation, at the least "
    "and the greatest depth. Whatever else the study varies is at its best in each cell. "
    "One colour scale for all panels; grey: the median run was lost whatever was chosen; the frame "
    "marks the best cell of a panel.",
    data=data,
    chart=chart,
    order=40,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Columns are labels, rows the least and the greatest depth; one label has its depths side by side."""
    if results.label in ("init", "activation"):
        table = table.assign(label="")
    labels = results.shown(table["label"]) if len(set(table["label"])) > 1 else list(dict.fromkeys(table["label"]))
    table, depths = table[table["label"].isin(labels)], sorted(table["depth"].unique().tolist())
    inits, activations = sorted(table["init"].unique()), sorted(table["activation"].unique(), reverse=True)
    norm = heat.scale(table["median"])
    if len(labels) == 1:  # depths side by side
        panels, columns = [(labels[0], depth) for depth in depths], len(depths)
    else:
        panels, columns = _by_page(labels, depths)
    room = layout.Room(left=0.35 + layout.text_width(activations), right=1.0, across=0.2, down=0.8, bottom=0.5)
    sheet = layout.sheet(
        TITLE,
        "Median final validation loss" + style.at_best(results.others([results.label, *SHOWN])),
        len(panels),
        columns,
        max(0.3 * len(activations), 0.6),
        legend=heat.key(),
        room=room,
        most_across=max(0.95 * len(inits), 1.4),
    )
    for panel, (label, depth) in zip(sheet.panels, panels, strict=True):
        if label is None:
            panel.set_visible(False)
            continue
        part = table[(table["label"] == label) & (table["depth"] == depth)]
        heat.cells(panel, part, ("init", inits), ("activation", activations), norm)
        title = f"{label}, depth {depth}" if label != "" else f"depth {depth}"
        sheet.title(panel, title, fontweight="bold")
        layout.fixed_ticks(
            panel.xaxis, range(len(inits)), [name.replace("_", "\n").replace("(", "\n(") for name in inits]
        )
        names = activations if sheet.is_left(panel) else [""] * len(activations)
        layout.fixed_ticks(panel.yaxis, range(len(activations)), names)
    heat.bar(sheet, norm, table["median"], "loss")
    return sheet.figure


def _by_page(labels: list[Any], depths: list[Any]) -> tuple[list[tuple[Any, Any]], int]:
    """Labels side by side, one row a depth; None where the last row has no label left."""
    columns = layout.grid_columns(len(labels), 5)
    pages = [labels[start : start + columns] for start in range(0, len(labels), columns)]
    padded = [page + [None] * (columns - len(page)) for page in pages]
    return [(label, depth) for page in padded for depth in depths for label in page], columns
