"""Dead and saturated units by layer, before and after training, in the deepest networks."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report.figures import figure, layout, style
from mlpjit.report.figures.gradient_norm import layer_ticks
from mlpjit.report.figures.results import Results
from mlpjit.statistics import quantiles

TITLE = "Which units are dead or saturated?"
QUANTITIES = {"dead_fraction": "dead units (%)", "saturated_fraction": "saturated (%)"}
MOMENTS = {"start": "before training", "end": "after training"}
GROUPS = ["init", "activation"]


def data(results: Results) -> pd.DataFrame:
    """Return init, activation, depth, moment (start, end), layer, runs and the median of both fractions.

    Hidden layers of the deepest networks, without normalization where the study has some, each at its best
    setting.
    """
    if not set(GROUPS) & set(results.varying) or results.deepest["depth"].max() < 2:
        return pd.DataFrame()
    runs = _best_deep(results)
    records = results.layers(runs, list(QUANTITIES), None)
    records = records.merge(runs[["run_id", "depth", *GROUPS]], on="run_id")
    records = records[records["layer"] <= records["depth"]]
    last = records.groupby("run_id")["epoch"].transform("max")
    start, end = records[records["epoch"] == 0], records[records["epoch"] == last]
    parts = [start.assign(moment="start"), end.assign(moment="end")]
    rows = []
    for key, part in pd.concat(parts).groupby([*GROUPS, "depth", "moment", "layer"], dropna=False):
        medians = {name: float(quantiles.median(part[name])) for name in QUANTITIES}
        named = dict(zip([*GROUPS, "depth", "moment", "layer"], key, strict=True))
        rows.append({**named, "runs": len(part), **medians})
    table = pd.DataFrame(rows)
    return table if (table[list(QUANTITIES)] > 0.005).any(axis=None) else pd.DataFrame()


def _best_deep(results: Results) -> pd.DataFrame:
    deepest = results.deepest["depth"].max()
    found = results.best_by([*GROUPS, "depth", "normalization", "clip"])
    deep = [(factors, setting) for factors, setting in found if factors["depth"] == deepest]
    plain = [pair for pair in deep if pair[0]["normalization"] == "none" and pair[0]["clip"] == "none"]
    return pd.concat([results.members(setting) for _, setting in plain or deep])


@figure(
    "dead_units",
    title=TITLE,
    caption="Share of a hidden layer's units that are dead (slope zero on every sample seen) and share "
    "of activations that are saturated (slope below 1 % of its maximum; of relu this is every one that is off), in "
    "the deepest networks at each one's best setting, before and after training; median over seeds. Without "
    "normalization and clipping where the study has such networks.",
    data=data,
    order=55,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Upper row dead, lower row saturated; columns initializations before and after training."""
    activations = list(dict.fromkeys(table["activation"]))
    looks = style.looks(activations)
    places = [(init, moment) for init in sorted(set(table["init"])) for moment in MOMENTS]
    pages = [places[start : start + 6] for start in range(0, len(places), 6)]
    columns = min(len(places), 6)
    wanted = [
        (quantity, place)
        for page in pages
        for quantity in QUANTITIES
        for place in page + [None] * (columns - len(page))
    ]
    depth = int(table["depth"].iloc[0])
    legend = [layout.handle(name, **looks[name].line()) for name in activations]
    sheet = layout.sheet(
        TITLE,
        f"Networks of {depth} hidden layers, by layer",
        len(wanted),
        columns,
        1.35,
        legend=legend,
        room=layout.Room(across=0.16, down=0.25),
        title_lines=2,
    )
    for panel, (quantity, place) in zip(sheet.panels, wanted, strict=True):
        if place is None:
            panel.set_visible(False)
            continue
        part = table[(table["init"] == place[0]) & (table["moment"] == place[1])]
        for name, line in part.groupby("activation", sort=False):
            _line(panel, line, quantity, looks[name].nested(activations.index(name)))
        _axes(panel, sheet, depth, QUANTITIES[quantity])
        if quantity == wanted[0][0]:  # the column's name, once
            sheet.title(panel, f"{place[0]}\n{MOMENTS[place[1]]}", 8.5)
    return sheet.figure


def _line(panel: Any, line: pd.DataFrame, quantity: str, look: dict[str, Any]) -> None:
    every = max(1, len(line) // 6)
    panel.plot(line["layer"], line[quantity] * 100, markevery=every, **look)


def _axes(panel: Any, sheet: layout.Sheet, depth: int, name: str) -> None:
    panel.set_ylim(-4, 104)
    layout.fixed_ticks(panel.yaxis, [0, 25, 50, 75, 100], ["0", "25", "50", "75", "100"])
    layout.fixed_ticks(panel.xaxis, layer_ticks(depth)[::2])
    panel.set_xlim(0.5, depth + 0.5)
    if sheet.is_low(panel):
        panel.set_xlabel("layer")
    else:
        panel.tick_params(labelbottom=False)
    if sheet.is_left(panel):
        panel.set_ylabel(name)
    else:
        panel.tick_params(labelleft=False)
