"""Final validation loss against learning rate: the U-curves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import colours, lines, scales
from mlpjit.report.charts.lines import Line, Mark, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import Results
from mlpjit.statistics import quantiles
from mlpjit.statistics.selection import combination

GOOD = "#cfe6da"
SMALL, LEADING, MARK = 7, 1.5, 6  # points: of small text, between its rows, and of half a mark with a gap above it
TAKEN = (2 * (SMALL + LEADING) + MARK) / 72  # inches: two rows of numbers over a mark
EDGE = 0.08  # of the scale: so far above it stands what does not fit
MARGIN = 0.015  # of the axis: so far a band reaches beyond its rates, at most a quarter of the way to the next
REACH = 50  # the loss axis ends at this many times the best: what blew up must not flatten the curves
TITLE = "Which learning rates work, and how wide is the good range?"


def data(results: Results) -> pd.DataFrame:
    """Return one row for each label and rate, at the label's best other settings.

    median, low, high: final validation loss over the tuning seeds and its quartiles; runs, lost: how many,
    how many of them diverged; good, best: the rate's verdict; envelope: the lowest median at that rate over
    all other settings; diverged_share: how many of all tuning runs at that rate diverged.
    """
    if "learning_rate" not in results.varying:
        return pd.DataFrame()
    envelope: dict[tuple[Any, float], float] = {}
    at_best: dict[tuple[Any, float], Any] = {}
    for setting in results.settings:  # best first, so the first of a rate is its envelope
        key = (setting.factors[results.label], setting.factors["learning_rate"])
        envelope.setdefault(key, setting.median)
        if combination(setting.factors) == combination(results.best[key[0]].factors):
            at_best[key] = setting
    tried = results.tuning.groupby([results.label, "learning_rate"])["state"]
    share = tried.agg(lambda states: float((states == "diverged").mean()))
    rows = []
    for label, found in results.ranges.items():
        for rate in found.rates:
            setting = at_best[label, rate]
            low, middle, high = (float(q) for q in quantiles.quartiles(setting.losses))
            rows.append({
                "label": label, "learning_rate": rate, "runs": len(setting.losses), "median": middle, "low": low,
                "high": high, "lost": setting.diverged, "good": rate in found.good,
                "best": rate == found.best and math.isfinite(middle), "envelope": envelope[label, rate],
                "diverged_share": share[label, rate],
            })  # fmt: skip
    return pd.DataFrame(rows)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """One panel a label; all share both scales."""
    finite = table[["median", "low", "high", "envelope"]].to_numpy()
    finite = finite[np.isfinite(finite)]
    low, high = ticks.log_limits(np.minimum(finite, REACH * finite.min()) if finite.size else finite)
    loss = scales.logarithmic(low, high * (high / low) ** 0.12, "final validation loss")
    rates = scales.fixed(table["learning_rate"].tolist(), "learning rate", logs=True, most=6)
    keys = colours.keys(results.looks, "k")
    shown = results.shown(table["label"])
    panels = [
        lines.draw(f"{name}-{at}", _chart_panel(table, label, results, keys, (rates, loss)),
                   _told(table[table["label"] == label], label))
        for at, label in enumerate(shown)
    ]  # fmt: skip
    legend = [Entry("best rate", "soft", style.Look("", "*", "-")), Entry("best of all settings at that rate", "soft")]
    return Chart(finding(table, results, len(shown)), panels, legend)


def finding(table: pd.DataFrame, results: Results, shown: int) -> str:
    """Say for whom many rates are good and for whom few, and who loses most runs on the way."""
    spans = {
        label: (part["learning_rate"].max() / part["learning_rate"].min(), len(part))
        for label, part in table[table["good"]].groupby("label", sort=False)
    }
    if not spans:
        return "No rate is good: the median run was lost at each."
    wide, narrow = max(spans, key=lambda one: spans[one]), min(spans, key=lambda one: spans[one])
    text = f"Good rates are {_span(spans[wide])} for {wide}"
    if spans[wide] != spans[narrow]:
        text += f" and {_span(spans[narrow])} for {narrow}"
    elif len(spans) > 1:
        text = f"Good rates are {_span(spans[wide])} for each"
    lost = table.groupby("label", sort=False)["diverged_share"].max()
    if lost.max() > 0:
        text += f"; at {lost.idxmax()}'s worst rate {style.percent(lost.max())} of all its runs diverge"
    count = table["label"].nunique()
    return text + (f". The {shown} best of {count} are shown." if shown < count else ".")


def _span(found: tuple[float, int]) -> str:
    ratio, count = found
    return "a single one" if count == 1 else f"{count} of those tried, a factor of {ratio:.2g} wide,"


def _chart_panel(
    table: pd.DataFrame, label: Any, results: Results, keys: dict[Any, str], axes: tuple[scales.Scale, scales.Scale]
) -> Panel:
    part = table[table["label"] == label]
    rows = list(part.itertuples(index=False))
    tried = label in results.study.get("tried", ())
    behind = [_rival(one) for other, one in table.groupby("label", sort=False) if tried and other != label]
    envelope = Line("faint", [Point(row.learning_rate, row.envelope) for row in rows], marked=False)
    curve = Line(
        keys[label], [Point(row.learning_rate, row.median, row.low, row.high, _row_told(row)) for row in rows],
        results.looks[label], bars=True,
    )  # fmt: skip
    best = [
        Mark(row.learning_rate, row.median, "*", f"best rate: {_row_told(row)}", "best") for row in rows if row.best
    ]
    span = axes[0].high / axes[0].low
    bands = good_bands(part["learning_rate"].tolist(), part["good"].tolist(), span)
    shares = [(row.learning_rate, f"{row.diverged_share:.0%}") for row in rows if row.diverged_share > 0]
    return Panel(f"{label} (tried)" if tried else str(label), *axes, [*behind, envelope, curve], best, bands, shares)


def _rival(part: pd.DataFrame) -> Line:
    """The curve of another, thin and pale."""
    return Line("faint", [Point(row.learning_rate, row.median) for row in part.itertuples(index=False)], marked=False)


def _row_told(row: Any) -> str:
    if not math.isfinite(row.median):
        return f"rate {style.rate(row.learning_rate)}: lost ({row.lost} of {row.runs} runs)"
    ends = f"{style.short(row.low)} to {style.short(row.high)}"
    return f"rate {style.rate(row.learning_rate)}: loss {style.short(row.median)} ({ends}), n = {row.runs}"


def _told(part: pd.DataFrame, label: Any) -> str:
    return f"{label}: {'; '.join(_row_told(row) for row in part.itertuples(index=False))}."


@figure(
    "rate_curves",
    title=TITLE,
    caption="Final validation loss against learning rate, each with its best other settings: median over "
    "the tuning seeds, bars from quartile to quartile, cut off at the scale's end. The star is the best rate; good "
    "rates (medians within 10 % of the best's) are shaded, as one band where they are neighbours. Crosses at the "
    "upper edge: the median run was lost; hollow triangles: it ended above the scale. Percentages on top, where "
    "they fit: how many of all tuning runs at that rate, over every setting, diverged. The thin grey line is the "
    "best that any settings reach at that rate. Thin behind the curve of an optimizer that "
    "is tried: those of the others.",
    data=data,
    chart=chart,
    order=10,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """One panel a label; all share the loss axis and the rate axis."""
    labels, count = results.shown(table["label"]), table["label"].nunique()
    table, looks = table[table["label"].isin(labels)], results.looks
    subtitle = "Final validation loss at each one's best other settings, median over tuning seeds"
    subtitle += f"; the {len(labels)} best of {count}" if len(labels) < count else ""
    columns = layout.grid_columns(len(labels))
    height = 2.5 if len(labels) <= 4 else 1.6
    finite = table[["median", "low", "high", "envelope"]].to_numpy()
    finite = finite[np.isfinite(finite)]
    low, high = ticks.log_limits(np.minimum(finite, REACH * finite.min()) if finite.size else finite)
    marked = (table["median"] > high).any() or (table["diverged_share"] > 0).any()
    above = TAKEN if marked else 0.0
    sheet = layout.sheet(TITLE, subtitle, len(labels), columns, height, legend=_legend(table, high), above=above)
    top = high * (high / low) ** (_above(sheet.panel_inches()[1]) if marked else 0.03)
    rates = ticks.log_limits(table["learning_rate"])
    decade = sheet.panel_inches()[0] / math.log10(rates[1] / rates[0])
    wide = max(2, int(sheet.panel_inches()[0] / 0.45))  # ticks that it has room for
    tried = results.study.get("tried", ())
    for panel, label in zip(sheet.panels, labels, strict=True):
        part = table[table["label"] == label]
        if label in tried:
            _rivals(panel, table[~table["label"].isin(tried)], looks, high)
        for band in good_bands(part["learning_rate"].tolist(), part["good"].tolist(), rates[1] / rates[0]):
            panel.axvspan(*band, color=GOOD, linewidth=0, zorder=0)
        _panel(panel, part, looks[label], high, high * (high / low) ** EDGE)
        _shares(panel, part[part["diverged_share"] > 0], decade)
        layout.log_axis(panel, "y", low, top, ticks.log_ticks(low, high))  # above `high` there is no scale
        layout.log_axis(panel, "x", *rates, _decades(*rates, min(12 // columns + 1, wide)))
        sheet.title(panel, f"{label} (tried)" if label in tried else str(label), fontweight="bold")
        if sheet.is_low(panel):
            panel.set_xlabel("learning rate")
        if sheet.is_left(panel):
            panel.set_ylabel("final validation loss")
        else:
            panel.tick_params(labelleft=False)
    return sheet.figure


def _legend(table: pd.DataFrame, high: float) -> list[Any]:
    """Return what the panels show: curves always, marks above the scale where there are any."""
    found = [
        layout.handle("best rate", color=style.BLACK, marker="*", markersize=11, linestyle="None"),
        layout.handle("good rates", color=GOOD, linewidth=8),
        layout.handle("best of all settings at that rate", color=style.GREY, linewidth=0.9),
    ]
    lost, above = ~np.isfinite(table["median"]), table["median"] > high
    if lost.any():
        found.append(layout.handle("median run diverged", color=style.VERMILLION, marker="x", linestyle="None", mew=2))
    if (above & ~lost).any():
        found.append(layout.handle("above the scale", color=style.GREY, marker="^", fillstyle="none", linestyle="None"))
    if (table["diverged_share"] > 0).any():
        look = {"color": style.VERMILLION, "marker": r"$\mathdefault{\%}$", "markersize": 8, "linestyle": "None"}
        found.append(layout.handle("of runs diverged", **look))
    return found


def _rivals(panel: Any, others: pd.DataFrame, looks: dict[Any, style.Look], high: float) -> None:
    """Frame the panel of an optimizer that is tried, and draw the curves of all others thinly behind its own."""
    for side in panel.spines.values():
        side.set(visible=True, color=style.BLACK, linewidth=1.8)
    for label, part in others[others["median"] <= high].groupby("label", sort=False):
        panel.plot(part["learning_rate"], part["median"], color=looks[label].colour, linewidth=0.9, alpha=0.55)


def _panel(panel: Any, part: pd.DataFrame, look: style.Look, high: float, edge: float) -> None:
    """Curves up to `high`; what lies above it, or diverged, is marked at `edge`."""
    shown = part[np.isfinite(part["envelope"])]
    panel.plot(shown["learning_rate"], shown["envelope"], color=style.GREY, linewidth=0.9)
    kept = part[part["median"] <= high]
    panel.plot(kept["learning_rate"], kept["median"], **look.line())
    panel.vlines(kept["learning_rate"], kept["low"], kept["high"].clip(upper=high), color=look.colour, linewidth=1.2)
    best = kept[kept["best"]]
    star = {"color": style.BLACK, "markersize": 12, "markeredgecolor": "white", "zorder": 5}
    panel.plot(best["learning_rate"], best["median"], "*", **star)
    _at_edge(panel, part[part["median"] > high], look, edge)


def _above(height: float) -> float:
    """Return the room above the scale, as a part of it, for marks at the edge and two rows of numbers over them.

    height: of the panel, in inches. A low one takes more of it: text does not shrink with paper.
    """
    return max(0.3, (1 + EDGE) / (1 - TAKEN / height) - 1)


def _shares(panel: Any, lost: pd.DataFrame, decade: float) -> None:
    """Write the share of runs lost above each rate, in the first of two rows where it fits; `decade` is inches."""
    ends = [-math.inf, -math.inf]
    for rate, share in zip(lost["learning_rate"], lost["diverged_share"], strict=True):
        text, place = f"{share:.0%}", math.log10(rate) * decade
        half = (0.64 * len(text) + 0.5) * SMALL / 72 / 2  # a digit is 0.64 of the size wide, the sign 0.95
        row = next((number for number, end in enumerate(ends) if end < place - half), None)
        if row is None:
            continue
        ends[row] = place + half
        panel.annotate(text, (rate, 1), xycoords=("data", "axes fraction"), xytext=(0, -1 - (SMALL + LEADING) * row),
                       textcoords="offset points", ha="center", va="top", fontsize=SMALL,
                       color=style.VERMILLION)  # fmt: skip


def _at_edge(panel: Any, above: pd.DataFrame, look: style.Look, edge: float) -> None:
    lost = above[~np.isfinite(above["median"])]
    panel.plot(lost["learning_rate"], [edge] * len(lost), "x", color=style.VERMILLION, mew=2, markersize=6)
    blown = above[np.isfinite(above["median"])]
    panel.plot(blown["learning_rate"], [edge] * len(blown), "^", color=look.colour, fillstyle="none", markersize=6)


def good_bands(rates: Sequence[float], good: Sequence[bool], span: float) -> list[tuple[float, float]]:
    """Return a band for each run of neighbouring good rates, from the first to the last; `span` is the axis' ratio."""
    margin = min([span**MARGIN, *((above / below) ** 0.25 for below, above in itertools.pairwise(rates))])
    bands, start = [], 0
    for verdict, group in itertools.groupby(good):
        end = start + len(list(group))
        if verdict:
            bands.append((rates[start] / margin, rates[end - 1] * margin))
        start = end
    return bands


def _decades(low: float, high: float, most: int) -> list[float]:
    ends = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    decades = [10.0**exponent for exponent in ends]
    return decades[:: math.ceil(len(decades) / most)] if len(decades) > 1 else ticks.log_ticks(low, high)
