"""The user's own data: what a file may hold, checked in one place for NPZ and CSV."""

from __future__ import annotations

from typing import Any

from mlpjit.catalogue.datasets import idxfile
from mlpjit.catalogue.datasets.records import Raw
from mlpjit.catalogue.datasets.targets import encode


def read(path: str, target: str | int | None = None, task: str | None = None) -> Raw:
    """Read a user's .npz, .csv or IDX file.

    target: the target's column in a CSV file, by name or number from 1; the labels' file for IDX images.
    task: "classification" or "regression"; without it text, one-hot rows, and whole numbers with few different values
    are classes.
    Raises DatasetError.
    """
    reader: Any
    if path.lower().endswith(".npz"):
        from mlpjit.catalogue.datasets import npzfile as reader
    elif path.lower().endswith(idxfile.SUFFIXES):
        reader = idxfile
    else:
        from mlpjit.catalogue.datasets import csvfile as reader
    table = reader.read(path, target)
    y, classes = encode(table, task)
    return Raw(table.x, y, classes)
