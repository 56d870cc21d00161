"""Final validation loss against learning rate: the U-curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit import statistics
from mlpjit.figures import figure, layout, style
from mlpjit.figures.results import Results

TITLE = "Which learning rates work, and how wide is the good range?"


def data(results: Results) -> pd.DataFrame:
    """Return one row for each label and rate, at the label's best other settings.

    median, low, high: final validation loss over the tuning seeds and its quartiles; runs, lost: how many,
    how many of them diverged; good, best: the rate's verdict; envelope: the lowest median at that rate over
    all other settings.
    """
    if "learning_rate" not in results.varying:
        return pd.DataFrame()
    envelope: dict[tuple[Any, float], float] = {}
    at_best: dict[tuple[Any, float], Any] = {}
    for setting in results.settings:  # best first, so the first of a rate is its envelope
        key = (setting.factors[results.label], setting.factors["learning_rate"])
        envelope.setdefault(key, setting.median)
        if _others(setting.factors) == _others(results.best[key[0]].factors):
            at_best[key] = setting
    rows = []
    for label, found in results.ranges.items():
        for rate in found.rates:
            setting = at_best[label, rate]
            low, middle, high = (float(q) for q in statistics.quartiles(setting.losses))
            rows.append(
                {
                    "label": label,
                    "learning_rate": rate,
                    "runs": len(setting.losses),
                    "median": middle,
                    "low": low,
                    "high": high,
                    "lost": setting.diverged,
                    "good": rate in found.good,
                    "best": rate == found.best and math.isfinite(middle),
                    "envelope": envelope[label, rate],
                }
            )
    return pd.DataFrame(rows)


def _others(factors: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in factors.items() if name != "learning_rate"}


@figure(
    "rate_curves",
    title=TITLE,
    caption="Final validation loss against learning rate, each with its best other settings: median "
    "over the tuning seeds, bars from quartile to quartile. The star is the best rate, the "
    "shaded band the good range (medians within 10 % of the best's); crosses at the upper edge "
    "are rates whose median run diverged, with the number of runs lost. The thin grey line is "
    "the best that any other settings reach at that rate.",
    data=data,
    order=10,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """One panel a label; all share the loss axis and the rate axis."""
    labels = list(dict.fromkeys(table["label"]))
    looks = style.looks(labels)
    legend = [
        layout.handle("best rate", color=style.BLACK, marker="*", markersize=11, linestyle="None"),
        layout.handle("good range", color="#dfeee6", linewidth=8),
        layout.handle("diverged (runs lost)", color=style.VERMILLION, marker="x", linestyle="None", mew=2),
        layout.handle("best of all other settings", color=style.GREY, linewidth=0.9),
    ]
    subtitle = "Final validation loss at each one's best other settings, median over tuning seeds"
    columns = layout.grid_columns(len(labels))
    height = 2.5 if len(labels) <= 4 else 1.6
    sheet = layout.sheet(TITLE, subtitle, len(labels), columns, height, legend=legend)
    finite = table[["median", "low", "high", "envelope"]].to_numpy()
    low, high = layout.log_limits(finite[np.isfinite(finite)])
    top = high * (high / low) ** 0.12  # room for the crosses
    rates = layout.log_limits(table["learning_rate"])
    for panel, label in zip(sheet.panels, labels, strict=True):
        _panel(panel, table[table["label"] == label], looks[label], top / (high / low) ** 0.06)
        layout.log_axis(panel, "y", low, top)
        layout.log_axis(panel, "x", *rates, _decades(*rates, 12 // columns + 1))
        panel.set_title(str(label), loc="left", fontweight="bold")
        if sheet.is_low(panel):
            panel.set_xlabel("learning rate")
        if sheet.is_left(panel):
            panel.set_ylabel("final validation loss")
        else:
            panel.tick_params(labelleft=False)
    return sheet.figure


def _panel(panel: Any, part: pd.DataFrame, look: style.Look, top: float) -> None:
    ended = part[~np.isfinite(part["median"])]
    kept = part[np.isfinite(part["median"])]
    for rate in part["learning_rate"][part["good"]]:
        panel.axvspan(*_cell(rate, part["learning_rate"].to_numpy()), color="#dfeee6", linewidth=0, zorder=0)
    shown = part[np.isfinite(part["envelope"])]
    panel.plot(shown["learning_rate"], shown["envelope"], color=style.GREY, linewidth=0.9)
    panel.plot(kept["learning_rate"], kept["median"], **look.line())
    reach = kept["high"].clip(upper=1e30)
    panel.vlines(kept["learning_rate"], kept["low"], reach, color=look.colour, linewidth=1.2)
    best = kept[kept["best"]]
    panel.plot(
        best["learning_rate"],
        best["median"],
        "*",
        color=style.BLACK,
        markersize=12,
        markeredgecolor="white",
        zorder=5,
    )
    panel.plot(ended["learning_rate"], [top] * len(ended), "x", color=style.VERMILLION, mew=2, markersize=6)
    for row in part[part["lost"] > 0].itertuples():
        panel.annotate(
            f"{row.lost}/{row.runs}",
            (row.learning_rate, top),
            xytext=(0, -7),
            fontsize=7.5,
            textcoords="offset points",
            ha="center",
            va="top",
            color=style.VERMILLION,
        )


def _cell(rate: float, grid: Any) -> tuple[float, float]:
    """The stretch of the axis that belongs to a rate: half way to its neighbours, on the log scale."""
    below, above = grid[grid < rate], grid[grid > rate]
    half = [math.sqrt(rate / below.max())] if below.size else []
    half_up = [math.sqrt(above.min() / rate)] if above.size else []
    down, up = (half or half_up or [1.3])[0], (half_up or half or [1.3])[0]
    return rate / down, rate * up


def _decades(low: float, high: float, most: int) -> list[float]:
    ends = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    decades = [10.0**exponent for exponent in ends]
    return decades[:: math.ceil(len(decades) / most)] if len(decades) > 1 else layout.log_ticks(low, high)
