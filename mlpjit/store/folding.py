"""The files of a store: its own, the log and the account beside it, and how they become one file again."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from mlpjit.store.lock import WriterLock
from mlpjit.store.made import beside, committed, lost
from mlpjit.store.schema import version_of

BUSY_SECONDS = 30.0
FOLD_SECONDS = 0.1  # so long a reader that is about to close is waited for
LEFT_BEHIND = ("-wal", "-shm", "-journal")  # by a process that was killed, or beside one that writes


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Connect to a file that exists: mode is rw, ro, or `ro&immutable=1`."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def left_behind(path: Path) -> bool:
    """Whether anything of SQLite lies beside a store."""
    return any(path.with_name(path.name + extra).exists() for extra in LEFT_BEHIND)


def end_account(path: Path) -> None:
    """Remove the account of a store that has no log any more: the file holds all of it."""
    if not path.with_name(f"{path.name}-wal").exists():
        with contextlib.suppress(OSError):  # a folder in its place, or one that may not be written
            beside(path).unlink()


def fold(connection: sqlite3.Connection) -> None:
    """Fold the log into the file and end it. Where another reads, it stays, and the last one to close folds it."""
    connection.execute("PRAGMA busy_timeout = 0")
    until = time.monotonic() + FOLD_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                return
            time.sleep(FOLD_SECONDS / 10)


def put_away(path: Path) -> bool:
    """Make a store one file again, unless somebody writes it; False where that may not be tried."""
    lock = WriterLock(path)
    if not (left_behind(path) or beside(path).exists() or lock.path.exists()) or not lock.acquire_unless_writing():
        return False
    try:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(path, "rw")) as connection:
            fold(connection)
            if path.with_name(f"{path.name}-journal").exists():  # nothing to roll back: it goes with the next change
                connection.execute(f"PRAGMA user_version = {version_of(connection)}")
            if not lost(committed(path), connection):
                end_account(path)
        return True
    finally:
        lock.release()


def log_is_missing(path: Path) -> bool:
    """Whether a file was last written with a log that is not here, without an account of it, while nobody writes."""
    beside_it = (path.with_name(f"{path.name}-wal"), beside(path), WriterLock(path).path)
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2" and not any(each.exists() for each in beside_it)
    return False


def identities(path: Path) -> list[tuple[int, int] | None]:
    """Return which files a store and its log are: None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = each.stat()
            found.append((status.st_dev, status.st_ino))
        except FileNotFoundError:
            found.append(None)
    return found
