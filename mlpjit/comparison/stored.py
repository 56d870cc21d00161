"""A comparison of what a store holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlpjit.comparison.compare import Comparison, compare
from mlpjit.comparison.reported import columns_needed
from mlpjit.comparison.rows import named_clips, sequence, table_rows
from mlpjit.comparison.scores import MEASURES, REPORTED
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
    scored = (metric,) if metric in MEASURES else REPORTED.values()
    with Store.open(directory, readonly=True) as store:
        study = store.study()
        held = store.columns(tuple(dict.fromkeys((*columns_needed(), *scored))))
    if not len(held["stage"]):
        raise StoreError(f"{directory}: no run is stored here yet: `mlpjit run STUDY` makes some")
    held["clip"] = named_clips(held["clip"])
    rows = table_rows({name: sequence(column) for name, column in held.items()})
    return compare(rows, study, control, by, metric, margin, most)
