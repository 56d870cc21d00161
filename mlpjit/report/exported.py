"""A comparison of what an exported table holds, where it lies without its store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpjit.comparison.compare import Comparison, compare
from mlpjit.comparison.stored import compare_stored
from mlpjit.errors import ConfigError, StoreError
from mlpjit.report.export import exported_alone, read_rows
from mlpjit.study.study import Study


def compare_kept(directory: Path, *options: Any) -> Comparison:
    """Compare what a folder's store holds, or its exported table, of the built-in study that the folder is named after.

    `options` and what is raised are those of `compare_stored`.
    """
    table = exported_alone(directory)
    if table is None:
        return compare_stored(directory, *options)
    try:
        study = Study.load(directory.resolve().name)
    except ConfigError as error:
        raise StoreError(
            f"{table}: what competes is in the store, or in the study the folder is named after"
        ) from error
    return compare(read_rows(table), study.canonical(), *options)
