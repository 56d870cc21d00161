"""The answer of a study on a terminal: a table for each problem, and the verdict in words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from mlpjit.cli.tables import broken, narrowed, seconds

# What a terminal that is too narrow goes without, the first of them first.
SPARE = ("time", "diverged", "good rates", "quartiles")


def answer_tables(rows: list[dict[str, Any]], sentences: Mapping[str, str]) -> str:
    """Return a table for each problem, under its name, the answer in words, and the answer over several."""
    parts = []
    for section, some in itertools.groupby(rows, lambda row: str(row.get("section", ""))):
        told = sentences.get(section, "")
        lines = list(some)
        head = section or str(lines[0].get("problem", ""))
        parts.append("\n".join(part for part in (head, answer_table(lines), broken(told)) if part))
    parts += [broken(text) for section, text in sentences.items() if section == "over problems" and text]
    return "\n\n".join(parts).replace("\N{NO-BREAK SPACE}", " ")


def answer_table(rows: list[dict[str, Any]]) -> str:
    """Return each label's best setting, its score with quartiles, good range, divergence rate and time.

    A terminal that is too narrow gets fewer columns, and is told which are left out.
    """
    shape = ("hidden",) if any("hidden" in row for row in rows) else ("depth", "width")
    shown = (
        *shape, "activation", "init", "normalization", "residual", "dropout", "optimizer", "wrapper", "schedule",
        "clip", "learning_rate",
    )  # fmt: skip
    names = [name for name in shown if any(name in row for row in rows) and name != rows[0]["compared"]]
    data = "test" if rows[0]["stage"] == "final" else "validation"
    score = f"{data} {rows[0]['score_name']}"
    called = ["rate" if name == "learning_rate" else name for name in names]
    header = [rows[0]["compared"], score, "quartiles", *called, "good rates", "diverged", "time"]
    lines = [
        [
            row["label"], _score(row["score"]), f"{_score(row['score_low'])} to {_score(row['score_high'])}",
            *(_rate(row) if name == "learning_rate" else row.get(name, "-") for name in names),
            _range(row), f"{row['divergence_rate'] or 0:.1%}",
            seconds(row["train_seconds"]),
        ]
        for row in rows
    ]  # fmt: skip
    text = narrowed(header, lines, SPARE)
    hidden = [name for name in SPARE if name not in text.partition("\n")[0]]
    return f"{text}\nleft out at this width: {', '.join(hidden)}" if hidden else text


def _score(value: Any) -> str:
    return "-" if not isinstance(value, int | float) else f"{value:.4f}"


def _rate(row: dict[str, Any]) -> str:
    edge = row.get("edge")
    return f"{row['learning_rate']:g}" + (f" ({edge} end of its grid)" if edge in ("low", "high") else "")


def _range(row: dict[str, Any]) -> str:
    """Return the good rates: a range where no rate inside it is worse, else each of them; of one rate tried, none."""
    rates: list[float] = [] if row["edge"] == "only" else row["good_rates"]
    if len(rates) > 1 and row["good_contiguous"]:
        return f"{min(rates):g} to {max(rates):g}"
    return ", ".join(f"{rate:g}" for rate in sorted(rates)) or "-"
