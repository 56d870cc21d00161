"""Numbers and labels from a user's .csv file.

Python's own float() reads every number to the nearest double, which faster parsers do not promise; a file of
60,000 x 784 takes about half a minute, the same data as .npz three seconds.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlpjit.catalogue.datasets.targets import Table
from mlpjit.errors import DatasetError
from mlpjit.registry import suggestion

TARGET_NAMES = ("target", "label", "class", "y")
DELIMITERS = ",;\t"
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")


@dataclass
class Layout:
    """Where things stand in a file: the columns' names (empty without a header), and the target's column."""

    label: str
    names: tuple[str, ...]
    columns: int
    target: int

    def column(self, index: int) -> str:
        """Return how an error names a column."""
        return f"column {index + 1}" + (f" ({self.names[index]!r})" if self.names else "")


@dataclass
class Cells:
    """What was read so far: feature numbers row after row, target texts, line numbers."""

    numbers: array[float] = field(default_factory=lambda: array("d"))
    targets: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read(path: str, target: str | int | None) -> Table:
    """Read a CSV file separated by commas, semicolons or tabs, with a header or without one.

    A first line without any number is the header. Raises DatasetError that names line and column.
    """
    label = f"dataset {path!r}"
    try:
        with open(Path(path).expanduser(), newline="", encoding="utf-8-sig") as lines:
            delimiter = _delimiter(lines.readline())
            lines.seek(0)
            rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            layout, cells = _cells(label, rows, target)
    except UnicodeDecodeError:
        raise DatasetError(f"{label}: not a text file in UTF-8") from None
    except csv.Error as error:
        raise DatasetError(f"{label}: not a readable CSV file ({error})") from None
    except OSError as error:
        raise DatasetError(f"{label}: cannot be read ({error.strerror})") from None
    x = np.frombuffer(cells.numbers, dtype=np.float64).reshape(len(cells.lines), layout.columns - 1).copy()
    _check_finite(layout, cells, x)
    return Table(label, x, _target(layout, cells), lambda row: f"line {cells.lines[row]}")


def _cells(label: str, rows: Iterator[list[str]], target: str | int | None) -> tuple[Layout, Cells]:
    numbered = ((getattr(rows, "line_num", 0), row) for row in rows if any(cell.strip() for cell in row))
    first_line, first = next(numbered, (0, []))
    if not first:
        raise DatasetError(f"{label}: the file is empty")
    names = tuple(cell.strip() for cell in first) if _is_header(first) else ()
    if len(first) < 2:
        raise DatasetError(f"{label}: only one column, need at least one input and the target")
    layout = Layout(label, names, len(first), _target_column(label, names, len(first), target))
    cells = Cells()
    if not names:
        _add(layout, cells, first_line, first)
    for line, row in numbered:
        _add(layout, cells, line, row)
    if not cells.lines:
        raise DatasetError(f"{label}: a header and no samples")
    return layout, cells


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _is_number(cell: str) -> bool:
    return _is_float(cell) and cell.strip().lower() not in MISSING


def _is_header(row: list[str]) -> bool:
    return not any(map(_is_number, row)) and any(cell.strip().lower() not in MISSING for cell in row)


def _target_column(label: str, names: tuple[str, ...], columns: int, target: str | int | None) -> int:
    if isinstance(target, int):
        if not 1 <= target <= columns:
            raise DatasetError(f"{label}: target = {target}, allowed is a column from 1 to {columns}")
        return target - 1
    if target is not None:
        return _named(label, names, target)
    lower = [name.lower() for name in names]
    return next((lower.index(name) for name in TARGET_NAMES if name in lower), columns - 1)


def _named(label: str, names: tuple[str, ...], target: str) -> int:
    if not names:
        raise DatasetError(f"{label}: target = {target!r}, but there is no header; give the column's number")
    if target not in names:
        raise DatasetError(f"{label}: no column {target!r}{suggestion(target, names)}")
    if names.count(target) > 1:
        raise DatasetError(f"{label}: several columns are named {target!r}; give the column's number")
    return names.index(target)


def _add(layout: Layout, cells: Cells, line: int, row: list[str]) -> None:
    if len(row) != layout.columns:
        raise DatasetError(f"{layout.label}: line {line} has {len(row)} columns, need {layout.columns}")
    cells.targets.append(row.pop(layout.target).strip())
    cells.lines.append(line)
    try:
        if "_" in "".join(row):  # float() reads 1_000
            raise ValueError
        cells.numbers.extend(map(float, row))
    except ValueError:
        position = next(i for i, cell in enumerate(row) if not _is_float(cell))
        where = f"line {line}, {_column(layout, position)}"
        raise DatasetError(f"{layout.label}: {_quoted(row[position])} at {where}; need a number") from None


def _column(layout: Layout, feature: int) -> str:
    return layout.column(feature + (feature >= layout.target))


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _quoted(cell: str) -> str:
    return f"text {cell.strip()[:40]!r}" if cell.strip() else "an empty cell"


def _check_finite(layout: Layout, cells: Cells, x: np.ndarray) -> None:
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        row, position = wrong[0].tolist()
        more = f" ({len(wrong)} such values)" if len(wrong) > 1 else ""
        where = f"line {cells.lines[row]}, {_column(layout, position)}{more}"
        raise DatasetError(f"{layout.label}: {x[row, position]} at {where}; need finite numbers")


def _target(layout: Layout, cells: Cells) -> np.ndarray:
    for line, cell in zip(cells.lines, cells.targets, strict=True):
        if cell.lower() in MISSING or (_is_float(cell) and not math.isfinite(float(cell))):
            column = layout.column(layout.target)
            raise DatasetError(f"{layout.label}: no target at line {line}, {column}: {cell!r}")
    if all(map(_is_float, cells.targets)):
        return np.array([float(cell) for cell in cells.targets])
    return np.array(cells.targets)
