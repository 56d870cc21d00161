"""Tables in memory and in Parquet files: the columns of a pandas frame, as a CSV file's would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.catalogue.datasets.columns import Cells
from mlpjit.catalogue.datasets.fitting import check_fits
from mlpjit.catalogue.datasets.tables import Choice, laid_out, table_of
from mlpjit.catalogue.datasets.targets import Table
from mlpjit.errors import DatasetError


def read_parquet(path: str, choice: Choice) -> Table:
    """Read a Parquet file, for which pyarrow is needed. Raises DatasetError."""
    import pandas

    label, file = f"dataset {path!r}", Path(path).expanduser()
    try:
        from pyarrow.parquet import read_metadata  # type: ignore[import-untyped,import-not-found,unused-ignore]

        announced = read_metadata(file)  # a column of one value takes a few bytes, however long it is
        check_fits(label, announced.num_rows * announced.num_columns)
        frame = pandas.read_parquet(file)
    except DatasetError:
        raise
    except ImportError:
        raise DatasetError(f'{label}: Parquet needs pyarrow: pip install "mlpjit[parquet]"') from None
    except Exception as error:  # pyarrow's own, of many kinds
        raise DatasetError(f"{label}: not a readable Parquet file ({' '.join(str(error).split())[:200]})") from None
    return read_frame(label, frame, choice)


def read_frame(label: str, frame: Any, choice: Choice) -> Table:
    """Return the samples of a pandas frame. Raises DatasetError."""
    if frame.shape[1] < 2:
        raise DatasetError(f"{label}: only one column, need at least one input and the target")
    layout = laid_out(label, tuple(map(str, frame.columns)), frame.shape[1], choice)
    columns = [_cells(label, frame.iloc[:, place], layout.name(place), place in layout.categorical)
               for place in layout.inputs]  # fmt: skip
    targets = ["" if missing else _text(value) for value, missing in _values(frame.iloc[:, layout.target])]
    return table_of(layout, columns, targets, range(1, len(frame) + 1), choice)


def _values(column: Any) -> Sequence[tuple[Any, bool]]:
    return list(zip(column.tolist(), column.isna().tolist(), strict=True))


def _cells(label: str, column: Any, name: str, categorical: bool) -> Cells:
    numeric = column.dtype.kind in "biuf" or str(column.dtype) in ("boolean", "Int64", "Float64", "Int32", "Float32")
    if numeric and not categorical:
        numbers = column.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(numbers).any():
            raise DatasetError(f"{label}: an infinite number in column {name!r}; need finite numbers")
        return Cells(name, numbers)
    texts = ["" if missing else _text(value) for value, missing in _values(column)]
    return Cells(name, np.full(len(texts), np.nan), texts)


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
