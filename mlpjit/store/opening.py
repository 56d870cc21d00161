"""How the file of a store is opened, made, taken over and put away, and its errors in one clear line.

While somebody writes, SQLite keeps a log beside the file, so that others read at the same time. Whoever is the last to
close folds the log into the file: a store that nobody writes is one file, and a copy of it is complete.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpjit.errors import StoreError, writing
from mlpjit.store.lock import WriterLock
from mlpjit.store.schema import APPLICATION_ID, FIRST_VERSION, SCHEMA_VERSION, create, take_over, version_of

BUSY_SECONDS = 30.0
FOLD_SECONDS = 0.1  # so long a reader that is about to close is waited for
LEFT_BEHIND = ("-wal", "-shm", "-journal")  # by a process that was killed, or beside one that writes


class NoStoreError(StoreError):
    """There is nothing here yet."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreError with one line that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {_explanation(path, str(error))}") from error
    except OSError as error:  # a name that no file system takes
        raise StoreError(f"{path}: cannot be opened: {error.strerror or error}") from error


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


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a store for reading. Raises NoStoreError where there is none, StoreError where it cannot be read."""
    with explained(path):
        if not path.exists():
            raise _no_store(path)
        try:
            connection = _open_to_read(path)
        except sqlite3.OperationalError:  # what a killed writer left may need one who writes to mend it
            if not put_away(path):
                raise
            connection = _open_to_read(path)
        return _checked(connection, path)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open a store for writing, for who holds its lock; one that does not exist is made. Raises StoreError."""
    with explained(path), writing(path):
        try:
            connection = _open_to_write(path)
        except NoStoreError:
            _make(path)
            connection = _open_to_write(path)
        try:
            take_over(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
        except BaseException:
            connection.close()
            raise
        return connection


def _no_store(path: Path) -> NoStoreError:
    return NoStoreError(f"{path}: there is no store here: mlpjit run STUDY makes one")


def _open_to_write(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise _no_store(path)
    return _checked(_connect(path, "rw"), path)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _open_to_read(path: Path) -> sqlite3.Connection:
    """A folder without write permission has no room for the log's index; without a log none is needed."""
    connection = _connect(path, "ro")
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
        return connection
    except sqlite3.OperationalError:
        connection.close()
        if _left_behind(path):
            raise
        return _connect(path, "ro&immutable=1")


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return the connection to a store that this version reads; close it and raise StoreError for anything else."""
    try:
        if _holds_nothing(connection):
            raise _no_store(path)
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this SQLite file is not a mlpjit store")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): update mlpjit"
        )
    if version < FIRST_VERSION:
        raise StoreError(
            f"{path}: written by an older mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): "
            "choose another --out, or delete it and run again"
        )


def _holds_nothing(connection: sqlite3.Connection) -> bool:
    """Whether a file was begun and never filled: its maker was killed, or the disk was full."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return application == 0 and tables == 0


def _make(path: Path) -> None:
    """Make a store beside its place, then rename it: it is whole or it is not there."""
    for extra in LEFT_BEHIND:  # by a store that was deleted: SQLite would read its log into the new one
        path.with_name(path.name + extra).unlink(missing_ok=True)
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as connection:
            create(connection)
        os.replace(partial, path)
    finally:
        for name in (partial, partial.with_name(partial.name + "-journal")):
            name.unlink(missing_ok=True)


def _left_behind(path: Path) -> bool:
    return any(path.with_name(path.name + extra).exists() for extra in LEFT_BEHIND)


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
    if not (_left_behind(path) or lock.path.exists()) or not lock.acquire_unless_writing():
        return False
    try:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(path, "rw")) as connection:
            fold(connection)
            if path.with_name(f"{path.name}-journal").exists():  # nothing to roll back: it goes with the next change
                connection.execute(f"PRAGMA user_version = {version_of(connection)}")
        return True
    finally:
        lock.release()
