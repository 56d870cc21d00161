"""A store that nobody writes is one file: after whatever end, beside whatever readers, made by whichever process."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpjit.errors import DamageWarning, StoreError
from mlpjit.store import Store, StoredRun, opening
from mlpjit.store.lock import WriterLock

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


def put(store: Store, *names: str) -> None:
    for name in names:
        store.put(StoredRun({"run_id": name, "state": "done"}, {"epoch": [0, 1]}))
    store.flush()


def held(path: Path) -> set[str]:
    with Store.open(path, readonly=True) as store:
        return set(store.known())


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs `code` with the store's names at hand, and answers line by line."""
    head = "import os, signal, sys, time\nfrom pathlib import Path\nfrom mlpjit.store import Store, StoredRun\n"
    command = [sys.executable, "-c", head + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "store.sqlite") as store:
        put(store, "first")
    return tmp_path / "store.sqlite"


def test_a_store_is_one_file_after_writing_and_after_reading(path: Path) -> None:
    assert beside(path.parent) == ["store.sqlite"]
    assert held(path) == {"first"}
    assert beside(path.parent) == ["store.sqlite"]


def test_a_copy_of_the_file_is_complete(path: Path) -> None:
    copy = path.parent / "copy.sqlite"
    with Store.open(path) as store:
        put(store, "second")
    shutil.copyfile(path, copy)
    path.unlink()
    assert held(copy) == {"first", "second"}


def test_a_store_whose_writer_failed_is_one_file(path: Path) -> None:
    store = Store.open(path)
    store._writing().put(lambda connection: connection.execute("nonsense"))
    with pytest.raises(StoreError, match="nonsense"):
        store.close()
    assert beside(path.parent) == ["store.sqlite"]


def test_one_who_reads_while_another_writes_sees_every_commit_and_leaves_nothing(path: Path) -> None:
    with Store.open(path) as store:
        put(store, "second")
        with Store.open(path, readonly=True) as reader:
            assert set(reader.known()) == {"first", "second"}
            put(store, "third")
            assert set(reader.known()) == {"first", "second", "third"}
        assert "store.lock" in beside(path.parent)
    assert beside(path.parent) == ["store.sqlite"]


def test_one_who_reads_longer_than_the_writer_writes_folds_the_log(path: Path) -> None:
    before = Store.open(path, readonly=True)
    with Store.open(path) as store:
        put(store, "second")
        during = Store.open(path, readonly=True)
    for reader in (before, during):
        assert set(reader.known()) == {"first", "second"}
    before.close()
    during.close()
    assert beside(path.parent) == ["store.sqlite"]


