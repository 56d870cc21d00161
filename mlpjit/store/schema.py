"""The tables of a store, how its file is opened, and its errors in one clear line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpjit.config.fields import FACTORS
from mlpjit.errors import StoreError

APPLICATION_ID = 0x6D6C706A  # "mlpj": tells a store from any other SQLite file
SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0

METRICS = (
    "final_train_loss", "final_validation_loss", "final_validation_score", "best_validation_loss", "best_epoch",
    "test_loss", "test_score", "best_test_loss", "best_test_score", "parameters", "diverged_step",
    "last_finite_loss",
)  # fmt: skip
COUNTS = ("steps", "gradients")
TIMINGS = ("compile_seconds", "train_seconds", "evaluate_seconds")
HASHES = ("source_hash", "data_hash")
DATES = ("started_at", "finished_at")
HOST = ("host_cpu", "host_vector_bits", "host_threads", "host_system", "host_versions", "host_commit")
TIMING_COLUMNS = (
    "hidden", "depth", "width", "activation", "optimizer", "batch_size", "parameters",
    "step_seconds", "low_seconds", "high_seconds",
)  # fmt: skip

WHOLE_NUMBERS = {
    "depth", "width", "epochs", "evaluate_every", "seed", "split_seed", "init_seed", "order_seed", "best_epoch",
    "parameters", "diverged_step", "steps", "gradients", "host_vector_bits", "host_threads",
}  # fmt: skip
NUMBERS = {"learning_rate", "l1", "l2", "weight_decay", *TIMINGS, *METRICS} - WHOLE_NUMBERS
FLAGS = {"shuffle"}

# A row of `runs` as it is written; reading adds `stage` from the plan and the HOST columns from the session.
WRITTEN = (
    "run_id", "state", *FACTORS, *METRICS, *COUNTS, *HASHES, *TIMINGS, *DATES, "error", "timeout", "config", "session",
)  # fmt: skip
# A row as it is read and exported.
READ = (
    "run_id", "stage", "state", *FACTORS, *METRICS, *COUNTS, *HASHES, "error", *TIMINGS, *DATES, *HOST,
)  # fmt: skip


def _columns() -> str:
    names = [name for name in WRITTEN if name != "run_id"]
    return ", ".join(f'"{name}"' for name in names)


TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (id INTEGER PRIMARY KEY, {", ".join(HOST)}, started_at, compile_seconds REAL, wall_seconds REAL,
    provenance TEXT NOT NULL);
CREATE TABLE runs (run_id TEXT PRIMARY KEY, {_columns()});
CREATE TABLE curves (run_id TEXT PRIMARY KEY, layers INTEGER NOT NULL, curve BLOB NOT NULL, layer_curve BLOB NOT NULL);
CREATE TABLE plan (position INTEGER PRIMARY KEY, stage TEXT NOT NULL, run_id TEXT NOT NULL);
CREATE TABLE timing (key TEXT PRIMARY KEY, {", ".join(TIMING_COLUMNS)}, measured_at, session);
CREATE TABLE timing_plan (position INTEGER PRIMARY KEY, key TEXT NOT NULL);
"""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreError with one line that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {_explanation(path, str(error))}") from error


def _explanation(path: Path, text: str) -> str:
    known = {
        "full": "the disk is full: free some space, then run the same command again",
        "not a database": "this file is not a mlpjit store",
        "malformed": "the store is damaged (disk image is malformed): restore a copy, or delete it and run again",
        "no such": f"the store is damaged ({text}): restore a copy, or delete it and run again",
        "readonly": "the store cannot be written: file or folder is read-only",
        "locked": "another process is writing to this store: wait until it ends, or choose another --out",
        "unable to open": f"cannot open: does {path.parent} exist, and may it be written?",
        "disk I/O": "the disk reports an error (disk I/O error)",
    }
    return next((line for sign, line in known.items() if sign in text), text)


def connect(path: Path, readonly: bool = False) -> sqlite3.Connection:
    """Open a store; one that does not exist is created unless `readonly`. Raises StoreError."""
    if not path.exists() and readonly:
        raise StoreError(f"{path}: there is no store here: mlpjit run STUDY makes one")
    with explained(path):
        connection = _open_readonly(path) if readonly else _open(path)
        try:
            _check_version(connection, path, readonly)
        except BaseException:
            connection.close()
            raise
        return connection


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA user_version")  # reads the header: not-a-database is found before anything is written
    return connection


def _open_readonly(path: Path) -> sqlite3.Connection:
    """A folder without write permission has no room for the log's index; without a log none is needed."""
    address = path.absolute().as_uri() + "?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
        return connection
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(address + "&immutable=1", uri=True, check_same_thread=False)


def _check_version(connection: sqlite3.Connection, path: Path, readonly: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and tables == 0 and not readonly:
        _create(connection)
        return
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this SQLite file is not a mlpjit store")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): update mlpjit"
        )
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by an older mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): "
            "choose another --out, or delete it and run again"
        )
    if not readonly:
        _set_durable(connection)


def _set_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables in one transaction: a store is whole or it is empty."""
    _set_durable(connection)
    script = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    connection.executescript(f"BEGIN IMMEDIATE; {script} {TABLES} COMMIT;")
