"""What curves are called is kept with them: stores of older and newer records are read by name."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlpjit.errors import StoreError
from mlpjit.report.export import export
from mlpjit.store import Store, StoredRun, arrays, writing
from mlpjit.store.arrays import CURVES, LAYER_CURVES, WRITTEN_LAYOUT
from mlpjit.store.schema import FIRST_LAYOUT, SCHEMA_VERSION, Layout

# As a version would write that has a record more of each kind, in another order.
MORE: Layout = (("epoch", "step", "of_a_run", *CURVES[2:]), ("of_a_layer", *reversed(LAYER_CURVES)))


def history(seed: int, layout: Layout) -> dict[str, np.ndarray]:
    """Three evaluations of two layers."""
    random = np.random.default_rng(seed)
    curves = {name: random.random(3) for name in layout[0]} | {"epoch": np.arange(3), "step": 10 * np.arange(3)}
    return curves | {name: random.random((3, 2)).astype(np.float32) for name in layout[1]}


@contextlib.contextmanager
def records(layout: Layout) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (arrays, "CURVES", layout[0]), (arrays, "LAYER_CURVES", layout[1]), (arrays, "WRITTEN_LAYOUT", layout),
            (writing, "WRITTEN_LAYOUT", layout),
        ):  # fmt: skip
            patch.setattr(module, name, value)
        yield


def write(path: Path, seed: int, layout: Layout = WRITTEN_LAYOUT) -> None:
    with records(layout), Store.open(path) as store:
        store.put(StoredRun({"run_id": f"run {seed}", "state": "done"}, history(seed, layout)))
        store.save_plan({"name": "x"}, [("tune", ["run 0", "run 1", "run 2"])])


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A store as the first version left it: no names, no numbers of layouts."""
    path = tmp_path / "store.sqlite"
    write(path, 0, FIRST_LAYOUT)
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        for table in ("layouts", "seals", "table_seals"):
            store.execute(f"DROP TABLE {table}")
        store.execute("DELETE FROM meta WHERE key = 'schema'")
        store.execute("ALTER TABLE curves DROP COLUMN layout")
        store.execute("ALTER TABLE runs DROP COLUMN wrapper")
        store.execute("PRAGMA user_version = 1")
    return path


def version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as store:
        return int(store.execute("PRAGMA user_version").fetchone()[0])


def holds(frame: pd.DataFrame, seed: int, layout: Layout) -> None:
    """Check that a frame has what a run of that layout recorded, and NaN for all else."""
    mine, made = frame[frame["run_id"] == f"run {seed}"], history(seed, layout)
    assert len(mine)
    for name in frame.columns.drop(["run_id", "epoch", "layer"], errors="ignore"):
        expected = made[name].ravel() if name in made else np.full(len(mine), np.nan)
        np.testing.assert_array_equal(mine[name].to_numpy(), expected, err_msg=name)


def test_rows_of_several_layouts_are_read_by_name(tmp_path: Path) -> None:
    """A run as now, one with more records in another order, and again one as now."""
    path, layouts = tmp_path / "store.sqlite", (WRITTEN_LAYOUT, MORE, WRITTEN_LAYOUT)
    for seed, layout in enumerate(layouts):
        write(path, seed, layout)
    names = ["run 2", "run 1", "run 0"]
    with Store.open(path, readonly=True) as store:
        curves, layers = store.curves(names), store.layers(names)
    assert list(curves) == ["run_id", *CURVES, "of_a_run"]
    assert list(layers) == ["run_id", "epoch", "layer", *LAYER_CURVES, "of_a_layer"]
    assert curves["run_id"].unique().tolist() == layers["run_id"].unique().tolist() == names
    for seed, layout in enumerate(layouts):
        holds(curves, seed, layout)
        holds(layers, seed, layout)


def test_records_are_asked_for_by_name(tmp_path: Path) -> None:
    for seed, layout in enumerate((WRITTEN_LAYOUT, MORE)):
        write(tmp_path / "store.sqlite", seed, layout)
    with Store.open(tmp_path, readonly=True) as store:
        asked = store.layers(["run 0", "run 1"], ["of_a_layer", "weight_norm"], epoch=1)
        of_a_layer = np.concatenate([[np.nan, np.nan], history(1, MORE)["of_a_layer"][1]])
        np.testing.assert_array_equal(asked["of_a_layer"], of_a_layer)
        with pytest.raises(ValueError, match="unknown record 'of_a_later': did you mean 'of_a_layer'"):
            store.layers(["run 0"], ["of_a_later"])


def test_exported_curves_have_every_name_of_the_store(tmp_path: Path) -> None:
    for seed, layout in enumerate((WRITTEN_LAYOUT, MORE)):
        write(tmp_path / "store.sqlite", seed, layout)
    with export(tmp_path)[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["run_id", *CURVES, "of_a_run"]
    assert [row["of_a_run"] for row in rows] == ["nan"] * 3 + [repr(x) for x in history(1, MORE)["of_a_run"].tolist()]


def test_a_layout_is_kept_once(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / "store.sqlite", seed)
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as store:
        assert store.execute("SELECT count(*) FROM layouts").fetchone() == (1,)


def test_a_store_of_the_first_version_is_read_as_it_is(first: Path) -> None:
    before = first.read_bytes()
    with Store.open(first, readonly=True) as store:
        holds(store.curves(["run 0"]), 0, FIRST_LAYOUT)
        holds(store.layers(["run 0"]), 0, FIRST_LAYOUT)
    assert first.read_bytes() == before


def test_a_store_of_the_first_version_is_taken_over_when_it_is_written(first: Path) -> None:
    """It keeps what it held, beside runs with records that the first version did not know."""
    reader = Store.open(first, readonly=True)
    holds(reader.layers(["run 0"]), 0, FIRST_LAYOUT)  # it has seen the old tables
    write(first, 1, MORE)
    assert version(first) == SCHEMA_VERSION
    for store in (reader, Store.open(first, readonly=True)):
        with store:
            layers = store.layers(["run 0", "run 1"])
        holds(layers, 0, FIRST_LAYOUT)
        holds(layers, 1, MORE)


def test_a_take_over_that_fails_changes_nothing(first: Path) -> None:
    with contextlib.closing(sqlite3.connect(first)) as store, store:
        store.execute("CREATE TABLE layouts (in_the_way)")
    with pytest.raises(StoreError, match="layouts already exists"):
        Store.open(first)
    assert version(first) == 1
    with Store.open(first, readonly=True) as store:
        holds(store.layers(["run 0"]), 0, FIRST_LAYOUT)
    assert [path.name for path in first.parent.iterdir()] == ["store.sqlite"]


def test_a_wrapper_of_an_older_store_gets_a_column_of_its_own(first: Path) -> None:
    """Until version 2 the column of the optimizer held both."""
    config = {"optimizer": {"name": "adam", "b1": 0.8}, "wrapper": {"name": "lookahead", "k": 5, "alpha": 0.25}}
    written = json.dumps(config, separators=(",", ":"))
    with contextlib.closing(sqlite3.connect(first)) as store, store:
        store.execute("UPDATE runs SET optimizer = 'lookahead[alpha=0.25](adam(b1=0.8))', config = ?", (written,))
    with Store.open(first):
        pass
    with Store.open(first, readonly=True) as store:
        assert list(store.rows(("optimizer", "wrapper"))) == [("adam(b1=0.8)", "lookahead(alpha=0.25)")]
