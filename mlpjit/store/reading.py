"""Reading a store: rows for the sweep and the export, frames for figures. pandas is imported by frames alone."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlpjit.registry import suggestion
from mlpjit.store import arrays
from mlpjit.store.schema import (
    FLAGS,
    HOST,
    NUMBERS,
    READ,
    TIMING_COLUMNS,
    WHOLE_NUMBERS,
    Layout,
    layouts,
    version_of,
)

if TYPE_CHECKING:
    import pandas as pd

Column = npt.NDArray[Any]

CHUNK = 1024  # rows held as Python objects at a time
IDS = 500  # run ids in one query

UNIQUE = {"run_id", "started_at", "finished_at"}  # texts that no two runs share
_one_state = threading.Lock()  # a connection, which threads may share, has one transaction at a time
FROM_PLAN = "FROM plan JOIN runs USING (run_id) LEFT JOIN sessions ON sessions.id = runs.session"


def _selected(connection: sqlite3.Connection, names: Sequence[str]) -> str:
    """Return the names for SELECT; before version 3 there was no column `wrapper`."""
    known = {"stage": "plan.stage"} | ({"wrapper": "'none'"} if version_of(connection) < 3 else {})
    return ", ".join(known.get(name) or f'{"sessions" if name in HOST else "runs"}."{name}"' for name in names)


def rows(connection: sqlite3.Connection, names: Sequence[str] = READ) -> Iterator[tuple[Any, ...]]:
    """Yield the planned runs that are stored, in the order of the plan."""
    selected = _selected(connection, names)
    cursor = connection.execute(f"SELECT {selected} {FROM_PLAN} ORDER BY plan.position")
    while chunk := cursor.fetchmany(CHUNK):
        yield from chunk


def rows_of(connection: sqlite3.Connection, run_ids: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return some columns of those runs that are stored, planned or not, by run id."""
    selected = ", ".join(f'"{name}"' for name in names)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(run_ids), IDS):
        wanted = list(run_ids[start : start + IDS])
        query = f"SELECT run_id, {selected} FROM runs WHERE run_id IN ({','.join('?' * len(wanted))})"
        for run_id, *values in connection.execute(query, wanted):
            found[run_id] = dict(zip(names, values, strict=True))
    return found


def columns(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, Column]:
    """Return columns of the planned runs that are stored, in the order of the plan, as small as they can be.

    Numbers are float64 (missing: NaN), whole ones int64 where none is missing, the rest objects that rows share. A
    column of one value is a view of that value alone: of most studies most columns are.
    """
    found, filled = {name: _array(name, ()) for name in names}, 0
    with _in_one_state(connection):
        (count,) = connection.execute(f"SELECT count(*) {FROM_PLAN}").fetchone()
        cursor = connection.execute(f"SELECT {_selected(connection, names)} {FROM_PLAN} ORDER BY plan.position")
        while chunk := cursor.fetchmany(CHUNK):
            for name, values in zip(names, zip(*chunk, strict=True), strict=True):
                found[name] = _filled(found[name], filled, _part(name, values), count)
            filled += len(chunk)
    return found


@contextlib.contextmanager
def _in_one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """Read one state of a store, whoever writes meanwhile."""
    with _one_state:
        connection.execute("BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):  # damage has ended it
                connection.execute("COMMIT")


def _filled(column: Column, filled: int, part: Column, count: int) -> Column:
    """Return a column, of which so much is filled, with what comes next; it has its length once values differ."""
    if is_one(part) and (not filled or (is_one(column) and _same(column[0], part[0]))):
        return np.broadcast_to(part[:1], filled + len(part))
    kind = np.result_type(column.dtype, part.dtype) if filled else part.dtype
    if len(column) < count or column.dtype != kind:
        whole = np.empty(count, kind)
        whole[:filled] = column[:filled]
        column = whole
    column[filled : filled + len(part)] = part
    return column


def _part(name: str, values: tuple[Any, ...]) -> Column:
    if values.count(values[0]) == len(values) and len(set(map(type, values))) == 1:
        return np.broadcast_to(_array(name, values[:1]), len(values))
    return _array(name, values)


def _array(name: str, values: Sequence[Any]) -> Column:
    if name in NUMBERS:
        return np.array(values, dtype=np.float64)
    kinds = set(map(type, values))
    if kinds == {int} and (name in WHOLE_NUMBERS or name == "batch_size"):
        return np.array(values, dtype=np.int64)
    column = np.empty(len(values), dtype=object)
    column[:] = list(map(sys.intern, values)) if kinds == {str} and name not in UNIQUE else values
    return column


def is_one(column: Column) -> bool:
    """Whether a column is a view of a single value."""
    return column.strides == (0,) or len(column) == 1


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other or (value != value and other != other))


def mapped(change: Callable[[Column], Column], column: Column) -> Column:
    """Return what becomes of each value of a column; of a single value a single one."""
    return np.broadcast_to(change(column[:1]), len(column)) if len(column) and is_one(column) else change(column)


def typed(name: str, column: Column) -> Column:
    """Return a column as frames hold it: flags as bool, whole numbers of which some are missing as float64."""
    return mapped(lambda some: _typed(name, some), column)


def _typed(name: str, column: Column) -> Column:
    if name in FLAGS:
        return column.astype(bool)
    if column.dtype != object or not (name in WHOLE_NUMBERS or name == "batch_size"):
        return column
    return column.astype(np.float64) if set(map(type, column)) <= {int, float, type(None)} else column


