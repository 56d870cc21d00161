"""What rescues deep networks: final loss by depth, without and with normalization and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import colours, lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import Results

TITLE = "What rescues deep networks?"
NAMES = ["init", "activation", "normalization", "clip", "depth"]


def data(results: Results) -> pd.DataFrame:
    """Return init, activation, normalization, clip, depth, learning_rate (the best), runs, median, lost."""
    if "depth" not in results.varying or not {"normalization", "clip"} & set(results.varying):
        return pd.DataFrame()
    rows = [
        {
            **factors,
            "learning_rate": setting.factors["learning_rate"],
            "runs": len(setting.losses),
            "median": setting.median,
            "lost": setting.diverged,
        }
        for factors, setting in results.best_by(NAMES)
    ]
    return pd.DataFrame(rows).sort_values(NAMES, ignore_index=True)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """A panel for each activation and initialization, a line for each kind of help."""
    kinds = sorted(set(zip(table["normalization"], table["clip"], strict=True)), key=_plain_first)
    looks = style.muted([_name(*kind) for kind in kinds])
    keys = colours.muted_keys(looks)
    low, high = ticks.log_limits(table["median"])
    loss = scales.logarithmic(low, high * (high / low) ** 0.1, "validation loss")
    depth = scales.fixed(table["depth"].tolist(), "hidden layers", logs=True)
    panels = []
    for at, ((init, activation), part) in enumerate(table.groupby(["init", "activation"])):
        drawn = []
        for kind in kinds:
            line = part[(part["normalization"] == kind[0]) & (part["clip"] == kind[1])]
            look = _name(*kind)
            points = [Point(row.depth, row.median, told=_told(row, look)) for row in line.itertuples(index=False)]
            drawn.append(Line(keys[look], points, looks[look]))
        panel = Panel(f"{activation}, {init}", depth, loss, drawn)
        panels.append(lines.draw(f"{name}-{at}", panel, finding(part)))
    return Chart(finding(table), panels, [Entry(look, keys[look], looks[look]) for look in looks])


def finding(table: pd.DataFrame) -> str:
    """Say what each kind of help does to the deepest networks, by the median over all others."""
    deep = table[table["depth"] == table["depth"].max()]
    kinds = {kind: float(part["median"].median()) for kind, part in deep.groupby(["normalization", "clip"])}
    lost = {kind: int(part["lost"].sum()) for kind, part in deep.groupby(["normalization", "clip"])}
    told = [
        f"{_name(*kind)} {style.short(kinds[kind])}" + (f" ({lost[kind]} runs lost)" if lost[kind] else "")
        for kind in sorted(kinds, key=_plain_first)
    ]
    return f"At {int(deep['depth'].iloc[0])} hidden layers the middle final loss is: {', '.join(told)}."


def _told(row: Any, kind: str) -> str:
    found = f"loss {style.short(row.median)}" if np.isfinite(row.median) else "lost"
    return f"{kind}, {row.depth} hidden layers: {found}, {row.lost} of {row.runs} lost"


@figure(
    "rescue",
    title=TITLE,
    caption="Final validation loss against depth, each at the best of what else the study varies, median over tuning "
    "seeds. Crosses at the upper edge: the median run diverged.",
    data=data,
    chart=chart,
    order=45,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Rows are initializations, columns activations, lines what was added to the network."""
    kinds = sorted(set(zip(table["normalization"], table["clip"], strict=True)), key=_plain_first)
    looks = style.muted([_name(*kind) for kind in kinds])
    legend = [layout.handle(_name(*kind), **looks[_name(*kind)].line()) for kind in kinds]
    if np.isinf(table["median"]).any():
        legend.append(layout.handle("diverged", color=style.GREY, marker="x", linestyle="None", mew=2))
    inits, activations = sorted(set(table["init"])), sorted(set(table["activation"]))
    columns = layout.grid_columns(len(activations), 5)
    wanted = [(init, activation) for init in inits for activation in activations]
    if len(activations) > columns:
        columns = layout.grid_columns(len(wanted), 5)
    sheet = layout.sheet(
        TITLE,
        "Final validation loss by depth, median over tuning seeds" + style.at_best(results.others(NAMES)),
        len(wanted),
        columns,
        1.45,
        legend=legend,
        room=layout.Room(across=0.18),
    )
    low, high = ticks.log_limits(table["median"])
    top = high * (high / low) ** 0.1
    for panel, (init, activation) in zip(sheet.panels, wanted, strict=True):
        part = table[(table["init"] == init) & (table["activation"] == activation)]
        for position, kind in enumerate(kinds):
            line = part[(part["normalization"] == kind[0]) & (part["clip"] == kind[1])]
            _line(panel, line, looks[_name(*kind)], top / (high / low) ** (0.02 + 0.03 * position), position)
        layout.log_axis(panel, "y", low, top)
        _depth_axis(panel, sorted(table["depth"].unique().tolist()))
        sheet.title(panel, f"{activation}, {init}", 8.5, fontweight="bold")
        if sheet.is_low(panel):
            panel.set_xlabel("hidden layers")
        if sheet.is_left(panel):
            panel.set_ylabel("validation loss")
        else:
            panel.tick_params(labelleft=False)
    return sheet.figure


def _name(normalization: str, clip: str) -> str:
    clipping = clip if clip == "none" else f"clip {clip}"
    parts = [style.normalized(normalization, plain="none"), clipping]
    return " + ".join(part for part in parts if part != "none") or "plain"


def _plain_first(kind: tuple[str, str]) -> tuple[bool, str, bool, str]:
    return (kind[0] != "none", kind[0], kind[1] != "none", kind[1])


def _line(panel: Any, line: pd.DataFrame, look: style.Look, top: float, position: int) -> None:
    kept = line[np.isfinite(line["median"])]
    panel.plot(kept["depth"], kept["median"], **look.nested(position))
    lost = line[~np.isfinite(line["median"])]
    panel.plot(lost["depth"], [top] * len(lost), "x", color=look.colour, mew=1.6, markersize=5)


def _depth_axis(panel: Any, depths: list[int]) -> None:
    if min(depths) > 0:
        layout.log_axis(panel, "x", min(depths) * 0.8, max(depths) * 1.25, depths)
    else:
        layout.fixed_ticks(panel.xaxis, depths)
