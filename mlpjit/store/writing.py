"""One thread writes. It takes whatever is queued, commits it in one transaction, and goes on."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlpjit.errors import StoreError
from mlpjit.store.arrays import WRITTEN_LAYOUT
from mlpjit.store.folding import end_account, fold, identities
from mlpjit.store.lock import WriterLock
from mlpjit.store.made import Account
from mlpjit.store.opening import connect_to_write, explained
from mlpjit.store.schema import layout_number, name_of
from mlpjit.store.seals import TABLES, seal_tables

Write = Callable[[sqlite3.Connection], object]
Made = Sequence[tuple[str, bytes]]
MOST_BYTES = 16 * 2**20  # of rows that are not committed: where the disk is slower than the runs, these wait
LINGER_SECONDS = 0.05  # a disk's flush costs milliseconds: runs that end close together share one


class Queued(NamedTuple):
    """A write, the tables beside runs that it changes, (run id, seal) of the runs that it stores, their bytes."""

    write: Write
    touched: Sequence[str]
    made: Made
    size: int


class Writer:
    """Owns the only connection that writes. The first error stops it; every later call raises that error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: StoreError | None = None
        self.committed = 0  # how many of the writes, in the order in which they were queued
        self._queued = 0
        self._waiting_bytes = 0
        self._order = threading.Condition()
        self._queue: queue.SimpleQueue[Queued | threading.Event | None] = queue.SimpleQueue()
        self._lock = WriterLock(path)
        _make_folder(path.parent)
        self._lock.acquire()
        try:
            self._connection = connect_to_write(path)
            with explained(path):
                self.layout = _layout(self._connection)
                self._files = identities(path)
                self._account = Account(path, name_of(self._connection))
        except BaseException:
            self._lock.release()
            raise
        self._thread = threading.Thread(target=self._work, name="store writer", daemon=True)
        self._thread.start()

    def put(self, write: Write, touched: Sequence[str] = TABLES, made: Made = (), size: int = 0) -> int:
        """Queue a write; returns how many have been queued, this one included.

        `touched` are the tables beside runs that it changes, `made` (run id, seal) of the runs that it stores. One of
        a `size` in bytes waits while MOST_BYTES lie here that are not committed; one without is queued at once.
        """
        with self._order:
            while size and self._waiting_bytes >= MOST_BYTES and self._thread.is_alive():
                self._order.wait(0.05)
            self._raise()
            self._queue.put(Queued(write, touched, made, size))
            self._waiting_bytes += size
            self._queued += 1
            return self._queued

    def flush(self) -> None:
        """Wait until everything queued before is committed."""
        done = threading.Event()
        self._queue.put(done)
        while not done.wait(0.05) and self._thread.is_alive():
            pass
        self._raise()

    def close(self) -> None:
        """Commit what is queued, end the thread and free the lock. The log is folded into the file."""
        self._queue.put(None)
        self._thread.join()
        self._lock.release()
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
        except Exception as error:  # of ours: what was queued is lost, which nobody may overlook
            self.error = StoreError(f"{self.path}: cannot be written: {type(error).__name__}: {error}")
        finally:
            self._finish()

    def _finish(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
            if self.error is None:
                self._check_files()
            fold(self._connection)
            self._connection.close()
            if self.error is None:
                end_account(self.path)
        except sqlite3.Error:
            pass  # the error that led here is the one to report
        except StoreError as error:
            self.error = self.error or error
        finally:
            self._account.close()

    def _check_files(self) -> None:
        """Raise StoreError where the path or its log does not name any more what is written here."""
        if (now := identities(self.path)) != self._files:
            what = "" if now[0] != self._files[0] else "its log "
            raise StoreError(
                f"{self.path}: {what}was deleted or replaced while it was written: run the same command again"
            )

    def _batch(self) -> list[Queued | threading.Event | None]:
        """Wait for one item, then take all others that are there; no waiting when somebody waits for us."""
        items = [self._queue.get()]
        pause = threading.Event()
        if isinstance(items[0], Queued):
            pause.wait(LINGER_SECONDS if self._queue.empty() else 0.0)
        while True:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                return items

    def _commit(self, items: list[Queued | threading.Event | None]) -> bool:
        """Write a batch in one transaction; False when it held the end."""
        if writes := [item for item in items if isinstance(item, Queued)]:
            self._connection.execute("BEGIN IMMEDIATE")
            for queued in writes:
                queued.write(self._connection)
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes'")
            seal_tables(self._connection, {"meta", *(name for queued in writes for name in queued.touched)})
            self._connection.execute("COMMIT")
            if made := [pair for queued in writes for pair in queued.made]:
                self._account.add(made)
            self._check_files()
            self.committed += len(writes)
            with self._order:
                self._waiting_bytes -= sum(queued.size for queued in writes)
                self._order.notify_all()
        for item in items:
            if isinstance(item, threading.Event):
                item.set()
        return None not in items


def _layout(connection: sqlite3.Connection) -> int:
    """Return the number of what is written now, a new one unless the store knows it."""
    connection.execute("BEGIN IMMEDIATE")
    number = layout_number(connection, WRITTEN_LAYOUT)
    seal_tables(connection, ["layouts"])
    connection.execute("COMMIT")
    return number


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot make this folder: {error.strerror}") from error
