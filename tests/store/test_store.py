"""The store: what goes in comes out, errors are one clear line, and nothing that was committed is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fakes import fake_result, results

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import StoreError
from mlpjit.store import RowError, Session, Store, StoredRun
from mlpjit.store.arrays import CURVES, LAYER_CURVES
from mlpjit.store.schema import FIRST_VERSION, SCHEMA_VERSION
from mlpjit.store.writing import Writer
from mlpjit.study.chunks import Task
from mlpjit.study.pool import Ended
from mlpjit.study.stored_row import stored_rows


def filled(path: Path, configs: list[RunConfig]) -> None:
    with Store.open(path) as store:
        session = store.start_session(Session({"host_cpu": "a CPU", "host_threads": 2}, "today"))
        store.save_plan({"name": "x"}, [("tune", [config.run_id for config in configs])])
        for config in configs:
            ended = Ended([Task(0, config, 1.0, 0)], ["then"], ["now"], results([fake_result(config)]))
            store.put_all(stored_rows(ended, [config.run_id], session))


CONFIGS = [RunConfig(depth=depth, width=4, epochs=3, seed=seed) for depth in (3, 1) for seed in (0, 2**62)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    filled(tmp_path / "store.sqlite", CONFIGS)
    return tmp_path / "store.sqlite"


def test_frame_holds_every_factor_and_metric(path: Path) -> None:
    with Store.open(path, readonly=True) as store:
        frame = store.frame()
    assert frame["run_id"].tolist() == [config.run_id for config in CONFIGS]
    for name, column in {name: [c.factors()[name] for c in CONFIGS] for name in CONFIGS[0].factors()}.items():
        assert frame[name].tolist() == column
    expected = [fake_result(config).metrics["final_validation_loss"] for config in CONFIGS]
    assert frame["final_validation_loss"].tolist() == expected
    assert frame["host_cpu"].tolist() == ["a CPU"] * 4
    assert frame["seed"].dtype == np.int64


def test_curves_come_back_bit_for_bit_in_the_order_asked(path: Path) -> None:
    wanted = [CONFIGS[2], CONFIGS[0]]
    with Store.open(path, readonly=True) as store:
        curves = store.curves([config.run_id for config in wanted])
    for config in wanted:
        mine = curves[curves["run_id"] == config.run_id]
        for name in CURVES:
            assert mine[name].tolist() == fake_result(config).history[name].tolist()
    assert curves["run_id"].iloc[0] == CONFIGS[2].run_id


@pytest.mark.parametrize("epoch", [None, 2])
def test_layers_come_back_at_their_place(path: Path, epoch: int | None) -> None:
    with Store.open(path, readonly=True) as store:
        layers = store.layers([config.run_id for config in CONFIGS], ["update_ratio"], epoch)
    assert list(layers) == ["run_id", "epoch", "layer", "update_ratio"]
    for config in CONFIGS:
        mine = layers[layers["run_id"] == config.run_id]
        rows = range(config.epochs + 1) if epoch is None else [epoch]
        expected = fake_result(config).history["update_ratio"][list(rows)].astype(np.float32)
        assert mine["update_ratio"].to_numpy().reshape(len(list(rows)), -1).tolist() == expected.tolist()
        assert mine["layer"].tolist() == [*range(1, config.depth + 2)] * len(list(rows))


def test_all_layer_curves_are_read_without_names(path: Path) -> None:
    with Store.open(path, readonly=True) as store:
        assert list(store.layers([CONFIGS[0].run_id])) == ["run_id", "epoch", "layer", *LAYER_CURVES]
        assert len(store.layers([])) == len(store.curves([])) == 0


def test_only_planned_runs_are_reported(path: Path) -> None:
    with Store.open(path) as store:
        store.save_plan({"name": "x"}, [("tune", [CONFIGS[1].run_id, "not made yet"])])
        assert [row[0] for row in store.rows(("run_id",))] == [CONFIGS[1].run_id]
        assert len(store.known()) == 4
        assert store.frame()["run_id"].tolist() == [CONFIGS[1].run_id]


def test_an_empty_store_has_empty_tables(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.sqlite") as store:
        assert len(store.frame()) == len(store.timing()) == 0
        assert store.study() == {}


def test_content_version_changes_with_content_only(path: Path) -> None:
    with Store.open(path, readonly=True) as store:
        before = store.content_version()
    with Store.open(path):
        pass
    with Store.open(path) as store:
        assert store.content_version() == before
        store.save_plan({"name": "y"}, [])
        assert store.content_version() != before


def test_a_store_passes_its_check(path: Path) -> None:
    with Store.open(path, readonly=True) as store:
        assert store.check() is None


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 2048] = b"\xff" * 2048
    path.write_bytes(bytes(data))


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute(f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema'")
    connection.close()


def older(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FIRST_VERSION - 1}")
        connection.execute("DELETE FROM meta WHERE key = 'schema'")
    connection.close()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


BROKEN = {
    f"newer mlpjit \\(schema {SCHEMA_VERSION + 1}": newer,
    f"older mlpjit \\(schema {FIRST_VERSION - 1}": older,
    "this SQLite file is not a mlpjit store": foreign,
    "this file is not a mlpjit store": lambda path: path.write_text("a text, not a database" * 100),
    "there is no store here": lambda path: path.unlink(),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_cannot_be_read_is_said_in_one_line(path: Path, message: str) -> None:
    BROKEN[message](path)
    with pytest.raises(StoreError, match=message) as raised:
        read_all(path)
    assert "\n" not in str(raised.value)


def read_all(path: Path) -> None:
    with Store.open(path, readonly=True) as store:
        store.frame()
        store.curves([config.run_id for config in CONFIGS])


def test_a_full_disk_is_said_and_what_was_committed_stays(path: Path) -> None:
    store = Store.open(path)
    store._writer._connection.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]
    store.put(StoredRun({"run_id": "large", "state": "done"}, {"epoch": np.arange(10**5)}))
    with pytest.raises(StoreError, match="the disk is full"):
        store.flush()
    with pytest.raises(StoreError, match="the disk is full"):
        store.put(StoredRun({"run_id": "next", "state": "done"}))
    with pytest.raises(StoreError, match="the disk is full"):
        store.close()
    with Store.open(path, readonly=True) as again:
        assert set(again.known()) == {config.run_id for config in CONFIGS}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make this folder"):
        Store.open(tmp_path / "file" / "below" / "store.sqlite")


def test_reading_needs_no_permission_to_write(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        read_all(path)
    finally:
        path.parent.chmod(0o755)


def test_a_reader_may_not_write(path: Path) -> None:
    with Store.open(path, readonly=True) as store, pytest.raises(StoreError, match="opened for reading only"):
        store.put(StoredRun({"run_id": "x"}))


def test_a_second_writer_is_told_who_is_writing(path: Path) -> None:
    with Store.open(path), pytest.raises(StoreError, match=f"process {os.getpid()} is running this study"):
        Store.open(path)
    Store.open(path).close()


def test_a_damaged_store_frees_its_lock(path: Path) -> None:
    path.write_text("no store" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a mlpjit store"):
            Store.open(path)


def test_many_threads_may_read_at_once(path: Path) -> None:
    """A read of many rows is of one state of the store: one connection has one transaction."""
    with Store.open(path, readonly=True) as store, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda at: len(store.frame()), range(200)))
    assert set(found) == {len(CONFIGS)}


def test_many_threads_may_put_at_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.sqlite") as store:

        def put(first: int) -> None:
            for number in range(50):
                store.put(StoredRun({"run_id": f"{first}-{number}", "state": "done"}))

        threads = [threading.Thread(target=put, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.flush()
        assert len(store.known()) == 400


ENDLESS = """
import sys
from pathlib import Path
from mlpjit.store import Store, StoredRun
store = Store.open(Path(sys.argv[1]))
for number in range(10**9):
    store.put(StoredRun({"run_id": f"{number:09}", "state": "done"}, {"epoch": range(50)}))
    if number % 20 == 19:
        store.flush()
        print(number, flush=True)