def frame(connection: sqlite3.Connection) -> pd.DataFrame:
    """Return one row a run, in the order of the plan. See `READ` for the columns."""
    import pandas as pd

    found = columns(connection, READ)
    return pd.DataFrame({name: np.array(typed(name, found.pop(name))) for name in READ}, copy=False)


class CurveRow(NamedTuple):
    """The curves of one run: `blob` is its curve or its layer curve, and `layout` says what both hold."""

    run_id: str
    layers: int
    curve: bytes
    blob: bytes
    layout: Layout


def curve_rows(connection: sqlite3.Connection, run_ids: Sequence[str], column: str) -> Iterator[CurveRow]:
    """Yield the rows of those runs in their order, with the column `curve` or `layer_curve`."""
    known = layouts(connection)
    layout = "layout" if version_of(connection) > 1 else "1"
    for start in range(0, len(run_ids), IDS):
        wanted = list(run_ids[start : start + IDS])
        marks = ",".join("?" * len(wanted))
        found = connection.execute(
            f"SELECT run_id, layers, curve, {column}, {layout} FROM curves WHERE run_id IN ({marks})", wanted
        )
        rows = {name: CurveRow(name, layers, curve, blob, known[at]) for name, layers, curve, blob, at in found}
        yield from (rows[run_id] for run_id in wanted if run_id in rows)


def curve_names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return what curves are made of: what is written now, then what only older or newer rows hold."""
    return tuple(dict.fromkeys([*arrays.CURVES, *(name for held, _ in layouts(connection).values() for name in held)]))


def layer_names(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return what layer curves are made of, as `curve_names` does."""
    held = [name for _, names in layouts(connection).values() for name in names]
    return tuple(dict.fromkeys([*arrays.LAYER_CURVES, *held]))


def curve_arrays(
    connection: sqlite3.Connection, run_ids: Sequence[str]
) -> Iterator[tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.intp]]]:
    """Yield for some runs at a time their ids, all rows of their curves, and how many each has."""
    names = curve_names(connection)
    for start in range(0, len(run_ids), IDS):
        found = list(curve_rows(connection, run_ids[start : start + IDS], "NULL"))
        values, lengths = arrays.decode([row.curve for row in found], [row.layout[0] for row in found], names, "<f8")
        yield [row.run_id for row in found], values, lengths


def curves(connection: sqlite3.Connection, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the learning curves of those runs: run_id, epoch, step, train_loss, validation_loss, ..."""
    import pandas as pd

    names = curve_names(connection)
    parts = list(curve_arrays(connection, run_ids)) or [([], np.empty((0, len(names))), np.empty(0, np.intp))]
    ids = np.array([run_id for part in parts for run_id in part[0]], dtype=object)
    values, lengths = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    return pd.DataFrame({"run_id": np.repeat(ids, lengths), **arrays.columns(values, names)})


def layers(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Iterable[str] | None, epoch: int | None
) -> pd.DataFrame:
    """Return diagnostics by layer: run_id, epoch, layer (1..L), then `names`; of one epoch, or of all.

    Runs that lack a name have NaN there. Raises ValueError for a name that neither the store nor mlpjit knows.
    """
    import pandas as pd

    known = layer_names(connection)
    wanted = tuple(names or known)
    for name in wanted:
        if name not in known:
            raise ValueError(f"unknown record {name!r}{suggestion(name, known)}")
    starts = range(0, max(len(run_ids), 1), IDS)
    parts = [_layers(connection, run_ids[start : start + IDS], wanted, epoch) for start in starts]
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _layers(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Sequence[str], epoch: int | None
) -> dict[str, npt.NDArray[Any]]:
    """Decode some runs at once: a row's run, evaluation and layer follow from its place."""
    found = list(curve_rows(connection, run_ids, "layer_curve"))
    held = [row.layout for row in found]
    curve, evaluations = arrays.decode([row.curve for row in found], [names for names, _ in held], ["epoch"], "<f8")
    values, _ = arrays.decode([row.blob for row in found], [names for _, names in held], names, "<f4")
    depths = np.array([row.layers for row in found], dtype=np.int64)
    sizes = evaluations * depths
    run = np.repeat(np.arange(len(found)), sizes)
    place = np.arange(len(run)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row = np.repeat(np.cumsum(evaluations) - evaluations, sizes) + place // depths[run]
    epochs = curve[row, 0].astype(np.int64)
    chosen = slice(None) if epoch is None else epochs == epoch
    run_id = np.array([row.run_id for row in found], dtype=object)
    keys = {"run_id": run_id[run[chosen]], "epoch": epochs[chosen], "layer": (place % depths[run])[chosen] + 1}
    return keys | arrays.columns(values[chosen], names)


def timing(connection: sqlite3.Connection) -> pd.DataFrame:
    """Return the step times measured for the current study: see `TIMING_COLUMNS`."""
    import pandas as pd

    return pd.DataFrame(timing_rows(connection), columns=list(TIMING_COLUMNS))


def timing_rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return the rows of `timing` without pandas."""
    selected = ", ".join(TIMING_COLUMNS)
    query = f"SELECT {selected} FROM timing_plan JOIN timing USING (key) ORDER BY timing_plan.position"
    return connection.execute(query).fetchall()