def test_many_readers_that_close_together_leave_one_file(path: Path) -> None:
    for _ in range(5):
        with Store.open(path) as store:
            put(store, "second")
            readers = [Store.open(path, readonly=True) for _ in range(8)]
            assert all(len(reader.known()) == 2 for reader in readers)
        threads = [threading.Thread(target=reader.close) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert beside(path.parent) == ["store.sqlite"]


KILLED = """
store = Store.open(Path(sys.argv[1]))
store.put(StoredRun({"run_id": "second", "state": "done"}))
store.flush()
print("stored", flush=True)
time.sleep(60)
"""


@pytest.fixture
def killed(path: Path) -> Path:
    """A store whose writer was killed: its log, its index and its lock lie beside it."""
    process = child(KILLED, path)
    assert process.stdout
    assert process.stdout.readline() == "stored\n"
    process.kill()
    process.communicate()
    assert beside(path.parent) == [
        "store.lock",
        "store.sqlite",
        "store.sqlite-made",
        "store.sqlite-shm",
        "store.sqlite-wal",
    ]
    return path


@posix
def test_one_who_reads_what_a_killed_writer_left_finds_all_of_it_and_puts_it_away(killed: Path) -> None:
    assert held(killed) == {"first", "second"}
    assert beside(killed.parent) == ["store.sqlite"]


@posix
def test_one_who_writes_after_a_killed_writer_goes_on(killed: Path) -> None:
    with Store.open(killed) as store:
        put(store, "third")
    assert beside(killed.parent) == ["store.sqlite"]
    assert held(killed) == {"first", "second", "third"}


@posix
def test_a_journal_left_in_the_middle_is_rolled_back_by_a_reader(path: Path) -> None:
    """Killed while the file goes over to keeping a log: what lies beside it then is a journal to roll back."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN IMMEDIATE")
    for number in range(2000):
        connection.execute("INSERT INTO meta VALUES (?, ?)", (f"junk {number}", "x" * 500))
    whole = path.with_name("elsewhere")
    whole.mkdir()
    for name in ("store.sqlite", "store.sqlite-journal"):  # as a kill at this moment would leave them
        shutil.copyfile(path.with_name(name), whole / name)
    connection.close()
    with Store.open(whole / "store.sqlite", readonly=True) as store:
        assert store._meta("junk 0") is None
        assert set(store.known()) == {"first"}
        assert store.check() is None
    assert beside(whole) == ["store.sqlite"]


def test_a_journal_that_holds_nothing_goes_too(path: Path) -> None:
    path.with_name("store.sqlite-journal").touch()
    assert held(path) == {"first"}
    assert beside(path.parent) == ["store.sqlite"]


UNPRIVILEGED = """
os.setuid(65534)
with Store.open(Path(sys.argv[1]), readonly=True) as store:
    print(*sorted(store.known()), flush=True)
"""


@posix
@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="only root can become one who may not write here")
@pytest.mark.parametrize("state", ["path", "killed"])
def test_one_who_may_not_write_here_reads_all_the_same(state: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(state)
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        shutil.copytree(path.parent, folder, dirs_exist_ok=True)
        os.chmod(folder, 0o555)
        before = beside(Path(folder))
        answer, _ = child(UNPRIVILEGED, Path(folder) / path.name).communicate(timeout=60)
        assert beside(Path(folder)) == before
    assert answer.split() == (["first"] if state == "path" else ["first", "second"])


RACER = """
path, name, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
from mlpjit.errors import DamageWarning, StoreError
done = 0
while done < times:
    try:
        with Store.open(path) as store:
            store.put(StoredRun({"run_id": f"{name} {done}", "state": "done"}))
        done += 1
    except StoreError as error:
        assert "is running this study" in str(error), error
"""


def racing(path: Path, times: int) -> list[subprocess.Popen[str]]:
    """Processes that write a store in turns as fast as they can, from the same moment on."""
    processes = [child(RACER, path, name, times) for name in ("a", "b", "c")]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def test_processes_that_race_for_a_new_store_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    processes = racing(path, 12)
    while any(process.poll() is None for process in processes):  # and one reads all the while
        if found := Store.find(path):
            with found as store:
                assert store.check() is None
    assert [process.wait() for process in processes] == [0, 0, 0]
    for process in processes:
        process.communicate()
    assert held(path) == {f"{name} {number}" for name in "abc" for number in range(12)}
    assert beside(path.parent) == ["store.sqlite"]


@posix
def test_one_of_the_racers_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    processes = racing(path, 15)
    time.sleep(0.3)
    processes[0].kill()
    assert [process.wait() for process in processes[1:]] == [0, 0]
    for process in processes:
        process.communicate()
    assert {f"{name} {number}" for name in "bc" for number in range(15)} <= held(path)
    assert beside(path.parent) == ["store.sqlite"]


STEPS = ["before", "made", "renamed"]
DIES = """
from mlpjit.store import opening
path, step = Path(sys.argv[1]), sys.argv[2]
real = {"create": opening.create, "replace": os.replace}
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "before":
    opening.create = die
elif step == "made":
    os.replace = die
else:
    opening.take_over = die
Store.open(path)
"""


@posix
@pytest.mark.parametrize("step", STEPS)
def test_a_store_killed_while_it_is_made_is_made_by_the_next(tmp_path: Path, step: str) -> None:
    path = tmp_path / "store.sqlite"
    process = child(DIES, path, step)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    found = Store.find(path)
    assert (found is None) == (step != "renamed")
    if found:
        found.close()
    with Store.open(path) as store:
        put(store, "first")
    assert beside(tmp_path) == ["store.sqlite"]
    assert held(path) == {"first"}


def only_a_header(path: Path) -> None:
    """What a store killed at its first step was, before it was made beside its place."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


@pytest.mark.parametrize("begin", [lambda path: path.touch(), only_a_header], ids=["0 bytes", "a header"])
def test_a_file_that_holds_nothing_is_no_store_yet(tmp_path: Path, begin: object) -> None:
    path = tmp_path / "store.sqlite"
    begin(path)  # type: ignore[operator]
    assert Store.find(path) is None
    with pytest.raises(StoreError, match="there is no store here"):
        Store.open(path, readonly=True)
    with pytest.warns(DamageWarning, match="held nothing"), Store.open(path) as store:
        put(store, "first")
    assert held(path) == {"first"}
    assert beside(tmp_path) == ["store.sqlite"]


@posix
def test_a_file_that_was_cut_to_nothing_while_it_was_written_is_damaged(killed: Path) -> None:
    os.truncate(killed, 0)
    with pytest.warns(DamageWarning, match="is damaged: 1 of 1 runs count as not made"):
        assert held(killed) == set()


@posix
def test_the_log_of_a_store_that_was_deleted_is_not_read_into_a_new_one(killed: Path) -> None:
    killed.unlink()
    with pytest.warns(DamageWarning, match="gone with 1 run that was stored"), Store.open(killed) as store:
        put(store, "other")
    assert held(killed) == {"other"}
    assert beside(killed.parent) == ["store.sqlite"]


def test_a_store_that_is_deleted_while_it_is_written_is_told_and_made_again(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    put(store, "first")
    (tmp_path / "store.sqlite").unlink()
    with pytest.raises(StoreError, match="was deleted or replaced while it was written"):
        store.close()
    with pytest.warns(DamageWarning, match="gone with 1 run that was stored"), Store.open(tmp_path) as store:
        put(store, "second")
    assert held(tmp_path) == {"second"}
    assert beside(tmp_path) == ["store.sqlite"]


def test_a_full_disk_at_the_first_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")

    monkeypatch.setattr(opening, "create", full)
    with pytest.raises(StoreError, match="the disk is full"):
        Store.open(tmp_path / "store.sqlite")
    assert beside(tmp_path) == []


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[WriterLock]:
    lock = WriterLock(tmp_path / "store.sqlite")
    yield lock
    lock.release()


def test_a_lock_whose_file_was_replaced_is_not_held(lock: WriterLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last holder removes the file between our opening it and our locking it: the path names another by then."""
    real, removed = os.open, []

    def slow(path: Path, flags: int, mode: int) -> int:
        descriptor = real(path, flags, mode)
        if not removed:
            removed.append(True)
            os.unlink(path)
        return descriptor

    monkeypatch.setattr(os, "open", slow)
    lock.acquire()
    assert lock.path.exists()
    other = WriterLock(lock.path)
    with pytest.raises(StoreError, match=f"process {os.getpid()} is running this study"):
        other.acquire()


def test_one_who_folds_a_log_is_waited_for(lock: WriterLock) -> None:
    assert lock.acquire_unless_writing()
    threading.Timer(0.2, lock.release).start()
    other = WriterLock(lock.path)
    other.acquire()
    assert not lock.acquire_unless_writing()
    other.release()
    assert not lock.path.exists()


def test_the_name_of_one_who_was_killed_is_not_believed_at_once(
    lock: WriterLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has just taken a lock that a killed process left has not removed its name yet."""
    real, tried = WriterLock._take, []

    def late(self: WriterLock, name: str) -> bool:
        tried.append(True)
        self._holder = "123"
        return len(tried) > 1 and real(self, name)

    monkeypatch.setattr(WriterLock, "_take", late)
    lock.acquire()
    assert len(tried) == 2


def test_a_folder_in_the_place_of_the_account_keeps_nobody_from_reading(path: Path) -> None:
    path.with_name("store.sqlite-made").mkdir()
    assert held(path) == {"first"}
    with pytest.raises(StoreError, match="cannot be opened: Is a directory"):
        Store.open(path)
    path.with_name("store.sqlite-made").rmdir()
    with Store.open(path) as store:
        put(store, "second")
    assert held(path) == {"first", "second"}
