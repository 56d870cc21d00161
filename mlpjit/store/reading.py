"""Reading a store: rows for the sweep and the export, frames for figures. pandas is imported by frames alone."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlpjit.store import arrays
from mlpjit.store.schema import FLAGS, HOST, NUMBERS, READ, TIMING_COLUMNS, WHOLE_NUMBERS

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 4096  # rows held as Python objects at a time
IDS = 500  # run ids in one query

UNIQUE = {"run_id", "started_at", "finished_at"}  # texts that no two runs share
FROM_PLAN = "FROM plan JOIN runs USING (run_id) LEFT JOIN sessions ON sessions.id = runs.session"


def _source(name: str) -> str:
    if name == "stage":
        return "plan.stage"
    return f'sessions."{name}"' if name in HOST else f'runs."{name}"'


def rows(connection: sqlite3.Connection, names: Sequence[str] = READ) -> Iterator[tuple[Any, ...]]:
    """Yield the planned runs that are stored, in the order of the plan."""
    selected = ", ".join(_source(name) for name in names)
    cursor = connection.execute(f"SELECT {selected} {FROM_PLAN} ORDER BY plan.position")
    while chunk := cursor.fetchmany(CHUNK):
        yield from chunk


def _chunks(connection: sqlite3.Connection, names: Sequence[str]) -> Iterator[list[npt.NDArray[Any]]]:
    selected = ", ".join(_source(name) for name in names)
    cursor = connection.execute(f"SELECT {selected} {FROM_PLAN} ORDER BY plan.position")
    while chunk := cursor.fetchmany(CHUNK):
        yield [_column(name, values) for name, values in zip(names, zip(*chunk, strict=True), strict=True)]


def _column(name: str, values: Sequence[Any]) -> npt.NDArray[Any]:
    """Numbers as float64 (missing: NaN), whole ones as int64 where none is missing, the rest as shared objects."""
    if name in NUMBERS:
        return np.array(values, dtype=np.float64)
    if name in WHOLE_NUMBERS or name == "batch_size":
        kinds = set(map(type, values))
        if kinds == {int}:
            return np.array(values, dtype=np.int64)
        if kinds <= {int, float, type(None)}:
            return np.array(values, dtype=np.float64)
    if name in FLAGS:
        return np.array(values, dtype=bool)
    column = np.empty(len(values), dtype=object)
    shared = name not in UNIQUE and set(map(type, values)) == {str}
    column[:] = list(map(sys.intern, values)) if shared else values
    return column


def frame(connection: sqlite3.Connection) -> pd.DataFrame:
    """Return one row a run, in the order of the plan. See `READ` for the columns."""
    import pandas as pd

    parts = list(_chunks(connection, READ))
    data = {}
    for index, name in enumerate(READ):
        data[name] = np.concatenate([part[index] for part in parts]) if parts else _column(name, ())
    return pd.DataFrame(data)


def curve_blobs(
    connection: sqlite3.Connection, run_ids: Sequence[str], column: str
) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Yield (run_id, layers, curve, the column `curve` or `layer_curve`) in the order of `run_ids`."""
    for start in range(0, len(run_ids), IDS):
        wanted = list(run_ids[start : start + IDS])
        marks = ",".join("?" * len(wanted))
        found = connection.execute(
            f"SELECT run_id, layers, curve, {column} FROM curves WHERE run_id IN ({marks})", wanted
        )
        blobs = {row[0]: row for row in found}
        yield from (blobs[run_id] for run_id in wanted if run_id in blobs)


def curves(connection: sqlite3.Connection, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the learning curves of those runs: run_id, epoch, step, train_loss, validation_loss, ..."""
    import pandas as pd

    found = [(run_id, curve) for run_id, _, curve, _ in curve_blobs(connection, run_ids, "NULL")]
    values, lengths = arrays.decode_curves(curve for _, curve in found)
    names = np.array([run_id for run_id, _ in found], dtype=object)
    return pd.DataFrame({"run_id": np.repeat(names, lengths), **arrays.columns(values, arrays.CURVES)})


def layers(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Iterable[str] | None, epoch: int | None
) -> pd.DataFrame:
    """Return diagnostics by layer: run_id, epoch, layer (1..L), then `names`; of one epoch, or of all."""
    import pandas as pd

    wanted = tuple(names or arrays.LAYER_CURVES)
    starts = range(0, max(len(run_ids), 1), IDS)
    parts = [_layers(connection, run_ids[start : start + IDS], wanted, epoch) for start in starts]
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _layers(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Iterable[str], epoch: int | None
) -> dict[str, npt.NDArray[Any]]:
    """Decode some runs at once: a row's run, evaluation and layer follow from its place."""
    found = list(curve_blobs(connection, run_ids, "layer_curve"))
    curve, evaluations = arrays.decode_curves(blob for _, _, blob, _ in found)
    values = arrays.decode_layers(blob for _, _, _, blob in found)
    depths = np.array([depth for _, depth, _, _ in found], dtype=np.int64)
    sizes = evaluations * depths
    run = np.repeat(np.arange(len(found)), sizes)
    place = np.arange(len(run)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row = np.repeat(np.cumsum(evaluations) - evaluations, sizes) + place // depths[run]
    epochs = curve[row, 0].astype(np.int64)
    chosen = slice(None) if epoch is None else epochs == epoch
    run_id = np.array([name for name, _, _, _ in found], dtype=object)
    columns = arrays.columns(values[chosen], arrays.LAYER_CURVES)
    keys = {"run_id": run_id[run[chosen]], "epoch": epochs[chosen], "layer": (place % depths[run])[chosen] + 1}
    return keys | {name: columns[name] for name in names}


def timing(connection: sqlite3.Connection) -> pd.DataFrame:
    """Return the step times measured for the current study: see `TIMING_COLUMNS`."""
    import pandas as pd

    return pd.DataFrame(timing_rows(connection), columns=list(TIMING_COLUMNS))


def timing_rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return the rows of `timing` without pandas."""
    selected = ", ".join(TIMING_COLUMNS)
    query = f"SELECT {selected} FROM timing_plan JOIN timing USING (key) ORDER BY timing_plan.position"
    return connection.execute(query).fetchall()
