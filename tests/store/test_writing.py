"""The queue of the one writer: runs wait where the disk is slower than they are, but not for a writer that ended."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from mlpjit.errors import StoreError
from mlpjit.store import Store, StoredRun, writing
from mlpjit.store.rows import ROW_BYTES

WAIT_SECONDS = 20.0  # for what has to happen
MOMENT = 0.3  # for what must not


class SlowDisk:
    """A write that takes until `free` is set, and then fails where it is to."""

    def __init__(self, fails: bool = False) -> None:
        self.began, self.free, self.fails = threading.Event(), threading.Event(), fails

    def __call__(self, _: sqlite3.Connection) -> None:
        self.began.set()
        assert self.free.wait(WAIT_SECONDS)
        if self.fails:
            raise sqlite3.OperationalError("database or disk is full")


class Producer(threading.Thread):
    """Puts ten runs, and counts them."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self.store, self.count, self.error = store, 0, ""
        self.three = threading.Event()

    def run(self) -> None:
        try:
            for number in range(10):
                self.store.put(StoredRun({"run_id": f"{number}", "state": "done"}))
                self.count += 1
                if self.count == 3:
                    self.three.set()
        except StoreError as error:
            self.error = str(error)


def stuck(store: Store, disk: SlowDisk) -> Producer:
    """Return a producer that waits for the disk, three runs being queued."""
    assert store._writer
    store._writer.put(disk)
    assert disk.began.wait(WAIT_SECONDS)
    producer = Producer(store)
    producer.start()
    assert producer.three.wait(WAIT_SECONDS)
    producer.join(MOMENT)
    assert producer.is_alive()
    assert producer.count == 3
    return producer


@pytest.fixture(autouse=True)
def three_runs_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_BYTES", 3 * ROW_BYTES)


def test_runs_wait_for_a_slow_disk_and_all_are_stored(tmp_path: Path) -> None:
    disk = SlowDisk()
    with Store.open(tmp_path / "store.sqlite") as store:
        producer = stuck(store, disk)
        disk.free.set()
        producer.join(WAIT_SECONDS)
        assert producer.count == 10
        store.flush()
        assert len(store.known()) == 10


def test_who_waits_is_told_the_error_of_the_writer(tmp_path: Path) -> None:
    disk = SlowDisk(fails=True)
    store = Store.open(tmp_path / "store.sqlite")
    producer = stuck(store, disk)
    disk.free.set()
    producer.join(WAIT_SECONDS)
    assert not producer.is_alive()
    assert "the disk is full" in producer.error
    with pytest.raises(StoreError, match="the disk is full"):
        store.close()


def test_what_is_no_run_does_not_wait_for_room(tmp_path: Path) -> None:
    disk = SlowDisk()
    with Store.open(tmp_path / "store.sqlite") as store:
        producer = stuck(store, disk)
        store.end_session(1, 0.0, 0.0)
        disk.free.set()
        producer.join(WAIT_SECONDS)
        assert producer.count == 10


def test_closing_ends_a_wait(tmp_path: Path) -> None:
    disk = SlowDisk()
    store = Store.open(tmp_path / "store.sqlite")
    producer = stuck(store, disk)
    threading.Timer(MOMENT, disk.free.set).start()
    store.close()
    producer.join(WAIT_SECONDS)
    assert not producer.is_alive()
