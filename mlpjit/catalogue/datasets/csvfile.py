"""A user's .csv file: its rows, read cell by cell. What columns become stands in `tables`.

Python's own float() reads every number to the nearest double, which faster parsers do not promise; a file of
60,000 x 784 takes about half a minute, the same data as .npz three seconds.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlpjit.catalogue.datasets.columns import Cells
from mlpjit.catalogue.datasets.fitting import check_fits
from mlpjit.catalogue.datasets.tables import TARGET_NAMES, Choice, Layout, laid_out, table_of
from mlpjit.catalogue.datasets.targets import Table, is_missing
from mlpjit.errors import DatasetError

MOST_COLUMNS = 100_000  # text of as many numbers in a row is read too slowly to be worth while
DELIMITERS = ",;\t"


@dataclass
class Read:
    """What was read so far: numbers row after row (NaN where none stands), target texts, line numbers.

    texts: of each input that has some, how many, the line of the first, and itself.
    """

    numbers: array[float] = field(default_factory=lambda: array("d"))
    targets: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    texts: dict[int, tuple[int, int, str]] = field(default_factory=dict)


def read(path: str, choice: Choice) -> Table:
    """Read a CSV file separated by commas, semicolons or tabs, with a header or without one.

    A first line without any number is the header, and one that counts the columns. Raises DatasetError that names line
    and column.
    """
    label = f"dataset {path!r}"
    check_fits(label, Path(path).expanduser().stat().st_size // 4)  # a cell has two characters at least
    with _rows(path) as rows:
        layout, found = _first_pass(label, rows, choice)
    x = np.frombuffer(found.numbers, dtype=np.float64).reshape(len(found.lines), len(layout.inputs)).copy()
    _check_finite(layout, found, x)
    as_text = _text_columns(layout, found, x)
    texts: dict[int, list[str]] = {}
    if as_text:
        with _rows(path) as rows:
            texts = _second_pass(rows, layout, as_text, bool(layout.names))
    columns = [Cells(layout.name(place), x[:, i], texts.get(place)) for i, place in enumerate(layout.inputs)]
    return table_of(layout, columns, found.targets, found.lines, choice)


@contextmanager
def _rows(path: str) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Lend the rows of a file that hold anything, each with the number of its line."""
    label = f"dataset {path!r}"
    try:
        with open(Path(path).expanduser(), newline="", encoding="utf-8-sig") as lines:
            first = lines.readline()
            lines.seek(0)
            rows = csv.reader(lines, delimiter=max(DELIMITERS, key=first.count), skipinitialspace=True)
            yield ((rows.line_num, row) for row in rows if any(cell.strip() for cell in row))
    except UnicodeDecodeError:
        raise DatasetError(f"{label}: not a text file in UTF-8") from None
    except csv.Error as error:
        raise DatasetError(f"{label}: not a readable CSV file ({error})") from None
    except OSError as error:
        raise DatasetError(f"{label}: cannot be read ({error.strerror})") from None


def _first_pass(label: str, rows: Iterator[tuple[int, list[str]]], choice: Choice) -> tuple[Layout, Read]:
    first_line, first = next(rows, (0, []))
    if not first:
        raise DatasetError(f"{label}: the file is empty")
    if len(first) < 2:
        raise DatasetError(f"{label}: only one column, need at least one input and the target")
    if len(first) > MOST_COLUMNS:
        raise DatasetError(f"{label}: {len(first):,} columns, need at most {MOST_COLUMNS:,}; .npz files take more")
    names = tuple(cell.strip() for cell in first) if _is_header(first) else ()
    layout, found = laid_out(label, names, len(first), choice), Read()
    if not names:
        _add(layout, found, first_line, first)
    for line, row in rows:
        _add(layout, found, line, row)
    if not found.lines:
        raise DatasetError(f"{label}: a header and no samples")
    return layout, found


def _second_pass(
    rows: Iterator[tuple[int, list[str]]], layout: Layout, places: list[int], header: bool
) -> dict[int, list[str]]:
    """Return the cells of some columns as text, missing ones empty."""
    found: dict[int, list[str]] = {place: [] for place in places}
    for number, (_, row) in enumerate(rows):
        if number or not header:
            for place, cells in found.items():
                cell = row[place].strip()
                cells.append("" if is_missing(cell) else cell)
    return found


def _is_number(cell: str) -> bool:
    return _is_float(cell) and not is_missing(cell.strip())


def _is_header(row: list[str]) -> bool:
    """Say whether a first row names columns: none of its cells is a number, or one is called as targets are.

    Or all of them are the columns' own numbers, from 0 or 1 on, as pandas writes them.
    """
    cells = [cell.strip() for cell in row]
    numbered = cells if cells[0] else cells[1:]
    if len(cells) > 2 and any(numbered == [str(n + start) for n in range(len(numbered))] for start in (0, 1)):
        return True
    if any(cell.lower() in TARGET_NAMES for cell in cells):
        return True
    return not any(map(_is_number, row)) and any(not is_missing(cell) for cell in cells)


def _add(layout: Layout, found: Read, line: int, row: list[str]) -> None:
    if len(row) != layout.columns:
        raise DatasetError(f"{layout.label}: line {line} has {len(row)} columns, need {layout.columns}")
    found.targets.append(row[layout.target].strip())
    found.lines.append(line)
    cells = [row[place] for place in layout.inputs]
    try:
        if "_" in "".join(cells):  # float() reads 1_000
            raise ValueError
        found.numbers.extend([float(cell) for cell in cells])
    except ValueError:
        found.numbers.extend([_number(layout, found, line, i, cell) for i, cell in enumerate(cells)])


def _number(layout: Layout, found: Read, line: int, place: int, cell: str) -> float:
    """Return a cell's number, NaN for one that is missing or text, which is noted."""
    if is_missing(cell.strip()):
        return math.nan
    if _is_float(cell):
        return float(cell)
    count, first, text = found.texts.get(place, (0, line, cell.strip()))
    found.texts[place] = count + 1, first, text
    return math.nan


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _check_finite(layout: Layout, found: Read, x: np.ndarray) -> None:
    wrong = np.argwhere(np.isinf(x))
    if len(wrong):
        row, place = wrong[0].tolist()
        more = f" ({len(wrong)} such values)" if len(wrong) > 1 else ""
        where = f"line {found.lines[row]}, {layout.column(layout.inputs[place])}{more}"
        raise DatasetError(f"{layout.label}: {x[row, place]} at {where}; need finite numbers")


def _text_columns(layout: Layout, found: Read, x: np.ndarray) -> list[int]:
    """Return the columns to read as text: those chosen, and those with more texts than numbers.

    Raises DatasetError for a text among numbers.
    """
    chosen = [place for place in layout.inputs if place in layout.categorical]
    for place, (count, line, text) in sorted(found.texts.items()):
        column = layout.inputs[place]
        numbers = int((~np.isnan(x[:, place])).sum())
        if column in layout.categorical:
            continue
        if count < numbers:
            where = f"line {line}, {layout.column(column)}"
            raise DatasetError(f"{layout.label}: text {text[:40]!r} at {where}; need a number")
        chosen.append(column)
    return sorted(chosen)
