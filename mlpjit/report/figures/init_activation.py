"""Initialization x activation, each at its best learning rate, shallow and deep."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report.figures import figure, heat, layout, style
from mlpjit.report.figures.results import Results

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


@figure(
    "init_activation",
    title=TITLE,
    caption="Median final validation loss over the tuning seeds of each initialization and activation, at the least "
    "and the greatest depth. Whatever else the study varies is at its best in each cell; the line below the title "
    "names it. One colour scale for all panels; hatched grey: the median run was lost whatever was chosen; the frame "
    "marks the best cell of a panel.",
    data=data,
    order=40,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Columns are labels, rows the least and the greatest depth; one label has its depths side by side."""
    if results.label in ("init", "activation"):
        table = table.assign(label="")
    labels, depths = list(dict.fromkeys(table["label"])), sorted(table["depth"].unique().tolist())
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
