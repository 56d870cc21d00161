"""Learning curves: median and quartiles over seeds, epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mlpjit.report import style, ticks
from mlpjit.report.charts import colours, lines, scales
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.figures import figure, layout
from mlpjit.report.figures.results import MOST_PANELS, Results
from mlpjit.statistics import quantiles

# What a run that ended early counts as from then on: it diverged, and is never dropped.
QUANTITIES = {"validation_loss": np.inf, "validation_score": -np.inf, "train_loss": np.inf}


def data(results: Results) -> pd.DataFrame:
    """Return label, quantity, epoch, runs, median, low and high (quartiles)."""
    runs = results.reported()
    curves = results.curves(runs)
    if curves.empty or curves["epoch"].max() < 1:
        return pd.DataFrame()
    parts = []
    for label, members in runs.groupby(results.label, dropna=False):
        mine = curves[curves["run_id"].isin(members["run_id"])]
        parts += [_summary(mine, label, quantity, len(members)) for quantity in QUANTITIES]
    return pd.concat(parts, ignore_index=True)


def _summary(curves: pd.DataFrame, label: Any, quantity: str, runs: int) -> pd.DataFrame:
    wide = curves.pivot(index="run_id", columns="epoch", values=quantity)
    if quantity == "train_loss":
        wide = wide.drop(columns=0, errors="ignore")  # nothing is trained yet at epoch 0
    values = np.full((runs, wide.shape[1]), QUANTITIES[quantity])
    values[: len(wide)] = wide.fillna(QUANTITIES[quantity]).to_numpy()
    low, middle, high = quantiles.quartiles(values)
    columns = {
        "label": label,
        "quantity": quantity,
        "epoch": wide.columns.to_numpy(),
        "runs": runs,
        "median": middle,
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns)


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """A panel for each quantity; of many labels the best in colour, all others pale."""
    keys = colours.keys(results.looks, "k")
    ends = _ends(table)
    bright = sorted(ends, key=lambda label: ends[label])[: layout.FULL]
    names = ("validation loss", f"validation {results.score_axis}", f"train loss ({_meaning(results)})")
    panels = []
    for at, (quantity, title) in enumerate(zip(QUANTITIES, names, strict=True)):
        unit = results.score_unit if quantity == "validation_score" else 1.0
        part = table[table["quantity"] == quantity]
        found = dict(iter(part.groupby("label", sort=False)))
        drawn = [_chart_line(found[label], "faint", None, unit) for label in found if label not in bright]
        drawn += [_chart_line(found[one], keys[one], results.looks[one], unit) for one in found if one in bright]
        panel = Panel(title, _epochs(part), _chart_scale(part, quantity, unit), drawn)
        panels.append(lines.draw(f"{name}-{at}", panel, f"{title}, epoch by epoch: {finding(table)}"))
    legend = [Entry(str(one), keys[one], results.looks[one], competitor=True) for one in ends if one in bright]
    return Chart(finding(table), panels, legend)


def _ends(table: pd.DataFrame) -> dict[Any, float]:
    """The median validation loss of each label after its last epoch."""
    last = table[table["quantity"] == "validation_loss"].groupby("label", sort=False)["median"].last()
    return {label: float(value) for label, value in last.items()}


def finding(table: pd.DataFrame) -> str:
    """Say who is ahead early and who at the end, by validation loss."""
    losses = table[table["quantity"] == "validation_loss"]
    epochs = sorted(losses["epoch"].unique())
    parts = []
    for epoch in dict.fromkeys((epochs[min(1, len(epochs) - 1)], epochs[-1])):
        at = losses[(losses["epoch"] == epoch) & np.isfinite(losses["median"])]
        if len(at):
            row = at.loc[at["median"].idxmin()]
            parts.append(
                f"after epoch {epoch} {row['label']} has the lowest median validation loss ({row['median']:.3g})"
            )
    text = ", ".join(parts) or "every median run diverged"
    count = losses["label"].nunique()
    more = f" The {layout.FULL} lowest of {count} are in colour." if count > layout.FULL else ""
    return f"{text[0].upper()}{text[1:]}.{more}"


def _chart_line(line: pd.DataFrame, key: str, look: style.Look | None, unit: float) -> Line:
    points = [
        Point(row.epoch, row.median * unit, row.low * unit, row.high * unit,
              f"{row.label}, epoch {row.epoch}: {row.median * unit:.3g} "
              f"({row.low * unit:.3g} to {row.high * unit:.3g}), n = {row.runs}")
        for row in line.itertuples(index=False) if np.isfinite(row.median)
    ]  # fmt: skip
    return Line(key, points, look, band=look is not None, marked=look is not None)


def _epochs(part: pd.DataFrame) -> scales.Scale:
    return scales.linear(float(part["epoch"].min()), float(part["epoch"].max()), "epoch")


def _chart_scale(part: pd.DataFrame, quantity: str, unit: float) -> scales.Scale:
    finite = part[["median", "low", "high"]].to_numpy() * unit
    finite = finite[np.isfinite(finite)]
    if quantity != "validation_score" and finite.size and finite.min() > 0:
        return scales.logarithmic(*ticks.log_limits(finite))
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pad = max((high - low) * 0.05, 1e-3)
    return scales.linear(low - pad, high + pad)


@figure(
    "learning_curves",
    title="How fast does each learn, and where does it end?",
    caption="Median (line) and quartiles (band) over seeds, each at its best setting. A run that "
    "diverged counts as infinitely bad from the epoch it ended; a line stops where the median "
    "run has diverged. Train loss is the mean over an epoch's steps, each before its update, and holds the L1 and L2 "
    "penalties where there are any; validation loss does not.",
    data=data,
    chart=chart,
    order=20,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Three panels of all labels, or one panel of validation loss for each label where they are many."""
    labels = list(dict.fromkeys(table["label"]))
    looks = results.looks
    runs = f"{table['runs'].min()} runs each" if table["runs"].nunique() == 1 else "several runs each"
    if table["runs"].max() == 1:
        runs = "one run each"
    stage = "fresh seeds" if len(results.final) else "tuning seeds"
    subtitle = f"Each {results.label.replace('_', ' ')} at its best setting; {stage}, {runs}"
    if len(labels) > layout.FULL:
        return _many(table, labels, looks, draw_title(), subtitle)
    legend = [layout.handle(label, **looks[label].line()) for label in labels]
    sheet = layout.sheet(draw_title(), subtitle, 3, 3, 2.9, legend=legend, room=layout.Room(across=0.62, down=0.8))
    names = ("validation loss", f"validation {results.score_axis}", f"train loss ({_meaning(results)})")
    for panel, quantity, name in zip(sheet.panels, QUANTITIES, names, strict=True):
        part = table[table["quantity"] == quantity]
        scaled = quantity == "validation_score"
        _panel(panel, part, looks, results.score_unit if scaled else 1.0)
        sheet.title(panel, name)
        panel.set_xlabel("epoch")
        panel.locator_params(axis="x", integer=True)
        _scale(panel, part, logarithmic=not scaled, unit=results.score_unit)
    return sheet.figure


