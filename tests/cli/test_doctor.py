"""`mlpjit doctor`: lists stay lists in JSON, and what is empty says so in the table."""

from __future__ import annotations

from pathlib import Path

from mlpjit.cli.doctor import flat
from mlpjit.measure import doctor


def test_no_warnings_are_an_empty_list(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_warnings", lambda found: [])
    assert doctor.collect(tmp_path)["warnings"] == []


def test_the_table_says_none_for_an_empty_list() -> None:
    assert flat({"a": {"warnings": []}, "b": ["x", "y"], "c": 0}) == [("a.warnings", "none"), ("b", "x, y"), ("c", "0")]
