"""How the file of a store is opened, made, taken over and put away, and its errors in one clear line.

While somebody writes, SQLite keeps a log beside the file, so that others read at the same time. Whoever is the last to
close folds the log into the file: a store that nobody writes is one file, and a copy of it is complete.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpjit.errors import StoreError, writing
from mlpjit.host import regular_file
from mlpjit.store.folding import LEFT_BEHIND, connect, left_behind, log_is_missing, put_away
from mlpjit.store.made import ACCOUNT, committed
from mlpjit.store.mending import is_sound, mend, sound_part, stored, tell
from mlpjit.store.migration import create, take_over
from mlpjit.store.salvage import is_ours
from mlpjit.store.schema import APPLICATION_ID, FIRST_VERSION, SCHEMA_VERSION, version_of


class NoStoreError(StoreError):
    """There is nothing here yet."""


class VersionError(StoreError):
    """A store of another version, sound as it may be."""


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


def connect_to_read(path: Path, verified: bool = False) -> sqlite3.Connection:
    """Open a store for reading, and verify it unless that was done just now.

    Of a damaged one, what is sound is opened, in memory, and a DamageWarning tells what is lost. Raises NoStoreError
    where there is none, StoreError where it cannot be read.
    """
    with explained(path):
        _check_regular(path)
        if not path.exists():
            raise _no_store(path)
        alone = log_is_missing(path)
        try:
            connection = _open_whole(path)
        except (sqlite3.DatabaseError, StoreError) as error:
            if _is_no_damage(error, path):
                raise
            return sound_part(path)
        if alone:
            tell(f"{path}: its log is missing, as in a copy of this file alone: what was stored last is not here")
        if verified or is_sound(connection, path):
            return connection
        connection.close()
        return sound_part(path)


def _open_whole(path: Path) -> sqlite3.Connection:
    try:
        connection = _open_to_read(path)
    except sqlite3.OperationalError:  # what a killed writer left may need one who writes to mend it
        if not put_away(path):
            raise
        connection = _open_to_read(path)
    return _checked(connection, path)


def _is_no_damage(error: Exception, path: Path) -> bool:
    """Whether an error is of the moment, or of a file that never was a store with seals."""
    passing = ("locked", "unable to open", "full", "readonly", "read-only")
    said = any(sign in str(error) for sign in passing)
    begun = isinstance(error, NoStoreError) and not committed(path)  # what was cut to nothing has lost what it held
    return said or begun or isinstance(error, VersionError) or not is_ours(path)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open a store for writing, for who holds its lock; one that does not exist is made. Raises StoreError.

    A damaged one is mended first: a DamageWarning tells what is lost.
    """
    with explained(path), writing(path):
        _check_regular(path)
        try:
            connection = _open_sound(path)
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


def _open_sound(path: Path) -> sqlite3.Connection:
    try:
        connection = _open_to_write(path)
    except NoStoreError:
        if missed := sum(map(len, committed(path).values())):
            tell(f"{path} is gone with {stored(missed)}")
        elif path.exists():
            tell(f"{path} held nothing, not even tables: it is made anew")
        raise
    except (sqlite3.DatabaseError, StoreError) as error:
        if _is_no_damage(error, path):
            raise
    else:
        if is_sound(connection, path):
            return connection
        connection.close()
    copy, told = mend(path)
    tell(f"{path} was damaged: {told}; as it was it lies in {copy.name}")
    return _open_to_write(path)


def _check_regular(path: Path) -> None:
    """Raise StoreError for what is there and is no file: SQLite waits for ever for who writes a pipe."""
    if path.is_symlink() or path.exists():
        try:
            regular_file(path)
        except FileNotFoundError:  # the store was on a disk that is not there
            raise StoreError(f"{path}: a link to what is not there") from None


def _no_store(path: Path) -> StoreError:
    if path.parent.is_file() and path.parent.suffix == ".zip":
        return StoreError(f"{path.parent}: a bundle, read by report, compare, verify and export: unpack it for this")
    return NoStoreError(f"{path}: there is no store here: mlpjit run STUDY makes one")


def _open_to_write(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise _no_store(path)
    return _checked(connect(path, "rw"), path)


def _open_to_read(path: Path) -> sqlite3.Connection:
    """A folder without write permission has no room for the log's index; without a log none is needed."""
    connection = connect(path, "ro")
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
        return connection
    except sqlite3.OperationalError:
        connection.close()
        if left_behind(path):
            raise
        return connect(path, "ro&immutable=1")


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
    """A store with seals notes its version a second time: the header has no seal."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = version_of(connection)
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this SQLite file is not a mlpjit store")
    if version != SCHEMA_VERSION and _noted_version(connection) == SCHEMA_VERSION:
        raise sqlite3.DatabaseError("database disk image is malformed")
    if version > SCHEMA_VERSION:
        raise VersionError(
            f"{path}: written by a newer mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): update mlpjit"
        )
    if version < FIRST_VERSION:
        raise VersionError(
            f"{path}: written by an older mlpjit (schema {version}, this one reads {SCHEMA_VERSION}): "
            "choose another --out, or delete it and run again"
        )


def _noted_version(connection: sqlite3.Connection) -> int:
    try:
        found = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.OperationalError:  # a newer one may be of other tables
        return 0
    return int(found[0]) if found else 0


def _holds_nothing(connection: sqlite3.Connection) -> bool:
    """Whether a file was begun and never filled: its maker was killed, or the disk was full."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return application == 0 and tables == 0


def _make(path: Path) -> None:
    """Make a store beside its place, then rename it: it is whole or it is not there."""
    for extra in (*LEFT_BEHIND, ACCOUNT):  # by a store that was deleted: SQLite would read its log into the new one
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
