"""What tuning is worth: each competitor untuned beside tuned, and how many settings it takes to be good."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from mlpjit.comparison.tuning import Tuning, overtuning, unequal
from mlpjit.report import style
from mlpjit.report.charts import dumbbells, lines
from mlpjit.report.charts.dumbbells import Dumbbell
from mlpjit.report.charts.lines import Line, Panel, Point
from mlpjit.report.charts.panels import Chart, Entry
from mlpjit.report.charts.scales import linear, logarithmic
from mlpjit.report.pairs import amount, signed
from mlpjit.report.style import Look
from mlpjit.report.topic import Topic
from mlpjit.statistics import quantiles

MOST_LINES = 12
FEWEST_SETTINGS = 4
MOST_NAMED = 8
Looks = Mapping[str, tuple[Look, str]]  # each competitor's look and the class of its colour


def tuned(found: Sequence[Tuning], looks: Looks) -> Topic | None:
    """Return the section where there are untuned runs to set beside the tuned ones."""
    judged = [each for each in found if each.gain is not None]
    if not judged:
        return None
    several = len({each.problem for each in judged}) > 1
    rows = (_over if several else _alone)(judged, looks)
    rows.sort(key=lambda row: -row.tuned)
    unit = "points (hundredths of R²) from the best" if several else judged[0].unit
    words = _finding(judged, rows)
    plot = dumbbells.draw(
        "tuned-0",
        rows,
        f"test score in {unit}",
        "Untuned and tuned",
        " ".join([words, *(row.told + "." for row in rows)]),
    )
    return Topic(
        "tuned", "Tuned or untuned?", Chart(words, [plot]),
        "Hollow: the default setting; filled: the one that tuning chose; both on the same final seeds. " + (
            "Medians over problems, each mean score less the best tuned one of its problem; in words the gain "
            "with the 95 % interval of its median." if several else
            "The bar is the 95 % interval of what tuning gains, from the default on; in words the gain."),
        pd.DataFrame([each.record() for each in judged]).drop(columns=["best_of", "chosen", "edges"]),
        _notes(found),
    )  # fmt: skip


def _alone(judged: Sequence[Tuning], looks: Looks) -> list[Dumbbell]:
    """One problem: its mean scores, with the interval of the sign-flip test over the seeds."""
    rows = []
    for each in judged:
        assert each.gain is not None
        assert each.default is not None
        gain = each.gain
        words = _gain(gain.estimate, gain.low, gain.high, each.unit)
        told = _told(each.competitor, each.default, each.tuned, words, each.unit)
        look, key = looks[each.competitor]
        ends = each.default + gain.low, each.default + gain.high
        rows.append(Dumbbell(each.competitor, key, look.marker, each.default, each.tuned, *ends, words, told))
    return rows


def _over(judged: Sequence[Tuning], looks: Looks) -> list[Dumbbell]:
    """Many problems: medians over them, in points behind the best tuned competitor of each."""
    best: dict[str, float] = {}
    for each in judged:
        best[each.problem] = max(best.get(each.problem, -math.inf), _points(each, each.tuned))
    rows = []
    for name in dict.fromkeys(each.competitor for each in judged):
        mine = [each for each in judged if each.competitor == name]
        ends = [
            float(quantiles.median([_points(each, score) - best[each.problem] for each, score in some]))
            for some in ([(each, each.default) for each in mine], [(each, each.tuned) for each in mine])
        ]
        gains = [_lost(each.gain.estimate if each.gain else None) * _factor(each) for each in mine]
        low, high = quantiles.median_interval(gains)
        middle = float(quantiles.median(gains))
        words = _gain(middle, low, high, "")
        told = f"{_told(name, ends[0], ends[1], words, '')}, {len(mine)} problems"
        look, key = looks[name]
        bar = ends[0] + low, ends[0] + high
        rows.append(Dumbbell(name, key, look.marker, ends[0], ends[1], *bar, words, told))
    return rows


def _gain(middle: float, low: float, high: float, unit: str) -> str:
    return f"{signed(middle, unit)} ({amount(low, unit)} to {amount(high, unit)})"


def _told(name: str, default: float, chosen: float, gain: str, unit: str) -> str:
    return f"{name}: {amount(default, unit)} untuned, {amount(chosen, unit)} tuned, gain {gain}"


def _factor(each: Tuning) -> float:
    """A hundredth of R² counts as a point."""
    return 1.0 if each.unit == "points" else 100.0


def _points(each: Tuning, score: float | None) -> float:
    return _lost(score) * _factor(each)


def _lost(score: float | None) -> float:
    """A mean over lost runs is not there: infinitely bad."""
    return -math.inf if score is None or math.isnan(score) else score


def _finding(judged: Sequence[Tuning], rows: Sequence[Dumbbell]) -> str:
    """How often tuning gains for certain, and how often it overtunes; of many problems by the median over them."""
    worse, count = overtuning(judged)
    answers = Counter(each.gain.answer for each in judged if each.gain)
    if len(rows) < count:
        better, less = sum(row.low > row.default for row in rows), sum(row.high < row.default for row in rows)
        return (
            f"On the typical problem tuning gains for {better} of {len(rows)} competitors and harms {less}, by the "
            f"intervals of the medians. Overtuned, worse on test data than untuned, are {worse} of all {count} choices "
            f"({worse / count:.0%})."
        )
    return (
        f"Tuning is certainly worth it for {answers['better']} of {count} competitors, certainly harmful for "
        f"{answers['worse']}. "
        f"Overtuned, worse on test data than untuned, are {worse} ({worse / count:.0%})."
    )


def budget(found: Sequence[Tuning], looks: Looks) -> Topic | None:
    """Return the section on how good the best of k settings is, where each has a few."""
    curves = _curves([each for each in found if len(each.best_of) >= FEWEST_SETTINGS])
    if not curves:
        return None
    several = len({each.problem for each in found}) > 1
    unit = "points from the best" if several else found[0].unit
    shown = sorted(curves, key=lambda name: -curves[name][-1])[:MOST_LINES]
    panel, words = _panel(curves, shown, looks, unit), _needed(curves, unit)
    records = [{"competitor": name, "settings": k, "expected": value, "unit": unit}
               for name, curve in curves.items() for k, value in enumerate(curve, 1)]  # fmt: skip
    return Topic(
        "budget", "How many settings does each need to be good?",
        Chart(words, [lines.draw("budget-0", panel, words, (480.0, 260.0))],
              [Entry(name, looks[name][1], looks[name][0], True) for name in shown], wide=True),
        "Expected score of the best of k settings of those tried (Tang et al. 2020), chosen by validation loss, "
        "scored on the tuning runs' data; a cross where all k may be lost runs."
        + (" Medians over problems, 0.01 R² as a point." if several else "")
        + (f" The best {MOST_LINES} of {len(curves)}." if len(curves) > MOST_LINES else ""),
        pd.DataFrame(records), [] if any(each.gain for each in found) else _notes(found),  # else they stand there
    )  # fmt: skip


def _curves(found: Sequence[Tuning]) -> dict[str, list[float]]:
    """Return each competitor's expected best of k; of many problems the median distance to the best of each."""
    problems = dict.fromkeys(each.problem for each in found)
    tops = {problem: max(_points(each, value) for each in found if each.problem == problem for value in each.best_of)
            for problem in problems}  # fmt: skip
    curves = {}
    for name in dict.fromkeys(each.competitor for each in found):
        mine = [each for each in found if each.competitor == name]
        length = min(len(each.best_of) for each in mine)
        if len(problems) == 1:
            curves[name] = mine[0].best_of
        else:
            behind = [[_points(each, value) - tops[each.problem] for value in each.best_of[:length]] for each in mine]
            curves[name] = [float(value) for value in quantiles.median(behind)]
    return curves


