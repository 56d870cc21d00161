"""What is sound in a damaged store, copied into a new one. Whatever does not agree with its seal is left behind."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpjit.store.arrays import WRITTEN_LAYOUT
from mlpjit.store.made import committed
from mlpjit.store.migration import create
from mlpjit.store.schema import APPLICATION_ID, SCHEMA_VERSION, WRITTEN
from mlpjit.store.seals import CURVES, SEALED, TABLES, seal, seal_tables, table_is_sound
from mlpjit.store.seals import INSERT as INSERT_SEAL

DAMAGE = (sqlite3.Error, MemoryError, UnicodeDecodeError)
SIGN = b"CREATE TABLE seals (run_id"  # of every store since version 4
MAGIC, PAGE = b"SQLite format 3\0", 4096
INSERT_RUN = f"INSERT INTO runs ({', '.join(WRITTEN)}) VALUES ({', '.join('?' * len(WRITTEN))})"
INSERT_CURVES = f"INSERT INTO curves (run_id, {', '.join(CURVES)}) VALUES (?{', ?' * len(CURVES)})"
ONE_RUN = (
    f"SELECT {SEALED}, seals.seal FROM seals, runs, curves WHERE seals.run_id = ? AND runs.run_id = seals.run_id "
    "AND curves.run_id = seals.run_id"
)


class Lost(NamedTuple):
    """How many runs and which tables a damaged store has lost, and how many runs are sound."""

    kept: int
    runs: int
    tables: Sequence[str]

    def __str__(self) -> str:
        parts = [f"{self.runs:,} of {self.kept + self.runs:,} runs count as not made"] if self.runs else []
        parts += [f"lost: {', '.join(self.tables)}"] if self.tables else []
        return "; ".join(parts) or f"all {self.kept:,} runs can be read"


def is_ours(path: Path) -> bool:
    """Whether a file, damaged as it may be, was a store with seals; its first page may be cut, blank or anywhere."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    known = SIGN in data or data[68:72] == APPLICATION_ID.to_bytes(4, "big") or not any(data[:100])
    return known or (0 < len(data) < PAGE and data[:16] == MAGIC[: len(data)])


def rescue(path: Path, target: sqlite3.Connection) -> Lost:
    """Fill an empty database with what is sound of a damaged store, which stays as it is."""
    create(target)
    with _opened(path) as source:
        target.execute("BEGIN")
        lost_tables = [name for name in TABLES if not _rescue_table(source, target, name)]
        ids, number = _known_ids(source, committed(path))
        usable = "layouts" not in lost_tables
        kept = sum(_rescue_run(source, target, run_id) for run_id in ids) if usable else 0
        if {"plan", "timing_plan"} & set(lost_tables):
            target.execute("DELETE FROM meta WHERE key = 'plan'")  # the same command plans again
        seal_tables(target)
        target.execute("COMMIT")
    return Lost(kept, max(0, number - kept), lost_tables)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the file and its log, with a header as it must be: what is damaged there hides all the rest."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for extra in ("-wal", "-journal"):
            if (beside := path.with_name(path.name + extra)).exists():
                copy.with_name(copy.name + extra).write_bytes(beside.read_bytes())
        logged = copy.with_name(copy.name + "-wal").exists()
        copy.write_bytes(_with_header(path.read_bytes(), logged))
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as source:
            yield source


def _with_header(data: bytes, logged: bool) -> bytes:
    """Return a file with the first 100 bytes that a store has; see the file format of SQLite."""
    data += bytes(-len(data) % PAGE)
    way = 2 if logged else 1
    head = struct.pack(">16sHBBBBBBI", MAGIC, PAGE, way, way, 0, 64, 32, 32, 1)
    head += struct.pack(">IIIIIIIIII", len(data) // PAGE, 0, 0, 1, 4, 0, 0, 1, SCHEMA_VERSION, 0)
    head += struct.pack(">I20sII", APPLICATION_ID, bytes(20), 1, sqlite_number())
    return head + data[len(head) :]


def sqlite_number() -> int:
    """Return the number that this SQLite writes of itself."""
    major, minor, patch = sqlite3.sqlite_version_info
    return major * 1_000_000 + minor * 1000 + patch


def _guarded(source: sqlite3.Connection, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows before the first that cannot be read."""
    found: list[tuple[Any, ...]] = []
    with contextlib.suppress(*DAMAGE):
        found.extend(iter(source.execute(query, values).fetchone, None))
    return found


def _rescue_table(source: sqlite3.Connection, target: sqlite3.Connection, name: str) -> bool:
    """Copy a table if it is sound."""
    rows: Sequence[Sequence[Any]] = []
    try:
        if table_is_sound(source, name):
            rows = source.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()
        elif not (name == "layouts" and (rows := _usual_layouts(source))):
            return False
    except DAMAGE:
        return False
    for row in rows:
        if name != "meta" or row[0] != "store":  # another file: versions of the two never compare equal
            target.execute(f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    return True


def _usual_layouts(source: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return what the layouts of a store are as a rule, where their seal says so."""
    rows = [(1, *(json.dumps(list(names)) for names in WRITTEN_LAYOUT))]
    marks = _guarded(source, "SELECT seal FROM table_seals WHERE name = 'layouts'")
    return rows if marks == [(seal(rows),)] else []


def _known_ids(source: sqlite3.Connection, reported: Mapping[str, Mapping[str, bytes]]) -> tuple[list[str], int]:
    """Return every id that is met anywhere, from both ends of each table, and how many runs there were."""
    found = dict.fromkeys(run_id for made in reported.values() for run_id in made)
    most = len(found)
    for table in ("seals", "runs", "curves", "plan"):
        met: set[Any] = set()
        for order in ("ASC", "DESC"):
            met.update(_guarded(source, f"SELECT run_id FROM {table} ORDER BY run_id {order}"))
        found.update(dict.fromkeys(run_id for (run_id,) in met if isinstance(run_id, str)))
        most = max(most, len(met)) if table != "plan" else most
    return list(found), most


def _rescue_run(source: sqlite3.Connection, target: sqlite3.Connection, run_id: str) -> bool:
    """Copy a run if it is sound."""
    for *values, mark in _guarded(source, ONE_RUN, [run_id]):
        if seal(values) == mark:
            target.execute(INSERT_RUN, values[: len(WRITTEN)])
            target.execute(INSERT_CURVES, (run_id, *values[len(WRITTEN) :]))
            target.execute(INSERT_SEAL, (run_id, mark))
            return True
    return False
