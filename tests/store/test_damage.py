"""A store that was damaged shows no wrong number, tells what it lost, and is mended by who writes it next."""

from __future__ import annotations

import os
import shutil
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pytest

from mlpjit.errors import DamageWarning, StoreError
from mlpjit.store import Store, StoredRun

RUNS = [f"run {number:02}" for number in range(40)]


def stored(number: int) -> StoredRun:
    losses = np.arange(4) + number + 0.5
    values = {"run_id": RUNS[number], "state": "done", "learning_rate": 0.1, "test_loss": float("nan"), "shuffle": True}
    return StoredRun({**values, "depth": number}, {"epoch": np.arange(4), "validation_loss": losses})


def write(path: Path, numbers: range) -> None:
    with Store.open(path) as store:
        for number in numbers:
            store.put(stored(number))
        store.save_plan({"name": "x"}, [("tune", RUNS)])
        store.put_note("tries", ["a note"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "store.sqlite", range(40))
    return tmp_path / "store.sqlite"


def shown(path: Path) -> dict[str, tuple[int, list[float]]]:
    with Store.open(path, readonly=True) as store:
        depths = dict(store.rows(("run_id", "depth")))
        curves = {run_id: curve[:, 3].tolist() for run_id, curve in store.curve_arrays(RUNS)}
        assert depths.keys() == curves.keys() or not depths
    return {run_id: (depth, curves[run_id]) for run_id, depth in depths.items()}


def right(number: int) -> tuple[int, list[float]]:
    return number, [number + 0.5, number + 1.5, number + 2.5, number + 3.5]


def edit(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_sound_store_is_sound(path: Path) -> None:
    assert shown(path) == {run_id: right(number) for number, run_id in enumerate(RUNS)}


DAMAGES = {
    "a value": "UPDATE runs SET depth = 3 WHERE run_id = 'run 07'",
    "a text": "UPDATE runs SET state = 'dome' WHERE run_id = 'run 07'",
    "a curve": "UPDATE curves SET curve = zeroblob(length(curve)) WHERE run_id = 'run 07'",
    "a layer curve": "UPDATE curves SET layer_curve = x'00' WHERE run_id = 'run 07'",
    "a seal": "UPDATE seals SET seal = zeroblob(8) WHERE run_id = 'run 07'",
    "no row": "DELETE FROM runs WHERE run_id = 'run 07'",
    "no curve": "DELETE FROM curves WHERE run_id = 'run 07'",
    "no seal": "DELETE FROM seals WHERE run_id = 'run 07'",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_counts_as_not_made_and_is_told(path: Path, damage: str) -> None:
    edit(path, DAMAGES[damage])
    with pytest.warns(DamageWarning, match="1 of 40 runs count as not made"):
        found = shown(path)
    assert found == {run_id: right(number) for number, run_id in enumerate(RUNS) if number != 7}


@pytest.mark.parametrize("table", ["plan", "meta", "sessions", "timing", "layouts"])
def test_a_damaged_table_is_told(path: Path, table: str) -> None:
    edit(path, f"UPDATE table_seals SET seal = zeroblob(8) WHERE name = '{table}'")
    with pytest.warns(DamageWarning, match=table), Store.open(path, readonly=True) as store:
        assert set(store.known()) == (set() if table == "layouts" else set(RUNS))


def test_who_writes_next_mends_it_and_keeps_it_as_it_was(path: Path) -> None:
    edit(path, DAMAGES["a value"])
    before = path.read_bytes()
    with pytest.warns(DamageWarning, match="1 of 40 runs"):
        write(path, range(7, 8))
    assert len(shown(path)) == 40
    assert path.with_name("store.damaged-1.sqlite").read_bytes() == before


def test_one_who_reads_first_and_writes_then_sees_what_is_written(path: Path) -> None:
    edit(path, DAMAGES["a value"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Store.open(path, readonly=True) as store:
            store.start_writing()
            store.put(stored(7))
            store.flush()
            assert len(store.known()) == 40


@pytest.mark.parametrize("keep", [0, 0.5])
def test_a_log_that_was_cut_is_told(path: Path, tmp_path: Path, keep: float) -> None:
    elsewhere = tmp_path / "copy" / "store.sqlite"
    elsewhere.parent.mkdir()
    with Store.open(path) as store:
        for number in range(40):
            store.put(StoredRun({"run_id": f"new {number}", "state": "done"}))
            store.flush()
        for extra in ("", "-wal", "-made"):
            shutil.copyfile(f"{path}{extra}", f"{elsewhere}{extra}")
    log = elsewhere.with_name("store.sqlite-wal")
    os.truncate(log, int(log.stat().st_size * keep))
    with pytest.warns(DamageWarning, match="its log was cut"), Store.open(elsewhere, readonly=True) as store:
        found = store.known()
    assert len(found) < 80
    with pytest.warns(DamageWarning, match=f"{80 - len(found)} runs that were stored"):
        Store.open(elsewhere).close()


@pytest.mark.parametrize("extra", ["", "-wal"])
def test_a_file_that_is_deleted_while_it_is_written_is_an_error(path: Path, extra: str) -> None:
    store = Store.open(path)
    store.put(stored(1))
    store.flush()
    path.with_name(f"store.sqlite{extra}").unlink()
    store.put(stored(2))
    with pytest.raises(StoreError, match="was deleted or replaced while it was written"):
        store.flush()
    with pytest.raises(StoreError, match="was deleted or replaced"):
        store.close()


def test_a_file_that_is_replaced_while_it_is_written_is_an_error(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    store = Store.open(path)
    os.replace(copy, path)
    store.put(stored(1))
    with pytest.raises(StoreError, match="was deleted or replaced while it was written"):
        store.flush()
    with pytest.raises(StoreError, match="was deleted or replaced"):
        store.close()


def test_a_copy_without_the_log_is_read_and_told(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "store.sqlite"
    copy.parent.mkdir()
    with Store.open(path) as store:
        store.put(StoredRun({"run_id": "new", "state": "done"}))
        store.flush()
        shutil.copyfile(path, copy)
    with pytest.warns(DamageWarning, match="its log is missing"):
        assert len(shown(copy)) == 40
    assert len(shown(path)) == 40


def test_values_are_sealed_as_sqlite_gives_them_back(tmp_path: Path) -> None:
    values = {
        "learning_rate": -0.0, "l1": float("inf"), "l2": np.float64(0.1), "shuffle": False, "seed": 2**62,
        "test_loss": float("nan"), "error": "nul \0 and \u2207", "best_test_loss": 5e-324, "epochs": True,
    }  # fmt: skip
    with Store.open(tmp_path) as store:
        store.put(StoredRun({"run_id": "x", "state": "done", **values}))
        store.save_plan({"name": "x"}, [("tune", ["x"])])
    with Store.open(tmp_path, readonly=True) as store:
        assert list(store.rows(("seed", "error"))) == [(2**62, "nul \0 and \u2207")]
