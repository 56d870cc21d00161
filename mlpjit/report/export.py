"""Tables for other programs: `runs.csv`, `curves.csv` and, if wanted, `layers.csv` beside the store, or Parquet.

`runs.csv.xz`, the compact form, is `runs.csv` for keeping: 70 bytes a run, all numbers that are a run's own whole.
Rows stand in the order of the plan and floats are written by repr, so that two exports of one study are equal
byte for byte in every column that is not wall-clock time (`_seconds`), a date (`_at`) or the machine (`host_`).
"""

from __future__ import annotations

import contextlib
import csv
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.errors import MlpjitError
from mlpjit.files import replacing
from mlpjit.store import Store
from mlpjit.store.database import FILE_NAME
from mlpjit.store.schema import DATES, FLAGS, NUMBERS, READ, TIMINGS, WHOLE_NUMBERS

if TYPE_CHECKING:
    import pandas as pd

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
            export_runs(store, directory / TABLE),
            write_csv(directory / "curves.csv", ("run_id", *store.curve_names()), _curve_rows(store)),
            *([write_csv(directory / "layers.csv", _layer_columns(store), _layer_rows(store))] if layers else []),
        ]


def export_runs(store: Store, path: Path) -> Path:
    """Write one row a run and return the path."""
    return write_csv(path, READ, (_runs_row(row) for row in store.rows()))


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
    """Write a table, whole or not at all."""
    with replacing(path) as partial, _opened(partial, path, "wt") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def _runs_row(row: Sequence[Any]) -> list[Any]:
    return [as_text(name, value) for name, value in zip(READ, row, strict=True)]


def as_text(name: str, value: Any) -> str:
    """Return a value as tables hold it: floats by repr, flags as true and false, nothing as nothing."""
    if name in FLAGS:
        return "true" if value else "false"
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _curve_rows(store: Store) -> Iterator[list[Any]]:
    for run_id, rows in store.curve_arrays(_run_ids(store)):
        for epoch, step, *losses in rows.tolist():
            yield [run_id, int(epoch), int(step), *(repr(loss) for loss in losses)]


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
    run_ids = runs["run_id"].tolist()
    runs["batch_size"] = runs["batch_size"].astype(str)  # a column of numbers and "full"
    makers = {"runs": lambda: runs, "curves": lambda: store.curves(run_ids)}
    makers |= {"layers": lambda: store.layers(run_ids)} if layers else {}
    return [_parquet(directory / f"{name}.parquet", make()) for name, make in makers.items()]


def _parquet(path: Path, table: pd.DataFrame) -> Path:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)
    return path
