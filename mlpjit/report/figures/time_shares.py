"""Where the time goes: compiling, training, evaluating."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlpjit.report import style
from mlpjit.report.charts import bars
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import Results

TITLE = "Where does the time go?"
PARTS = {"compile": style.PURPLE, "train": style.BLUE, "evaluate": style.ORANGE}
WORDS = {"compile": "compiling", "train": "training", "evaluate": "evaluating"}
HATCHES = {"compile": "//", "train": "", "evaluate": "\\\\"}


def data(results: Results) -> pd.DataFrame:
    """Return label, runs and the sums of compile, train and evaluate seconds; the last row is all."""
    names = [f"{part}_seconds" for part in PARTS]
    sums = results.runs.groupby(results.label, dropna=False)[names].sum()
    sums.insert(0, "runs", results.runs.groupby(results.label, dropna=False).size())
    table = sums.reset_index(names="label").astype({"label": object})
    sessions = results.source.sessions() if results.first else []
    compiled = sum(session["compile_seconds"] or 0.0 for session in sessions)
    if len(table) > 1 or compiled:
        whole = {"label": "all", **sums.sum().to_dict()}
        table.loc[len(table)] = whole | {"compile_seconds": whole["compile_seconds"] + compiled}
    table["runs"] = table["runs"].astype(int)
    return table if table[names].to_numpy().sum() > 0 else pd.DataFrame()


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """One bar a label, the total last."""
    rows = []
    for row in table.to_dict("records"):
        seconds = {part: float(row[f"{part}_seconds"]) for part in PARTS}
        parts = [
            bars.Part(f"m{at}", length, f"{row['label']}, {part}: {length:.3g} s")
            for at, (part, length) in enumerate(seconds.items())
        ]
        words = f"{sum(seconds.values()):.3g} s, {row['runs']:,} run{'s' if row['runs'] != 1 else ''}"
        rows.append(bars.Bar(str(row["label"]), words, parts))
    told = finding(table)
    drawn = bars.draw(f"{name}-0", rows, "seconds of one thread", TITLE, told)
    return Chart(told, [drawn], [Entry(part, f"m{at}") for at, part in enumerate(PARTS)], wide=True)


def finding(table: pd.DataFrame) -> str:
    """Say what part of the whole each takes."""
    last = table.iloc[-1]
    seconds = {part: float(last[f"{part}_seconds"]) for part in PARTS}
    total = sum(seconds.values())
    shares = ", ".join(f"{style.percent(value / total)} {WORDS[part]}" for part, value in seconds.items())
    return f"{shares} of {total:.3g} seconds of one thread."


@figure(
    "time_shares",
    title=TITLE,
    caption="Seconds of one thread spent compiling kernels, training and evaluating, summed over all "
    "runs of the study, with the share of each part that has room for it. Compilation serves all runs, so it counts in "
    "the last bar; it happens once and is loaded from disk afterwards.",
    data=data,
    chart=chart,
    order=70,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """One stacked bar a label, the total last."""
    names = [
        f"{label} ({runs:,} run{'s' if runs != 1 else ''})"
        for label, runs in zip(table["label"], table["runs"], strict=True)
    ]
    total = table[[f"{part}_seconds" for part in PARTS]].sum(axis=1)
    legend = [
        layout.handle(part, color=colour, marker="s", markersize=9, linestyle="None") for part, colour in PARTS.items()
    ]
    room = layout.Room(left=0.3 + layout.text_width(names), right=0.3)
    sheet = layout.sheet(
        TITLE,
        "Seconds of one thread, summed over runs",
        1,
        1,
        0.32 * len(table) + 0.1,
        legend=legend,
        room=room,
    )
    panel = sheet.panels[0]
    _bars(panel, table, total)
    layout.fixed_ticks(panel.yaxis, range(len(table)), names)
    panel.set_ylim(len(table) - 0.5, -0.5)
    panel.set_xlim(0, total.max() * 1.02)
    panel.grid(visible=False, axis="y")
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel("seconds")
    return sheet.figure


def _bars(panel: Axes, table: pd.DataFrame, total: pd.Series[float]) -> None:
    """Each part behind the one before, with its share where there is room."""
    start = total * 0
    for part, colour in PARTS.items():
        seconds = table[f"{part}_seconds"]
        look: dict[str, Any] = {"color": colour, "hatch": HATCHES[part], "edgecolor": "white", "linewidth": 0.5}
        panel.barh(range(len(table)), seconds, left=start, height=0.68, **look)
        for row, (value, left, whole) in enumerate(zip(seconds, start, total, strict=True)):
            if value > 0.07 * total.max():
                panel.text(
                    left + value / 2, row, f"{value / whole:.0%}", ha="center", va="center", fontsize=8, color="black",
                    bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
                )  # fmt: skip
        start = start + seconds
