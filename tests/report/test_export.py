"""Exported tables: what is in them, and which columns may differ between two exports."""

from __future__ import annotations

import csv
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import TABLE, Fake, fake_result

from mlpjit.config.fields import FACTORS
from mlpjit.errors import MlpjitError, StoreError
from mlpjit.files import replacing
from mlpjit.report.export import export, export_compact, read_table, write_csv
from mlpjit.store.arrays import LAYER_CURVES
from mlpjit.store.schema import COUNTS, DATES, HASHES, HOST, METRICS, READ, TIMINGS
from mlpjit.study.study import Study


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Study.from_table(TABLE).run(tmp_path, threads=2, runner=Fake().runner())
    return tmp_path


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_runs_stand_in_plan_order_with_floats_by_repr(directory: Path) -> None:
    runs, _ = export(directory)
    study = Study.from_table(TABLE)
    rows = table(runs)
    assert [row["run_id"] for row in rows[: len(study.runs)]] == study.runs.run_ids
    loss = fake_result(study.runs.config(0)).metrics["final_validation_loss"]
    assert rows[0]["final_validation_loss"] == repr(loss)
    diverged = next(row for row in rows if row["state"] == "diverged")
    assert (diverged["final_validation_loss"], diverged["diverged_step"]) == ("", "3")


def test_every_column_is_deterministic_or_named_as_not() -> None:
    """Design section 1: wall-clock columns end in _seconds, dates in _at, machine columns begin with host_."""
    told = {name for name in READ if name.endswith(("_seconds", "_at")) or name.startswith("host_")}
    assert set(READ) - told == {"run_id", "stage", "state", "error", *FACTORS, *METRICS, *COUNTS, *HASHES}
    assert set(HOST) <= told


def test_curves_have_one_row_an_evaluation(directory: Path) -> None:
    _, curves = export(directory)
    rows = table(curves)
    config = Study.from_table(TABLE).runs.config(0)
    mine = [float(row["validation_loss"]) for row in rows if row["run_id"] == config.run_id]
    assert mine == fake_result(config).history["validation_loss"].tolist()


def test_the_compact_table_has_all_that_a_run_repeats(directory: Path) -> None:
    whole, compact = (read_table(path) for path in (export(directory)[0], export_compact(directory)))
    rounded = {*TIMINGS, *DATES}
    told = [{name: value for name, value in row.items() if name not in rounded} for row in whole]
    assert [{name: value for name, value in row.items() if name not in rounded} for row in compact] == told
    assert [row["started_at"] for row in compact] == [row["started_at"][:16] for row in whole]
    for name in TIMINGS:
        for short, full in zip(compact, whole, strict=True):
            assert float(short[name] or "nan") == pytest.approx(float(full[name] or "nan"), rel=0.05, nan_ok=True)
    assert pd.read_csv(directory / "runs.csv.xz").shape == (len(whole), len(READ))


def test_layers_have_one_row_an_evaluation_and_layer(directory: Path) -> None:
    *_, layers = export(directory, layers=True)
    rows = table(layers)
    assert list(rows[0]) == ["run_id", "epoch", "layer", *LAYER_CURVES]
    config = Study.from_table(TABLE).runs.config(0)
    mine = [row for row in rows if row["run_id"] == config.run_id]
    assert [(int(row["epoch"]), int(row["layer"])) for row in mine] == [
        (epoch, layer) for epoch in range(4) for layer in (1, 2)
    ]
    for name in LAYER_CURVES:
        made = fake_result(config).history[name].astype(np.float32).ravel()
        assert [np.float32(row[name]) for row in mine] == made.tolist()


def test_exporting_twice_gives_the_same_bytes(directory: Path) -> None:
    first = [path.read_bytes() for path in export(directory, layers=True)]
    assert [path.read_bytes() for path in export(directory, layers=True)] == first


def test_parquet_without_pyarrow_is_one_clear_line(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MlpjitError, match="pip install"):
        export(directory, parquet=True)


def test_a_folder_without_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store here"):
        export(tmp_path)


def test_a_table_that_cannot_be_written_is_said(directory: Path) -> None:
    (directory / "runs.csv").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        export(directory)


def test_a_folder_that_has_gone_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/runs\.csv: cannot be written"):
        write_csv(tmp_path / "gone" / "runs.csv", ["a"], [])


def test_exports_side_by_side_do_not_meet(directory: Path) -> None:
    right = [path.read_bytes() for path in export(directory)]
    with ThreadPoolExecutor(4) as pool:
        for paths in pool.map(lambda _: export(directory), range(24)):
            assert [path.read_bytes() for path in paths] == right
    assert list(directory.glob(".*")) == []


def test_what_a_killed_export_left_goes_an_hour_later(directory: Path) -> None:
    old, new = (directory / f".runs.csv.{name}.partial" for name in ("old", "new"))
    for left in (old, new):
        left.touch()
    os.utime(old, (0, 0))
    export(directory)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("name", ["of **.npz", "[a-z]?.npz", "n" * 251 + ".npz", "\u00fc" * 125])
def test_a_file_of_any_name_is_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with replacing(path) as partial:
        partial.write_text("whole")
    assert [(left.name, left.read_text()) for left in tmp_path.iterdir()] == [(name, "whole")]
