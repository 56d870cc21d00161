"""One thread writes. It takes whatever is queued, commits it in one transaction, and goes on."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from mlpjit.errors import StoreError
from mlpjit.store.schema import connect, explained

Write = Callable[[sqlite3.Connection], object]
LINGER_SECONDS = 0.05  # a disk's flush costs milliseconds: runs that end close together share one


class WriterLock:
    """An advisory lock on `store.lock`, freed by the system when its process ends in whatever way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; StoreError names the process that holds it."""
        try:
            import fcntl
        except ImportError:  # no flock on Windows: SQLite's own lock still keeps the file whole
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot write here: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise StoreError(
                f"{self.path.parent}: process {holder or 'unknown'} is running this study: wait until it ends, "
                "or choose another --out"
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Free the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Writer:
    """Owns the only connection that writes. The first error stops it; every later call raises that error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: StoreError | None = None
        self._queue: queue.SimpleQueue[Write | threading.Event | None] = queue.SimpleQueue()
        self._connection = connect(path)
        self._thread = threading.Thread(target=self._work, name="store writer", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queue a write; returns at once."""
        self._raise()
        self._queue.put(write)

    def flush(self) -> None:
        """Wait until everything queued before is committed."""
        done = threading.Event()
        self._queue.put(done)
        while not done.wait(0.05) and self._thread.is_alive():
            pass
        self._raise()

    def close(self) -> None:
        """Commit what is queued and end the thread. The log is folded into the file."""
        self._queue.put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        try:
            with explained(self.path):
                while self._commit(self._batch()):
                    pass
        except StoreError as error:
            self.error = error
        finally:
            self._finish()

    def _finish(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
            self._connection.close()
        except sqlite3.Error:
            pass  # the error that led here is the one to report

    def _batch(self) -> list[Write | threading.Event | None]:
        """Wait for one item, then take all others that are there; no waiting when somebody waits for us."""
        items = [self._queue.get()]
        pause = threading.Event()
        if callable(items[0]):
            pause.wait(LINGER_SECONDS if self._queue.empty() else 0.0)
        while True:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                return items

    def _commit(self, items: list[Write | threading.Event | None]) -> bool:
        """Write a batch in one transaction; False when it held the end."""
        writes = [item for item in items if callable(item)]
        if writes:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                write(self._connection)
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes'")
            self._connection.execute("COMMIT")
        for item in items:
            if isinstance(item, threading.Event):
                item.set()
        return None not in items
