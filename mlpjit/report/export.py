"""Tables for other programs: `runs.csv`, `curves.csv` and, if wanted, `layers.csv` beside the store, or Parquet.

`runs.csv.xz`, the compact form, is `runs.csv` for keeping: 70 bytes a run, all numbers that are a run's own whole.
Rows stand in the order of the plan and floats are written by repr, so that two exports of one study are equal
byte for byte in every column that is not wall-clock time (`_seconds`), a date (`_at`) or the machine (`host_`).
"""

from __future__ import annotations

import contextlib
import csv
import lzma
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlpjit.errors import MlpjitError, StoreError, writing
from mlpjit.kernels.run.records import WHOLE_RECORDS
from mlpjit.store import Store
from mlpjit.store.database import FILE_NAME
from mlpjit.store.schema import DATES, FLAGS, NUMBERS, READ, TIMINGS, WHOLE_NUMBERS

RUNS_AT_ONCE = 1000
TABLE = "runs.csv"
COMPACT = TABLE + ".xz"
MINUTES = 16  # characters of a date
NUMBERS_OR_WORDS = NUMBERS | {"dropout"}


def export(directory: Path, parquet: bool = False, layers: bool = False) -> list[Path]:
    """Write the tables of the study in `directory` and return their paths; `layers` asks for the largest too.

    Raises StoreError where there is no store or no room, MlpjitError where Parquet is asked for without pyarrow.
    """
    with Store.open(directory, readonly=True) as store:
        if parquet:
            return _write_parquet(store, directory, layers)
        return [
            write_csv(directory / TABLE, READ, (_runs_row(row) for row in store.rows())),
            write_csv(directory / "curves.csv", ("run_id", *store.curve_names()), _curve_rows(store)),
            *([write_csv(directory / "layers.csv", _layer_columns(store), _layer_rows(store))] if layers else []),
        ]


def export_compact(directory: Path) -> Path:
    """Write `runs.csv.xz` and return its path: `runs.csv` with seconds to two digits and dates to the minute."""
    with Store.open(directory, readonly=True) as store:
        return write_csv(directory / COMPACT, READ, (_compact_row(row) for row in store.rows()))


def _compact_row(row: Sequence[Any]) -> list[Any]:
    """Wall-clock times are most of what does not compress, and are measured on a busy machine."""
    values = dict(zip(READ, row, strict=True))
    values |= {name: float(f"{values[name]:.2g}") for name in TIMINGS if values[name] is not None}
    values |= {name: values[name][:MINUTES] for name in DATES if values[name] is not None}
    return [as_text(name, value) for name, value in values.items()]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table that was written here, by column name."""
    with _opened(path, path, "rt") as file:
        return list(csv.DictReader(file))


def table_in(directory: Path) -> Path | None:
    """Return the exported table of a folder that holds one."""
    return next((path for name in (TABLE, COMPACT) if (path := directory / name).exists()), None)


def exported_alone(directory: Path) -> Path | None:
    """Return the table of a folder that has no store beside it."""
    return None if (directory / FILE_NAME).exists() else table_in(directory)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table with their values as a store holds them."""
    return [{name: _value(name, text) for name, text in row.items()} for row in read_table(path)]


def _value(name: str, text: str) -> Any:
    """Return what `as_text` made a text of; what is a number in some rows and a word in others is tried."""
    if name in FLAGS:
        return text == "true"
    if not text:
        return None
    for kind in (int,) * (name in WHOLE_NUMBERS or name == "batch_size") + (float,) * (name in NUMBERS_OR_WORDS):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _opened(file: Path, path: Path, mode: str) -> Any:
    """Open a file for text; what `path` ends in says whether it is compressed."""
    if path.suffix != ".xz":
        return file.open(mode, newline="", encoding="utf-8")
    preset = lzma.PRESET_EXTREME | 9 if mode == "wt" else None
    return lzma.open(file, mode, newline="", encoding="utf-8", preset=preset)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write beside the file, then rename: a reader never sees half a table."""
    partial = path.with_suffix(".partial")
    try:
        with writing(path):
            with _opened(partial, path, "wt") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows(rows)
            os.replace(partial, path)
    except StoreError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    return path


def _runs_row(row: Sequence[Any]) -> list[Any]:
    return [as_text(name, value) for name, value in zip(READ, row, strict=True)]


def as_text(name: str, value: Any) -> str:
    """Return a value as tables hold it: floats by repr, flags as true and false, nothing as nothing."""
    if name in FLAGS:
        return "true" if value else "false"
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _curve_rows(store: Store) -> Iterator[list[Any]]:
    whole = [name in WHOLE_RECORDS for name in store.curve_names()]
    for run_id, rows in store.curve_arrays(_run_ids(store)):
        for row in rows.tolist():
            yield [run_id, *map(_record_text, row, whole)]


def _record_text(value: float, whole: bool) -> str:
    """Return a number as text; an older run may lack it."""
    return str(int(value)) if whole and value == value else repr(value)


def _run_ids(store: Store) -> list[str]:
    return [row[0] for row in store.rows(("run_id",))]


def _layer_columns(store: Store) -> list[str]:
    return list(store.layers([]))


def _layer_rows(store: Store) -> Iterator[list[Any]]:
    """Float32 as the shortest text that is that number again."""
    run_ids = _run_ids(store)
    for start in range(0, len(run_ids), RUNS_AT_ONCE):
        frame = store.layers(run_ids[start : start + RUNS_AT_ONCE])
        keys, records = frame.iloc[:, :3].to_numpy().tolist(), frame.iloc[:, 3:].to_numpy()
        for key, values in zip(keys, records, strict=True):
            yield [*key, *map(str, values)]


def _write_parquet(store: Store, directory: Path, layers: bool) -> list[Path]:
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError:
        raise MlpjitError("Parquet needs pyarrow, which is not installed: pip install pyarrow") from None
    runs = store.frame()
    paths = [directory / "runs.parquet", directory / "curves.parquet"]
    runs["batch_size"] = runs["batch_size"].astype(str)  # a column of numbers and "full"
    with writing(directory):
        runs.to_parquet(paths[0], index=False)
        store.curves(runs["run_id"].tolist()).to_parquet(paths[1], index=False)
        if layers:
            paths.append(directory / "layers.parquet")
            store.layers(runs["run_id"].tolist()).to_parquet(paths[2], index=False)
    return paths
