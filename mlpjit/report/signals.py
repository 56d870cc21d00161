"""The answer of a study that asks about signals, not scores: what fades and grows with depth, and what changes that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlpjit.report import style
from mlpjit.report.figures import gradient_by_depth, rescue
from mlpjit.report.figures.gradient_by_depth import CHANGED, factor
from mlpjit.report.figures.results import Results

FIGURE = "gradient_by_depth"
MATTERS = 0.1  # a share of the loss: smaller changes by clipping are none


@dataclass(frozen=True)
class Signals:
    """Sentences, and the change of the first layer's gradient: a row an activation, a column for each start."""

    sentences: list[str]
    columns: list[str]
    rows: list[tuple[str, list[tuple[str, str]]]]  # activation, (number, class) of each column
    depths: tuple[int, int]
    shown: str  # the figure that shows it


def asked(results: Results) -> bool:
    """Whether a study is about signals: nothing is tuned and nothing reported, but depth goes far."""
    tuned = {"learning_rate", "optimizer"} & set(results.varying)
    return not tuned and not results.study.get("final") and not gradient_by_depth.data(results).empty


def signals(results: Results) -> Signals | None:
    """Return the answer of a study about signals; None for any other."""
    if not asked(results):
        return None
    table = gradient_by_depth.data(results)
    depths = int(table["depth"].min()), int(table["depth"].max())
    deep = table[table["depth"] == depths[1]]
    told = [gradient_by_depth.finding(table), initializations(deep), clipping(rescue.data(results))]
    told.append(f"Medians over {int(table['runs'].min())} seeds, without a test.")
    return Signals([text for text in told if text], *_grid(deep), depths, FIGURE)


def initializations(deep: pd.DataFrame) -> str:
    """Say which activations keep their gradient with each initialization, without normalization."""
    plain = deep[deep["normalization"] == "none"]
    if plain["init"].nunique() < 2:
        return ""
    parts = []
    for init, part in plain.groupby("init", sort=True):
        kept = part[part["change"].between(1 / CHANGED, CHANGED)]["activation"].tolist()
        parts.append(f"{init} keeps that of {style.listed(kept)}" if kept else f"{init} keeps none")
    return f"Without normalization, within a factor of {CHANGED:.0f}: {', '.join(parts)}."


def clipping(table: pd.DataFrame) -> str:
    """Say what clipping does to the final loss of the deepest networks; it leaves the gradient at the start alone."""
    if table.empty or table["clip"].nunique() < 2:
        return ""
    deep = table[table["depth"] == table["depth"].max()]
    keys = ["init", "activation", "normalization"]
    plain = deep[deep["clip"] == "none"].set_index(keys)["median"]
    pairs = [
        (plain.get(key, math.nan), row["median"])
        for key, (_, row) in zip(
            _keys(deep[deep["clip"] != "none"], keys), deep[deep["clip"] != "none"].iterrows(), strict=True
        )
    ]
    lower = sum(after < before * (1 - MATTERS) for before, after in pairs)
    higher = sum(after > before * (1 + MATTERS) for before, after in pairs)
    depth = int(deep["depth"].iloc[0])
    return (
        f"Clipping acts in training alone: at {depth} hidden layers it lowers the final loss by more than "
        f"{style.percent(MATTERS)} in {lower} of {len(pairs)} kinds of networks and raises it in {higher}."
    )


def _keys(table: pd.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in table[list(names)].itertuples(index=False)]


def _grid(deep: pd.DataFrame) -> tuple[list[str], list[tuple[str, list[tuple[str, str]]]]]:
    places = sorted(set(_keys(deep, ("init", "normalization"))), key=lambda place: (place[1] != "none", place))
    columns = [init if normal == "none" else f"{init} + {style.normalized(normal)}" for init, normal in places]
    rows = []
    for activation, part in deep.groupby("activation", sort=True):
        changes = {(row.init, row.normalization): row.change for row in part.itertuples(index=False)}
        rows.append((str(activation), [_cell(changes.get(place, math.nan)) for place in places]))
    return columns, rows


def _cell(change: float) -> tuple[str, str]:
    if math.isnan(change):
        return "\N{EN DASH}", "none"
    if change < 1 / CHANGED:
        return f"\N{BLACK DOWN-POINTING TRIANGLE}\N{NO-BREAK SPACE}{factor(change)}", "faded"
    if change > CHANGED:
        return f"\N{BLACK UP-POINTING TRIANGLE}\N{NO-BREAK SPACE}{factor(change)}", "grown"
    return factor(change), "kept"
