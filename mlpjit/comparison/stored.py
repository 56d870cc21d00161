"""A comparison of what a store holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlpjit.comparison.compare import Comparison, compare
from mlpjit.comparison.reported import columns_needed
from mlpjit.comparison.rows import table_rows
from mlpjit.comparison.scores import MEASURES
from mlpjit.errors import StoreError
from mlpjit.store import Store


def compare_stored(
    directory: Path,
    control: str = "",
    by: Sequence[str] = (),
    metric: str = "",
    margin: float | None = None,
    most: int | None = None,
) -> Comparison:
    """Compare the competitors of the study in `directory`. Raises ConfigError as `compare` does, and StoreError."""
    columns = tuple(dict.fromkeys((*columns_needed(), *MEASURES)))
    with Store.open(directory, readonly=True) as store:
        study = store.study()
        held = dict(zip(columns, zip(*store.rows(columns), strict=True), strict=False))
    if not held:
        raise StoreError(f"{directory}: no run is stored here yet: `mlpjit run STUDY` makes some")
    held["clip"] = tuple(clip or "none" for clip in held["clip"])
    return compare(table_rows(held), study, control, by, metric, margin, most)