def _panel(curves: Mapping[str, Sequence[float]], shown: Sequence[str], looks: Looks, unit: str) -> Panel:
    """Lines at doubled numbers of settings: between them nothing happens."""
    longest = max(len(curves[name]) for name in shown)
    drawn = []
    for name in shown:
        curve = curves[name]
        places = sorted({*(2**at for at in range(20) if 2**at <= len(curve)), len(curve)})
        points = [
            Point(float(k), curve[k - 1], told=f"{name}, best of {k}: {amount(curve[k - 1], unit)} {unit}")
            for k in places
        ]
        drawn.append(Line(looks[name][1], points, looks[name][0]))
    values = [point.y for line in drawn for point in line.points if math.isfinite(point.y)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.05 * (high - low) or 1.0
    return Panel(
        "",
        logarithmic(0.93, 1.07 * longest, "settings tried"),
        linear(low - room, high + room, f"expected score, {unit}"),
        drawn,
    )


def _needed(curves: Mapping[str, Sequence[float]], unit: str) -> str:
    """Who is best with one setting and who with all."""
    fewest = min(len(curve) for curve in curves.values())
    firsts = [max(curves, key=lambda name: curves[name][k]) for k in (0, fewest - 1)]
    one, all_ = (f"{amount(curves[name][k], unit)}" for name, k in zip(firsts, (0, fewest - 1), strict=True))
    if firsts[0] == firsts[1]:
        return (
            f"{firsts[0]} is best with one setting drawn by chance ({one} {unit} expected) and with {fewest} ({all_})."
        )
    first = f"With one setting drawn by chance {firsts[0]} is best ({one} {unit} expected)"
    return f"{first}, of {fewest} {firsts[1]} ({all_})."


def _notes(found: Sequence[Tuning]) -> list[str]:
    """Unequal numbers of settings, and whose choice stands at the edge of what was tried."""
    notes = []
    if counts := unequal(found):
        listed = style.listed([f"{name} {' or '.join(map(str, some))}" for name, some in counts.items()][:MOST_NAMED])
        notes.append(f"Settings to choose from are unequal, and the best of more is better by luck alone: {listed}.")
    edges = Counter(each.competitor for each in found if any(each.edges))
    if edges:
        named = [f"{name} ({count})" if count > 1 else name for name, count in edges.most_common(MOST_NAMED)]
        rest = [f"{len(edges) - MOST_NAMED} others"] if len(edges) > MOST_NAMED else []
        notes.append(
            f"Of {len(found)} choices {sum(edges.values())} stand at an edge of what was tried, so that better may lie "
            f"beyond: {style.listed([*named, *rest])}."
        )
    return notes