"""


def test_what_was_committed_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Store.open(path) as store:
        assert {f"{number:09}" for number in range(told + 1)} <= set(store.known())
        assert store.check() is None


def test_the_writer_reports_a_failed_write_to_every_later_call(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.sqlite")
    writer.put(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        writer.flush()
    with pytest.raises(StoreError, match="no such table: nowhere"):
        writer.close()


def test_an_error_of_any_kind_in_the_writer_is_an_error_of_the_store(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.sqlite")
    writer.put(lambda connection: connection.execute("INSERT INTO meta VALUES ('x', ?)", (2**63,)))
    with pytest.raises(StoreError, match="cannot be written: OverflowError"):
        writer.flush()
    with pytest.raises(StoreError, match="cannot be written: OverflowError"):
        writer.put(lambda connection: None)
    with pytest.raises(StoreError, match="cannot be written: OverflowError"):
        writer.close()


REFUSED = [
    (StoredRun({"run_id": "x", "batch_size": 10**19}), "batch_size: 10000000000000000000 cannot be stored"),
    (StoredRun({"run_id": "x", "steps": np.int64(3)}), "steps: .*3.* cannot be stored"),
    (StoredRun({"run_id": "x", "error": "\udcff"}), r"error: '.udcff' cannot be stored"),
    (StoredRun({"run_id": "x", "lerning_rate": 1.0}), "unknown column 'lerning_rate': did you mean 'learning_rate'"),
    (
        StoredRun({"run_id": "x"}, {"gradient_nom": [[1.0]]}),
        "unknown record 'gradient_nom': did you mean",
    ),
    (StoredRun({"run_id": "x"}, {"epoch": [0, 1], "step": [0, 1, 2]}), "history: could not broadcast"),
    (StoredRun({"run_id": "x"}, {"epoch": [0, 1], "weight_norm": [1.0, 2.0]}), "record 'weight_norm' is of layers"),
]


@pytest.mark.parametrize(("run", "message"), REFUSED)
def test_a_row_that_cannot_be_stored_is_refused_alone(tmp_path: Path, run: StoredRun, message: str) -> None:
    with Store.open(tmp_path) as store:
        store.put(StoredRun({"run_id": "before"}))
        with pytest.raises(RowError, match=message):
            store.put(run)
        store.put(StoredRun({"run_id": "after"}))
        store.flush()
        assert set(store.known()) == {"before", "after"}
