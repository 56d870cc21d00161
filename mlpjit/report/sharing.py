"""Runs as frames that share their columns: what a page holds of 100,000 runs, it holds once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlpjit.comparison.rows import named_clips
from mlpjit.config.fields import FACTORS
from mlpjit.store.reading import Column, is_one, typed
from mlpjit.store.schema import TIMINGS

# What the page reads of a run: of 100,000 each column of numbers is a megabyte, in every copy that is made.
NEEDED = (
    "run_id", "stage", "state", *FACTORS, "final_validation_loss", "final_validation_score", "test_loss", "test_score",
    "steps", "gradients", "error", *TIMINGS,
)  # fmt: skip


def frame(columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return columns as a frame that shares them: texts stay objects, of which pandas would make copies."""
    found = {name: typed(name, column) for name, column in columns.items()}
    found["clip"] = named_clips(found["clip"])
    return _shared(found)


def _shared(columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return a frame that holds no copy of its columns."""
    held = {name: pd.Series(column, dtype=column.dtype, copy=False) for name, column in columns.items()}
    return pd.DataFrame(held, copy=False)


def taken(runs: pd.DataFrame, places: npt.NDArray[np.intp]) -> pd.DataFrame:
    """Return the runs at some places, in their order; a column of one value takes no room there either."""
    columns = {name: column.to_numpy() for name, column in runs.items()}
    return _shared({
        str(name): np.broadcast_to(column[:1], len(places)) if is_one(column) else column[places]
        for name, column in columns.items()
    })  # fmt: skip


def chosen(runs: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """Return the runs that are wanted: a view where they lie together, as a stage's do in a plan."""
    places = np.flatnonzero(wanted.to_numpy())
    if len(places) and places[-1] - places[0] + 1 == len(places):
        return runs.iloc[places[0] : places[-1] + 1]
    return runs[wanted]