def _meaning(results: Results) -> str:
    """Say what the train loss of an epoch is."""
    penalized = any((results.runs[name] > 0).any() for name in ("l1", "l2") if name in results.runs)
    return "epoch mean, with penalty" if penalized else "epoch mean"


def draw_title() -> str:
    """The figure's question."""
    return "How fast does each learn, and where does it end?"


def _panel(panel: Any, part: pd.DataFrame, looks: dict[Any, style.Look], unit: float) -> None:
    for label, line in part.groupby("label", sort=False):
        line = line[np.isfinite(line["median"])]
        look = looks[label]
        every = max(1, len(line) // 8)
        panel.plot(line["epoch"], line["median"] * unit, markevery=every, **look.line())
        low, high = line["low"].clip(lower=-1e30) * unit, line["high"].clip(upper=1e30) * unit
        panel.fill_between(line["epoch"], low, high, color=look.colour, alpha=0.16, linewidth=0)


def _scale(panel: Any, part: pd.DataFrame, logarithmic: bool, unit: float) -> None:
    finite = part[["median", "low", "high"]].to_numpy()
    finite = finite[np.isfinite(finite)] * (1.0 if logarithmic else unit)
    if logarithmic and finite.size and finite.min() > 0:
        layout.log_axis(panel, "y", *ticks.log_limits(finite))
    elif finite.size:
        pad = max(float(np.ptp(finite)) * 0.05, 1e-3)
        panel.set_ylim(finite.min() - pad, finite.max() + pad)


def _many(table: pd.DataFrame, labels: list[Any], looks: dict[Any, style.Look], title: str, subtitle: str) -> Figure:
    part = table[table["quantity"] == "validation_loss"]
    ends = _ends(table)
    shown = sorted(labels, key=lambda label: ends[label])[:MOST_PANELS]
    which = f"the {len(shown)} lowest of {len(labels)}, " if len(shown) < len(labels) else ""
    sheet = layout.sheet(
        title,
        f"{subtitle}\nValidation loss; {which}all others in grey",
        len(shown),
        layout.grid_columns(len(shown), 5),
        1.25,
    )
    finite = (line[np.isfinite(line["median"])] for _, line in part.groupby("label", sort=False))
    lines = [line[["epoch", "median"]].to_numpy() for line in finite]
    for panel, label in zip(sheet.panels, shown, strict=True):
        panel.add_collection(LineCollection(lines, colors=style.PALE, linewidths=0.8))
        _panel(panel, part[part["label"] == label], looks, 1.0)
        sheet.title(panel, str(label))
        panel.locator_params(axis="x", integer=True, nbins=5)
        _scale(panel, part, logarithmic=True, unit=1.0)
        if sheet.is_low(panel):
            panel.set_xlabel("epoch")
        if not sheet.is_left(panel):
            panel.tick_params(labelleft=False)
    return sheet.figure
