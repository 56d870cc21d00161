"""The campaign of `bench/evidence/damaged_stores.py` in short: three faults of each kind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlpjit.store import writing

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.damaged_stores import FAULTS, campaign


def test_damaged_stores_show_nothing_wrong_and_are_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LINGER_SECONDS", 0.0)
    found = campaign(tmp_path, 3 * len(FAULTS), seed=7)
    assert found["which"] == []
