"""The user's own data: which reader a file has, and what its target means, in one place for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpjit.catalogue.datasets import idxfile
from mlpjit.catalogue.datasets.records import Raw
from mlpjit.catalogue.datasets.tables import Choice
from mlpjit.catalogue.datasets.targets import Table, encode
from mlpjit.errors import DatasetError

TABLE_OPTIONS = ("drop", "categorical", "missing")


def read(path: str, options: Mapping[str, Any]) -> Raw:
    """Read a user's .npz, .csv, .parquet or IDX file.

    options: target, the target's column in a table, by name or number from 1, or the labels' file for IDX images; task,
    "classification" or "regression": without it text, one-hot rows, and whole numbers with few different values are
    classes; of a table also drop, categorical and missing (`tables.Choice`).
    Raises DatasetError.
    """
    table = _table(path, options)
    y, classes = encode(table, options.get("task"))
    return Raw(table.x, y, classes, table.columns, table.target, table.notes)


def _table(path: str, options: Mapping[str, Any]) -> Table:
    if path.lower().endswith(".csv"):
        from mlpjit.catalogue.datasets import csvfile

        return csvfile.read(path, Choice.of(options))
    if path.lower().endswith(".parquet"):
        from mlpjit.catalogue.datasets import frames

        return frames.read_parquet(path, Choice.of(options))
    if wrong := [name for name in TABLE_OPTIONS if name in options]:
        raise DatasetError(f"dataset {path!r}: {', '.join(wrong)}: for tables (.csv, .parquet) only")
    if path.lower().endswith(idxfile.SUFFIXES):
        return idxfile.read(path, options.get("target"))
    from mlpjit.catalogue.datasets import npzfile

    return npzfile.read(path, options.get("target"))
