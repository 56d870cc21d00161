"""From rows to predictions, in plain NumPy: what a model does, and what is written out beside an exported one."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlpjit.models.rules import ACTIVATIONS, NORMALIZATIONS, Array, Arrays

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")


def outputs(model: Arrays, x: Array) -> Array:
    """Return the network's outputs (n, outputs) for inputs x (n, inputs), NaN where one is missing."""
    a = (np.where(np.isnan(x), model["fill"], x) - model["x_shift"]) / model["x_divisor"]
    a = a.astype(model["W0"].dtype)
    for i, (function, normalize, residual) in enumerate(model["layers"].tolist()):
        z = NORMALIZATIONS[normalize](a @ model[f"W{i}"] + model[f"b{i}"], model, i)
        z = z + a if residual == "post" else z
        settings = [model[f"setting{i}"]] if f"setting{i}" in model else []
        out = ACTIVATIONS[function](z, *settings)
        a = out + a if residual == "pre" else out
    return a


def predict(model: Arrays, x: Array) -> Array:
    """Return the class of each row, or its number(s) in the units of the target."""
    out = outputs(model, x)
    if len(model["classes"]):
        return model["classes"][out.argmax(axis=1)]
    y = out * model["y_divisor"] + model["y_shift"]
    return y[:, 0] if y.shape[1] == 1 else y


def encode(model: Arrays, table: Mapping[str, Sequence[Any]]) -> Array:
    """Return inputs (n, inputs) for the cells of a table by column: a dict of lists, or a frame."""
    columns = [json.loads(column) for column in model["columns"].tolist()]
    return np.column_stack([[value(cell, *told) for cell in table[name]] for name, *told in columns])


def read_table(path: str, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of a CSV file by name: with commas, semicolons or tabs; without a header by their numbers."""
    with open(path, newline="", encoding="utf-8-sig") as lines:
        first = lines.readline()
        lines.seek(0)
        read = csv.reader(lines, delimiter=max(",;\t", key=first.count), skipinitialspace=True)
        rows = [row for row in read if any(cell.strip() for cell in row)]
    numbers = [f"column {i + 1}" for i in range(len(rows[0]))]
    names = [cell.strip() or number for cell, number in zip(rows[0], numbers, strict=True)]
    if wanted and not set(wanted) & set(names):
        names, rows = numbers, [[], *rows]
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(names)}


def value(cell: Any, kind: str, categories: Sequence[str]) -> float:
    """Return the number that a cell is for one input."""
    text = repr(cell) if isinstance(cell, float) else str(cell).strip()
    missing = cell is None or text.lower() in MISSING
    if kind == "indicator":
        return float(missing)
    if kind == "number":
        return math.nan if missing else float(cell)
    text = "(missing)" if missing else text
    if kind == "ordinal" and text not in categories:
        raise ValueError(f"a category that was not there in training: {text!r}")
    return float(categories.index(text) if kind == "ordinal" else text in categories)
