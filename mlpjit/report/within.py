"""How fast each is over many problems: performance profiles of gradients to a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlpjit.report import style
from mlpjit.report.charts import lines
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.charts.scales import fixed, linear
from mlpjit.report.figures.results import Results
from mlpjit.report.style import Look
from mlpjit.report.topic import Topic
from mlpjit.statistics import profiles, quantiles
from mlpjit.statistics.paired import Floats
from mlpjit.statistics.targets import cost_to_target

FEWEST_PROBLEMS = 5
MOST_LINES = 8
FACTORS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)


def within(parts: Sequence[Results], names: Sequence[str], looks: Mapping[str, tuple[Look, str]]) -> Topic | None:
    """Return the section for a study on many problems; `names` are the competitors in the order of its labels."""
    if len(parts) < FEWEST_PROBLEMS or len(names) < 2:
        return None
    labels = parts[0].everyone or tuple(parts[0].labels)
    costs = np.array([_costs(part, labels) for part in parts])
    costs = costs[np.isfinite(costs).any(axis=1)]
    if not len(costs):
        return None
    shares, heights = 100 * profiles.profile(costs, FACTORS), profiles.integral(costs)
    order = sorted(range(len(names)), key=lambda at: (-heights[at], names[at]))
    words = _finding([names[at] for at in order], shares[:, order], len(costs))
    shown = order[:MOST_LINES]
    drawn = [_line(names[at], shares[:, at], looks[names[at]]) for at in shown]
    panel = Panel("", fixed(FACTORS, "times the gradients of the fastest", logs=True),
                  linear(0.0, 100.0, f"% of {len(costs)} problems"), drawn)  # fmt: skip
    return Topic(
        "within", "How often is each as fast as the fastest, or nearly?",
        Chart(words, [lines.draw("within-0", panel, words, (480.0, 260.0))],
              [Entry(names[at], looks[names[at]][1], looks[names[at]][0], True) for at in shown], wide=True),
        "Share of problems on which a competitor's median run reaches the target within a factor of the "
        "fastest's gradients (Dolan and Moré 2002). Target: the validation score that half of them end at or above; "
        "who never reaches it is not counted. Profiles describe this field and decide about no pair."
        + (f" The best {MOST_LINES} of {len(names)} by the mean height." if len(names) > MOST_LINES else ""),
        pd.DataFrame([{"competitor": names[at], "mean_height": heights[at],
                       **{f"within_{factor:g}": shares[k, at] for k, factor in enumerate(FACTORS)}} for at in order]),
    )  # fmt: skip


def _costs(part: Results, labels: Sequence[object]) -> Floats:
    """Return each competitor's median gradients to the problem's target; infinite where half of the runs miss it."""
    runs = part.reported()
    curves = part.curves(runs).pivot_table(index="run_id", columns="epoch", values=["step", "validation_score"])
    runs = runs[runs["run_id"].isin(curves.index)].set_index("run_id")
    scores, steps = (curves[name].reindex(runs.index).to_numpy() for name in ("validation_score", "step"))
    per_step = (runs["gradients"] / runs["steps"].clip(lower=1)).fillna(1.0).to_numpy()[:, None]
    ends = np.where(runs["state"] == "done", _last(scores), -np.inf)
    of = {label: np.flatnonzero(runs[part.label] == label) for label in labels}
    target = float(quantiles.median([quantiles.median(ends[rows]) for rows in of.values() if len(rows)]))
    if not math.isfinite(target):
        return np.full(len(labels), np.inf)
    costs = cost_to_target(np.fmax(steps * per_step, 1.0), scores, target, higher_is_better=True)
    return np.array([float(quantiles.median(costs[rows])) if len(rows) else np.inf for rows in of.values()])


def _last(scores: Floats) -> Floats:
    """Return each run's last score that is there."""
    return pd.DataFrame(scores).ffill(axis=1).iloc[:, -1].to_numpy(dtype=np.float64, na_value=-np.inf)


def _line(name: str, shares: Floats, look: tuple[Look, str]) -> Line:
    points = [
        Point(factor, float(share), told=f"{name}: within {factor:g} of the fastest on {share:.0f} % of the problems")
        for factor, share in zip(FACTORS, shares, strict=True)
    ]
    return Line(look[1], points, look[0])


def _finding(names: Sequence[str], shares: Floats, problems: int) -> str:
    """Who is near the fastest most often, and how often at all; `names` and columns are in order."""
    double = FACTORS.index(2.0)
    first = (
        f"{names[0]} is the fastest to the target on {shares[0, 0]:.0f} % of {problems} problems "
        f"and takes at most twice the gradients of the fastest on {shares[double, 0]:.0f} %"
    )
    next_ = [f"{name} on {share:.0f} %" for name, share in zip(names[1:3], shares[double, 1:3], strict=True)]
    return f"{first}; {style.listed(next_)}."
