"""`mlpjit doctor`: lists stay lists in JSON, and what is empty says so in the table."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.cli.doctor import flat
from mlpjit.measure import doctor
from mlpjit.store import Store, StoredRun


def test_no_warnings_are_an_empty_list(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_warnings", lambda found: [])
    assert doctor.collect(tmp_path)["warnings"] == []


def test_stores_are_looked_at_and_left_one_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "good") as store:
        store.put(StoredRun({"run_id": "x", "state": "done"}))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "store.sqlite").write_text("no store" * 1000)
    found = {Path(name).name: text for name, text in doctor.collect(tmp_path)["stores"].items()}
    assert found == {"good": "1 runs, sound", "bad": "cannot be read: this file is not a mlpjit store"}
    assert [path.name for path in (tmp_path / "good").iterdir()] == ["store.sqlite"]


def test_the_table_says_none_for_an_empty_list() -> None:
    assert flat({"a": {"warnings": []}, "b": ["x", "y"], "c": 0}) == [("a.warnings", "none"), ("b", "x, y"), ("c", "0")]


def test_a_damaged_store_is_mended_and_a_copy_kept(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for name in ("x", "y"):
            store.put(StoredRun({"run_id": name, "state": "done"}))
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET state = 'failed' WHERE run_id = 'x'")
    first, second = (CliRunner().invoke(app, ["doctor", str(tmp_path), "--json"]) for _ in range(2))
    told = json.loads(first.stdout)
    assert (told["runs"], len(told["found"])) == (1, 1)
    assert "1 of 2 runs count as not made; as it was it lies in store.damaged-1.sqlite" in told["found"][0]
    assert json.loads(second.stdout) == {**told, "found": []}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.damaged-1.sqlite", "store.sqlite"]


def test_where_no_store_is_none_is_made(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["doctor", str(tmp_path)]).exit_code == 3
    assert list(tmp_path.iterdir()) == []
