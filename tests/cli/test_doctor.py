"""`mlpjit doctor`: lists stay lists in JSON, and what is empty says so in the table."""

from __future__ import annotations

from pathlib import Path

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
