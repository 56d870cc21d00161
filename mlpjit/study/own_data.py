"""Any study on any data: a study file's table with its datasets replaced by the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpjit.catalogue.datasets import describe
from mlpjit.catalogue.datasets.specs import is_file
from mlpjit.catalogue.specs import label
from mlpjit.config.memory import in_memory

# The options of a table, as `mlpjit run` takes them beside --data.
OPTIONS = ("target", "drop", "categorical", "missing")


def on_data(table: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a study with one dataset in the place of its own, and a name that says so.

    The question does not name the old one. Losses that the study names are left to the data: cross-entropy for classes,
    squared error for numbers.
    """
    name = str(spec["name"])
    called = Path(name).stem if is_file(name) else name
    sweep = table.get("sweep")
    kept = {key: value for key, value in table.items() if key not in ("dataset", "loss", "suite", "sweep", "title")}
    if isinstance(sweep, Mapping):
        kept["sweep"] = _without_data(sweep)
    elif isinstance(sweep, list):
        kept["sweep"] = [_without_data(block) if isinstance(block, Mapping) else block for block in sweep]
    of = table.get("name", "study")
    if isinstance(table.get("question"), str) and isinstance(table.get("dataset"), str):
        kept["question"] = table["question"].replace(f" on {table['dataset']}", "")
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in called)
    return {**kept, "name": f"{of}_{safe}"[:100], "title": f"{of} on {Path(name).name}", "dataset": dict(spec)}


def _without_data(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key not in ("dataset", "loss")}


def options(spec: Mapping[str, Any]) -> list[str]:
    """Return the words of a command that choose this data."""
    words = ["--data", str(spec["name"])]
    for name in OPTIONS:
        value = spec.get(name)
        if value is not None:
            words += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]
    return words


def classified(specs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which of the user's own datasets have classes, as tables call them.

    With a loss that takes numbers and classes alike nothing else of a stored run says so.
    """
    own = [spec for spec in specs if is_file(spec["name"]) or in_memory(spec["name"])]
    return [label("datasets", spec) for spec in own if describe(spec).task == "classification"]
