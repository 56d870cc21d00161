"""Tables made, and brought from an older version to this one."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence

from mlpjit.config.fields import FACTORS
from mlpjit.store.schema import APPLICATION_ID, FIRST_LAYOUT, LAYOUTS, SCHEMA_VERSION, SEALS, TABLES, version_of
from mlpjit.store.seals import seal_all, seal_tables


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in one transaction."""
    script = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    connection.executescript(f"BEGIN IMMEDIATE; {script} {TABLES} {_names()}")
    seal_tables(connection)
    connection.execute("COMMIT")


def _names() -> str:
    """Number a store's changes, and give it a name of its own: versions of two stores never compare equal."""
    values = f"('changes', '0'), ('store', '{secrets.token_hex(8)}'), ('schema', '{SCHEMA_VERSION}')"
    return f"INSERT OR IGNORE INTO meta VALUES {values};"


def take_over(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older version to this one, in one transaction."""
    version = version_of(connection)
    if version == SCHEMA_VERSION:
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
        if version == 1:
            _add_layouts(connection)
        if version < 3:
            _add_wrappers(connection)
        _add_seals(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _add_layouts(connection: sqlite3.Connection) -> None:
    """From version 1: what curves hold has names."""
    connection.execute(LAYOUTS)
    connection.execute("ALTER TABLE curves ADD COLUMN layout INTEGER NOT NULL DEFAULT 1")
    connection.execute(f"INSERT INTO layouts VALUES (1, {', '.join(_listed(names) for names in FIRST_LAYOUT)})")


def _add_wrappers(connection: sqlite3.Connection) -> None:
    """From version 2, whose column `optimizer` held the wrapper too: lookahead(adam)."""
    connection.execute("ALTER TABLE runs ADD COLUMN wrapper DEFAULT 'none'")
    wrapped = connection.execute("SELECT run_id, config FROM runs WHERE config LIKE '%\"wrapper\":{%'").fetchall()
    for run_id, config in wrapped:
        names = [FACTORS[name].value(json.loads(config)) for name in ("optimizer", "wrapper")]
        connection.execute("UPDATE runs SET optimizer = ?, wrapper = ? WHERE run_id = ?", (*names, run_id))


def _add_seals(connection: sqlite3.Connection) -> None:
    """From version 3, which could not tell damage: what can be read is taken as it is, once."""
    if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError("database disk image is malformed")
    for statement in filter(str.strip, SEALS.split(";")):
        connection.execute(statement)
    connection.execute(_names())
    seal_all(connection)


def _listed(names: Sequence[str]) -> str:
    return f"'{json.dumps(list(names))}'"
