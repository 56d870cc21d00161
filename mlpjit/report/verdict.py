"""The answer of a study: each label's best setting, reported on fresh seeds, in rows and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mlpjit.comparison.compare import Compared
from mlpjit.comparison.names import named
from mlpjit.report import certainty, style
from mlpjit.report.figures.results import Results
from mlpjit.statistics import quantiles
from mlpjit.statistics.selection import Setting

Answer = dict[str, Any]
FINAL = {"score": "test_score", "loss": "test_loss"}
TUNED = {"score": "final_validation_score", "loss": "final_validation_loss"}


def rows(results: Results) -> list[Answer]:
    """Return one plain row a label, best first by median score; a lost run scores -inf, loses +inf.

    Keys: section, problem, label, the setting's factors, stage ("final": test data over fresh seeds, "tune":
    validation data over tuning seeds), score, score_low, score_high (median and quartiles), score_ci_low,
    score_ci_high (95 % bootstrap interval of the median), the same for loss, runs, lost, good_rates,
    good_contiguous, edge, tuning_runs, tuning_diverged, divergence_rate, train_seconds.
    """
    found = [_row(results, label, setting) for label, setting in results.best.items()]
    return sorted(found, key=lambda row: (-row["score"], row["loss"], str(row["label"])))


def _row(results: Results, label: Any, setting: Setting) -> Answer:
    runs = results.members(setting)
    stage = "tune"
    if len(results.final):
        runs, stage = results.final[results.final[results.label] == label], "final"
    columns = FINAL if stage == "final" else TUNED
    tuning = results.tuning[results.tuning[results.label] == label]
    diverged = int((tuning["state"] == "diverged").sum())
    seconds = runs["train_seconds"].dropna()
    return {
        "section": results.section,
        "problem": results.section or str(results.runs["dataset"].iloc[0]),
        "label": label,
        "compared": results.label,
        **_setting(results, setting),
        "stage": stage,
        "score_name": results.score_name,
        **_spread("score", _values(runs, columns["score"], -math.inf)),
        **_spread("loss", _values(runs, columns["loss"], math.inf)),
        "runs": len(runs),
        "lost": int((runs["state"] != "done").sum()),
        **_rates(results, label),
        "tuning_runs": len(tuning),
        "tuning_diverged": diverged,
        "divergence_rate": diverged / len(tuning) if len(tuning) else math.nan,
        "train_seconds": float(seconds.median()) if len(seconds) else math.nan,
    }


def _setting(results: Results, setting: Setting) -> Answer:
    """The factors that vary, the label's own left out and `hidden` too where depth and width say it.

    A spec that is tuned stays: the label does not say what was chosen in it.
    """
    told = {results.label, *results.compared} - {"learning_rate", *results.study.get("settings", {})}
    if results.tuning["width"].notna().all():
        told.add("hidden")
    return {name: value for name, value in setting.factors.items() if name not in told}


def _values(runs: pd.DataFrame, column: str, lost: float) -> list[float]:
    numbers = pd.to_numeric(runs[column], errors="coerce")
    return [float(value) for value in numbers.where((runs["state"] == "done") & numbers.notna(), lost)]


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    low, middle, high = (float(q) for q in quantiles.quartiles(values))
    if not values:  # no final run yet
        low = middle = high = -math.inf if name == "score" else math.inf
    bottom, top = quantiles.median_interval(values)
    return {
        name: middle,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_ci_low": bottom,
        f"{name}_ci_high": top,
    }


def _rates(results: Results, label: Any) -> Answer:
    found = results.ranges[label]
    return {"good_rates": list(found.good), "good_contiguous": found.contiguous, "edge": found.edge}


def sentences(found: Sequence[Answer], unit: float, pairs: Sequence[Compared] = ()) -> list[str]:
    """Return the answer in words: who is best, and by `pairs` how sure that is; `unit` 100 shows scores in percent."""
    made = [row for row in found if row["runs"]]
    if not made or not math.isfinite(made[0]["score"]):
        return ["The median run of every best setting was lost, so nothing can be recommended."]
    top = made[0]["score"]
    best, others = [row for row in made if row["score"] == top], [row for row in made if row["score"] < top]
    parts = [_reached(best, len(made), unit)]
    if len(made) > 1:
        parts += _certainty(best, others, pairs)
    if unit == 1 and top < 0:
        parts.append("Below 0, predicting the mean of the targets would be better.")
    if waiting := [name(row) for row in found if not row["runs"]]:
        parts.append(f"{style.listed(waiting)} {'has' if len(waiting) == 1 else 'have'} no final run yet.")
    return parts


NO_SETTING = "(nothing else varies)"


def choice(best: Answer, unit: float, setting: str, rate: str) -> str:
    """Say by which setting the first row gets its score."""
    if not best["runs"] or not math.isfinite(best["score"]):
        return "No setting ends well."
    how = f" at rate {rate}" if rate != "-" else ""
    how += f" with {setting}" if setting != NO_SETTING else ""
    return f"{name(best)} gets its {_number(best['score'], unit)}{how}."


def _reached(best: Sequence[Answer], count: int, unit: float) -> str:
    """Who reaches what: one, or several with the same median."""
    first = best[0]
    seeds = f"over {first['runs']} {'fresh seed' if first['stage'] == 'final' else 'tuning run'}{_s(first['runs'])}"
    kind = f"{'median ' if first['runs'] > 1 else ''}{'test' if first['stage'] == 'final' else 'validation'}"
    kind, score = f"{kind} {first['score_name']}", _number(first["score"], unit)
    if len(best) > 1:
        same = " each" if all(row["runs"] == first["runs"] for row in best) else ""
        return (
            f"{style.listed([name(row) for row in best])} share the highest {kind} of {count}: {score} {seeds}{same}."
        )
    text = f"{name(first)} reaches {score} {kind} {seeds}{_quartiles(first, unit)}"
    return f"{text}, the highest of {count}." if count > 1 else f"{text}."


def _quartiles(row: Answer, unit: float) -> str:
    if row["runs"] < 2:
        return ""
    high = _number(row["score_high"], unit)
    if not math.isfinite(row["score_low"]):
        return f" (upper quartile {high}; the lower is a lost run)"
    return f" (quartiles {_number(row['score_low'], unit)} to {high})"


def _certainty(best: Sequence[Answer], others: Sequence[Answer], pairs: Sequence[Compared]) -> list[str]:
    """Who is known to be worse than the best, by paired tests."""
    if best[0]["runs"] < 2:
        return ["One run tells nothing about the spread, so this names no clear winner."]
    return certainty.sentences([name(row) for row in best], [name(row) for row in others], pairs)


def name(row: Answer) -> str:
    """Return the label, after what it is a value of where that does not tell itself: depth 4, clip none."""
    return named(row["compared"], row["label"])


def _number(value: float, unit: float) -> str:
    return f"{value * unit:.1f}\N{NO-BREAK SPACE}%" if unit == 100 else f"{value * unit:.3f}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
