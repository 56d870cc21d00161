"""Dead and saturated units by layer, before and after training, in the deepest networks."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style
from mlpjit.report.charts import lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.gradient_norm import layer_ticks
from mlpjit.report.figures.results import Results
from mlpjit.statistics import quantiles

TITLE = "Which units are dead or saturated?"
QUANTITIES = {"dead_fraction": "dead units (%)", "saturated_fraction": "saturated (%)"}
MOMENTS = {"start": "before training", "end": "after training"}
GROUPS = ["init", "activation"]
VISIBLE = 0.005  # less than that of all units is nothing to be seen


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
    return table if (table[list(QUANTITIES)] > VISIBLE).any(axis=None) else pd.DataFrame()


def _best_deep(results: Results) -> pd.DataFrame:
    deepest = results.deepest["depth"].max()
    found = results.best_by([*GROUPS, "depth", "normalization", "clip"])
    deep = [(factors, setting) for factors, setting in found if factors["depth"] == deepest]
    plain = [pair for pair in deep if pair[0]["normalization"] == "none" and pair[0]["clip"] == "none"]
    return pd.concat([results.members(setting) for _, setting in plain or deep])


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """A panel for each quantity, initialization and moment in which anything is to be seen."""
    activations = list(dict.fromkeys(table["activation"]))
    looks, keys = results.lines_of("activation", activations)
    x = scales.fixed(layer_ticks(int(table["depth"].iloc[0])), "layer")
    share = scales.Scale(0.0, 100.0, [0, 25, 50, 75, 100], ["0", "25", "50", "75", "100"], "% of units")
    drawn: list[str] = []
    for quantity, words in QUANTITIES.items():
        places = table.groupby(["init", "moment"], sort=True)
        for (init, moment), part in sorted(places, key=lambda pair: (pair[0][0], pair[0][1] != "start")):
            if part[quantity].max() <= VISIBLE:
                continue
            found = [
                _chart_line(line, quantity, keys[one], looks[one])
                for one, line in part.groupby("activation", sort=False)
            ]
            kind = f"{words.partition(' ')[0]}, {MOMENTS[moment].removesuffix(' training')}, {init}"
            drawn.append(lines.draw(f"{name}-{len(drawn)}", Panel(kind, x, share, found), finding(part)))
    mine = results.label == "activation"
    return Chart(finding(table), drawn, [Entry(str(one), keys[one], looks[one], mine) for one in activations])


def finding(table: pd.DataFrame) -> str:
    """Name the activation with the largest share of each quantity after training."""
    end = table[table["moment"] == "end"] if (table["moment"] == "end").any() else table
    parts = []
    for quantity, word in (("dead_fraction", "dead"), ("saturated_fraction", "saturated")):
        means = end.groupby("activation")[quantity].mean()
        if means.max() > VISIBLE:
            parts.append(f"{style.percent(means.max())} of the units of {means.idxmax()} are {word}")
    depth = int(table["depth"].iloc[0])
    found = " and ".join(parts) or "none are dead or saturated beyond 0.5\N{NO-BREAK SPACE}%"
    return f"In networks of {depth} hidden layers, after training, {found}, on average over layers and initializations."


def _chart_line(line: pd.DataFrame, quantity: str, key: str, look: style.Look) -> Line:
    points = [
        Point(row["layer"], row[quantity] * 100, told=f"{row['activation']}, layer {row['layer']}: {row[quantity]:.0%}")
        for row in line.to_dict("records")
    ]
    return Line(key, points, look)


@figure(
    "dead_units",
    title=TITLE,
    caption="Share of a hidden layer's units that are dead (slope zero on every sample seen) and share "
    "of activations that are saturated (slope below 1 % of its maximum; of relu this is every one that is off), in "
    "the deepest networks at each one's best setting, before and after training; median over seeds. Without "
    "normalization and clipping where the study has such networks.",
    data=data,
    chart=chart,
    order=55,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Upper row dead, lower row saturated; columns initializations before and after training."""
    activations = list(dict.fromkeys(table["activation"]))
    looks = results.looks_of("activation", activations)
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
