"""The answer of a study: each label's best setting, reported on fresh seeds, in rows and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mlpjit import statistics
from mlpjit.figures.results import Results
from mlpjit.selection import Setting

Answer = dict[str, Any]
FINAL = {"score": "test_score", "loss": "test_loss"}
TUNED = {"score": "final_validation_score", "loss": "final_validation_loss"}


def rows(results: Results) -> list[Answer]:
    """Return one plain row a label, best first by median score; a lost run scores -inf, loses +inf.

    Keys: section, label, the setting's factors, stage ("final": test data over fresh seeds, "tune":
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
    """The factors that vary, the label's own left out and `hidden` too where depth and width say it."""
    told = {results.label}
    if results.tuning["width"].notna().all():
        told.add("hidden")
    return {name: value for name, value in setting.factors.items() if name not in told}


def _values(runs: pd.DataFrame, column: str, lost: float) -> list[float]:
    numbers = pd.to_numeric(runs[column], errors="coerce")
    return [float(value) for value in numbers.where((runs["state"] == "done") & numbers.notna(), lost)]


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    low, middle, high = (float(q) for q in statistics.quartiles(values))
    if not values:  # no final run yet
        low = middle = high = -math.inf if name == "score" else math.inf
    bottom, top = statistics.median_interval(values)
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


def sentence(found: Sequence[Answer], unit: float) -> str:
    """Return the answer in words: who is best, how sure that is; `unit` 100 shows scores in percent."""
    if not found or not math.isfinite(found[0]["score"]):
        return "No setting has a median run that finished, so nothing can be recommended."
    first, score = found[0], found[0]["score_name"]
    data = "test" if first["stage"] == "final" else "validation"
    seeds = f"{first['runs']} {'fresh' if first['stage'] == 'final' else 'tuning'} seed{_s(first['runs'])}"
    text = f"{first['label']} reaches {_number(first['score'], unit)} median {data} {score} over {seeds}"
    if first["runs"] > 1:
        text += f" (quartiles {_number(first['score_low'], unit)} to {_number(first['score_high'], unit)})"
    if len(found) == 1:
        return text + "."
    return f"{text}, the highest of {len(found)}. {_certainty(found)}"


def _certainty(found: Sequence[Answer]) -> str:
    first = found[0]
    if first["runs"] < 2:
        return "With one seed nothing is known about the spread, so this names no clear winner."
    rivals = [str(row["label"]) for row in found[1:] if row["score_high"] >= first["score_low"]]
    if not rivals:
        return "Its quartiles lie above those of all others."
    overlap = "ranges of {} overlap" if len(rivals) > 1 else "range of {} overlaps"
    return f"The quartile {overlap.format(_and(rivals))} its own, so there is no clear winner among them."


def _number(value: float, unit: float) -> str:
    return f"{value * unit:.1f}\N{NO-BREAK SPACE}%" if unit == 100 else f"{value * unit:.3f}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
