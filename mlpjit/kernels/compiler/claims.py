"""Which process makes a folder: an advisory lock that the system frees when its holder ends, in whatever way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PAUSE_SECONDS = 0.005


@contextmanager
def claimed(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the claim to a folder, a file beside it that is there only while somebody has it.

    Yields False where another process has it and this one does not wait, and True where nothing can be locked (no
    flock on Windows, a folder that cannot be written): then two may make the same.
    """
    path = folder.with_name(f".claim-{folder.name}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = _taken(path, wait)
    except (OSError, ImportError):
        yield True
        return
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            # The name goes before the lock, or two processes could hold two files of one name.
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _taken(path: Path, wait: bool) -> int | None:
    """Return what holds the lock; None where another process has it and nobody waits."""
    while (descriptor := _try(path)) is None and wait:
        time.sleep(PAUSE_SECONDS)
    return descriptor


def _try(path: Path) -> int | None:
    """Lock the file that the path names; None where another has it, or where its holder has just removed it."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
