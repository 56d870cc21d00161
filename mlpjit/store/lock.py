"""One writer at a time: an advisory lock on `store.lock`, a file that is there only while somebody holds it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from mlpjit.errors import StoreError

WAIT_SECONDS = 1.0  # who folds a log away holds the lock without a name, for milliseconds
PAUSE_SECONDS = 0.005


class WriterLock:
    """A lock that the system frees when its process ends, in whatever way; the file may then stay behind."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_suffix(".lock")
        self._descriptor: int | None = None
        self._holder = ""

    def acquire(self) -> None:
        """Take the lock; StoreError names the process that holds it."""
        try:
            taken = self._wait(str(os.getpid()))
        except OSError as error:
            raise StoreError(f"{self.path}: cannot write here: {error.strerror}") from error
        if not taken:
            raise StoreError(
                f"{self.path.parent}: process {self._holder or 'unknown'} is running this study: wait until it ends, "
                "or choose another --out"
            )

    def acquire_unless_writing(self) -> bool:
        """Take the lock, without a name, unless a writer has it or the folder is not ours to write."""
        try:
            return self._wait("")
        except OSError:
            return False

    def _wait(self, name: str) -> bool:
        """Try until it is taken, its holder has shown a name twice, or that takes too long.

        Once is not enough: the name of a process that was killed stands there until the next holder has removed it.
        """
        until, named = time.monotonic() + WAIT_SECONDS, 0
        while not self._take(name):
            named = named + 1 if self._holder else 0
            if named > 1 or time.monotonic() > until:
                return False
            time.sleep(PAUSE_SECONDS)
        return True

    def _take(self, name: str) -> bool:
        """Lock what the path names; False where another has it, or where its last holder has just removed it."""
        try:
            import fcntl
        except ImportError:  # no flock on Windows: SQLite's own lock still keeps the file whole
            return True
        descriptor, self._holder = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), ""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._names(descriptor):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, name.encode(), 0)
                self._descriptor = descriptor
        except BlockingIOError:
            self._holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        finally:
            if self._descriptor is None:
                os.close(descriptor)
        return self._descriptor is not None

    def _names(self, descriptor: int) -> bool:
        """Whether the path still names the file that is open here."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the file, then free the lock: in this order, or two processes could hold two files of one name."""
        if self._descriptor is None:
            return
        if self._names(self._descriptor):
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None
