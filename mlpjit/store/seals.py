"""Seals: a digest beside every run with its curves, and beside every other table: damage must not pass for a result.

They lie in tables of their own. A run whose row, curves and seal do not agree was not made; neither was one of which
any of the three is missing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from marshal import dumps
from typing import Any

from mlpjit.store.schema import WRITTEN

BYTES = 8
MARSHAL = 2  # the last version whose bytes depend on values alone, not on who else refers to them
TABLES = ("meta", "sessions", "layouts", "plan", "timing", "timing_plan")
CURVES = ("layers", "layout", "curve", "layer_curve")
SEALED = ", ".join([*(f'runs."{name}"' for name in WRITTEN), *(f"curves.{name}" for name in CURVES)])
INSERT = "INSERT OR REPLACE INTO seals VALUES (?, ?)"


def seal(values: Sequence[Any]) -> bytes:
    """Return the digest of values as SQLite gives them back."""
    return blake2b(dumps(tuple(values), MARSHAL), digest_size=BYTES).digest()


def seal_runs(connection: sqlite3.Connection, run_ids: Iterable[str]) -> None:
    """Seal runs as they lie there; for who knows that they are sound."""
    query = f"SELECT {SEALED} FROM runs JOIN curves USING (run_id) WHERE runs.run_id = ?"
    for run_id in list(run_ids):
        for values in connection.execute(query, [run_id]).fetchall():
            connection.execute(INSERT, (run_id, seal(values)))


def seal_tables(connection: sqlite3.Connection, names: Iterable[str] = TABLES) -> None:
    """Seal tables as they are; for who writes them."""
    for name in names:
        connection.execute("INSERT OR REPLACE INTO table_seals VALUES (?, ?)", (name, _of_table(connection, name)))


def seal_all(connection: sqlite3.Connection) -> None:
    """Seal everything as it lies there."""
    connection.execute("DELETE FROM seals")
    seal_runs(connection, [run_id for (run_id,) in connection.execute("SELECT run_id FROM runs")])
    seal_tables(connection)


def table_is_sound(connection: sqlite3.Connection, name: str) -> bool:
    """Whether a table is as it was written. Raises sqlite3.Error where it cannot even be read."""
    found = connection.execute("SELECT seal FROM table_seals WHERE name = ?", [name]).fetchone()
    return found is not None and found[0] == _of_table(connection, name)


def _of_table(connection: sqlite3.Connection, name: str) -> bytes:
    """Return the seal of all rows, as of one tuple of them, without holding 100,000 of a plan at once."""
    (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    digest = blake2b(b"(" + count.to_bytes(4, "little"), digest_size=BYTES)
    for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1"):
        digest.update(dumps(row, MARSHAL))
    return digest.digest()


def all_sound(connection: sqlite3.Connection) -> bool:
    """Whether every run and every table is as it was written, and SQLite finds each through its index."""
    try:
        return (
            all(table_is_sound(connection, name) for name in TABLES)
            and _runs_are_sound(connection)
            and connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
        )
    except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError):
        return False


def _runs_are_sound(connection: sqlite3.Connection) -> bool:
    sealed = connection.execute(
        f"SELECT {SEALED}, seals.seal FROM seals CROSS JOIN runs USING (run_id) CROSS JOIN curves USING (run_id)"
    )
    number = 0
    for *values, mark in sealed:
        if seal(values) != mark:
            return False
        number += 1
    counts = [connection.execute(f"SELECT count(*) FROM {name} NOT INDEXED") for name in ("seals", "runs", "curves")]
    return all(count.fetchone() == (number,) for count in counts)


def plan_digest(study: Mapping[str, Any], plan: Sequence[tuple[str, str]], timing: Sequence[str]) -> str:
    """Return one hash over a study and what it plans."""
    text = "\n".join([json.dumps(study, sort_keys=True), *(f"{stage} {run_id}" for stage, run_id in plan), *timing])
    return sha256(text.encode()).hexdigest()
