"""The tables of a store: as they are now, as they were, and from the one to the other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from mlpjit.config.fields import FACTORS

APPLICATION_ID = 0x6D6C706A  # "mlpj": tells a store from any other SQLite file
FIRST_VERSION, SCHEMA_VERSION = 1, 4
Layout = tuple[Sequence[str], Sequence[str]]  # the names of what a row of `curve` and of `layer_curve` holds
# Version 1 did not keep them: they were these, always.
FIRST_LAYOUT: Layout = (
    ("epoch", "step", "train_loss", "validation_loss", "validation_score"),
    (
        "gradient_norm", "activation_mean", "activation_std", "dead_fraction", "saturated_fraction", "weight_norm",
        "update_ratio",
    ),
)  # fmt: skip

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


LAYOUTS = "CREATE TABLE layouts (id INTEGER PRIMARY KEY, curve TEXT NOT NULL, layer_curve TEXT NOT NULL);"
SEALS = """
CREATE TABLE seals (run_id TEXT PRIMARY KEY, seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE table_seals (name TEXT PRIMARY KEY, seal BLOB NOT NULL) WITHOUT ROWID;
"""
TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (id INTEGER PRIMARY KEY, {", ".join(HOST)}, started_at, compile_seconds REAL, wall_seconds REAL,
    provenance TEXT NOT NULL);
CREATE TABLE runs (run_id TEXT PRIMARY KEY, {_columns()});
{LAYOUTS}
CREATE TABLE curves (run_id TEXT PRIMARY KEY, layers INTEGER NOT NULL, curve BLOB NOT NULL, layer_curve BLOB NOT NULL,
    layout INTEGER NOT NULL);
CREATE TABLE plan (position INTEGER PRIMARY KEY, stage TEXT NOT NULL, run_id TEXT NOT NULL);
CREATE TABLE timing (key TEXT PRIMARY KEY, {", ".join(TIMING_COLUMNS)}, measured_at, session);
CREATE TABLE timing_plan (position INTEGER PRIMARY KEY, key TEXT NOT NULL);
{SEALS}"""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def name_of(connection: sqlite3.Connection) -> str:
    """Return the name of a store, which no other has."""
    (name,) = connection.execute("SELECT value FROM meta WHERE key = 'store'").fetchone() or ("",)
    return str(name)


def layouts(connection: sqlite3.Connection) -> dict[int, Layout]:
    """Return by their numbers the names of what rows of curves hold."""
    if version_of(connection) == 1:
        return {1: FIRST_LAYOUT}
    rows = connection.execute("SELECT id, curve, layer_curve FROM layouts ORDER BY id")
    return {number: (json.loads(curve), json.loads(layers)) for number, curve, layers in rows}


def layout_number(connection: sqlite3.Connection, layout: Layout) -> int:
    """Return the number of a layout, a new one unless the store knows it; for who writes."""
    row = [json.dumps(list(names)) for names in layout]
    for number, known in layouts(connection).items():
        if [json.dumps(list(names)) for names in known] == row:
            return number
    return connection.execute("INSERT INTO layouts (curve, layer_curve) VALUES (?, ?)", row).lastrowid or 0
