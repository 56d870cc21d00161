"""One stored run with its curves, and other ids for runs whose bits the present code makes again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.store import reading
from mlpjit.store.database import Store
from mlpjit.store.opening import explained
from mlpjit.store.seals import plan_digest, seal_runs

# (the id of the present code, the columns that change with it) by the id that a run has.
Renamed = Mapping[str, tuple[str, Mapping[str, Any]]]


def finished(store: Store, states: Sequence[str]) -> list[str]:
    """Return the ids of the runs in some states, those of the plan first and in its order."""
    query = (
        f"SELECT run_id FROM runs LEFT JOIN (SELECT run_id, min(position) AS place FROM plan GROUP BY run_id) "
        f"USING (run_id) WHERE state IN ({', '.join('?' * len(states))}) ORDER BY place IS NULL, place, run_id"
    )
    with explained(store.path):
        return [run_id for (run_id,) in store.connection.execute(query, list(states))]


def row(store: Store, run_id: str, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return some columns of a run, and its curves by name: (evaluations,), those of layers (evaluations, layers)."""
    with explained(store.path):
        columns = ", ".join(f'"{name}"' for name in names)
        values = store.connection.execute(f"SELECT {columns} FROM runs WHERE run_id = ?", [run_id]).fetchone()
        whole, deep = (next(reading.curve_rows(store.connection, [run_id], kind)) for kind in ("NULL", "layer_curve"))
    curve_names, layer_names = deep.layout
    curve = np.frombuffer(whole.curve, "<f8").reshape(-1, len(curve_names))
    layers = np.frombuffer(deep.blob, "<f4").reshape(len(curve), deep.layers, len(layer_names))
    curves = {name: curve[:, at] for at, name in enumerate(curve_names)}
    return dict(zip(names, values, strict=True)), curves | {
        name: layers[:, :, at] for at, name in enumerate(layer_names)
    }


def adopt(store: Store, renamed: Renamed, note: Callable[[int], Mapping[str, Any]]) -> int:
    """Give runs other ids, in rows, curves and plan, in one transaction, keep a note, and return how many took theirs.

    A run whose new id another has stays as it is: the first takes it, of several that are the same to the present code.
    """
    adopted: list[str] = []

    def write(connection: sqlite3.Connection) -> None:
        taken = {run_id for (run_id,) in connection.execute("SELECT run_id FROM runs")} - set(renamed)
        for old, (new, columns) in renamed.items():
            if new not in taken:
                _rename(connection, old, new, columns)
                taken.add(new)
                adopted.append(new)
        _note(connection, note(len(adopted)))
        _sign_plan(connection)

    store.write(write)
    return len(adopted)


def _rename(connection: sqlite3.Connection, old: str, new: str, columns: Mapping[str, Any]) -> None:
    marks = ", ".join(f'"{name}" = ?' for name in columns)
    connection.execute(f"UPDATE runs SET run_id = ?, {marks} WHERE run_id = ?", [new, *columns.values(), old])
    for table in ("curves", "plan", "seals"):
        connection.execute(f"UPDATE {table} SET run_id = ? WHERE run_id = ?", [new, old])
    seal_runs(connection, [new])


def notes(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return what is noted of adoptions, the oldest first."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'adopted'").fetchone()
    known: list[dict[str, Any]] = json.loads(found[0]) if found else []
    return known


def _note(connection: sqlite3.Connection, note: Mapping[str, Any]) -> None:
    text = json.dumps([*notes(connection), note])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('adopted', ?)", [text])


def _sign_plan(connection: sqlite3.Connection) -> None:
    """The plan's digest follows its ids."""
    study = connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()
    plan = connection.execute("SELECT stage, run_id FROM plan ORDER BY position").fetchall()
    timing = [key for (key,) in connection.execute("SELECT key FROM timing_plan ORDER BY position")]
    if study:
        digest = plan_digest(json.loads(study[0]), plan, timing)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'plan'", [digest])
