"""What is done about a damaged store: it is verified when it is opened, read as far as it is sound, and mended."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import warnings
from itertools import count
from pathlib import Path

from mlpjit.errors import DamageWarning
from mlpjit.store.folding import LEFT_BEHIND
from mlpjit.store.made import ACCOUNT, committed, lost
from mlpjit.store.salvage import Lost, rescue
from mlpjit.store.schema import SCHEMA_VERSION, version_of
from mlpjit.store.seals import all_sound


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when the file or its log does."""
    found: list[int] = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(FileNotFoundError):
            status = each.stat()
            found += [status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(found)


_verified: dict[Path, tuple[int, ...]] = {}  # as they were when they were found sound: reading begins often


def is_sound(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a store is as it was written; one without seals always is. What its log lacks is told, not mended."""
    signature = _signature(path)
    if _verified.get(path.absolute()) == signature:
        return True
    if version_of(connection) == SCHEMA_VERSION:
        reported = committed(path)
        connection.execute("BEGIN")  # one state of it, whoever writes meanwhile
        try:
            if not all_sound(connection):
                return False
            missed = lost(reported, connection)
        finally:
            with contextlib.suppress(sqlite3.Error):  # damage has ended it
                connection.execute("COMMIT")
        if missed:
            tell(f"{path}: its log was cut, deleted or replaced, gone with {stored(missed)}")
    _verified[path.absolute()] = signature
    return True


def sound_part(path: Path) -> sqlite3.Connection:
    """Return what is sound of a damaged store, in memory, and tell what is not."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    lost = rescue(path, memory)
    tell(f"{path} is damaged: {lost}: run its study again, or `mlpjit doctor {path.parent}` mends it")
    return memory


def stored(number: int) -> str:
    """Return how many runs are gone, in words."""
    return f"{number:,} {'run that was' if number == 1 else 'runs that were'} stored, to be made again"


def tell(text: str) -> None:
    """Tell what a store has lost."""
    warnings.warn(DamageWarning(text), stacklevel=2)


def mend(path: Path) -> tuple[Path, Lost]:
    """Replace a damaged store by what is sound of it; return where it lies as it was, and what is lost."""
    numbers = (path.with_name(f"{path.stem}.damaged-{number}{path.suffix}") for number in count(1))
    copy = next(name for name in numbers if not name.exists())
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as target:
            found = rescue(path, target)
        shutil.copyfile(path, copy)
        for extra in (*LEFT_BEHIND, ACCOUNT):
            if (left := path.with_name(path.name + extra)).exists():
                os.replace(left, copy.with_name(copy.name + extra))
        os.replace(partial, path)
    finally:
        for name in (partial, partial.with_name(partial.name + "-journal")):
            name.unlink(missing_ok=True)
    return copy, found
