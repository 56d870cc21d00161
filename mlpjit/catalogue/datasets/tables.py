"""From the columns of a user's table to samples: which is the target, which are left out, what becomes of gaps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpjit.catalogue.datasets.columns import Cells, encode_columns
from mlpjit.catalogue.datasets.targets import Table, is_missing
from mlpjit.errors import DatasetError, data_option, shown
from mlpjit.registry import suggestion

TARGET_NAMES = ("target", "label", "class", "y")
GAPS = ("fill", "drop", "refuse")
WITH_COMMAS = re.compile(r"[+-]?\d*(,\d+)+(\.\d*)?([eE][+-]?\d+)?")
MOST_SHOWN = 12  # columns that an error names


@dataclass(frozen=True)
class Choice:
    """What a user said of a table: target, columns to leave out or to take as categories, what becomes of gaps."""

    target: str | int | None = None
    drop: tuple[str | int, ...] = ()
    categorical: tuple[str | int, ...] = ()
    missing: str = "fill"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Choice:
        """Return the choice that the options of a dataset make."""
        found = {name: named_columns(options.get(name, ())) for name in ("drop", "categorical")}
        return cls(options.get("target"), missing=options.get("missing", "fill"), **found)


def named_columns(value: Any) -> tuple[str | int, ...]:
    """Return the columns that an option names: one, or a list, which a run's own record holds as JSON."""
    if isinstance(value, str) and value.startswith("["):
        value = json.loads(value)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class Layout:
    """Where things stand: the columns' names (none without a header), and which are target, inputs, categories."""

    label: str
    names: tuple[str, ...]
    columns: int
    target: int
    inputs: tuple[int, ...]
    categorical: frozenset[int]
    notes: tuple[str, ...] = ()

    def column(self, place: int) -> str:
        """Return how an error names a column."""
        return f"column {place + 1}" + (f" ({self.names[place]!r})" if self.names else "")

    def name(self, place: int) -> str:
        """Return what a column is called."""
        return (self.names[place] if self.names else "") or f"column {place + 1}"


def laid_out(label: str, names: tuple[str, ...], columns: int, choice: Choice) -> Layout:
    """Return where things stand in a table. Raises DatasetError where a choice names no column, or none is certain."""
    find = _finder(label, names, columns)
    target = _target_column(label, names, columns, choice.target, find)
    dropped = {find("drop", each) for each in choice.drop}
    notes = [f"left out: {', '.join(_called(names, place) for place in sorted(dropped))}"] if dropped else []
    if names and not names[0] and target:  # the row numbers that pandas writes
        dropped.add(0)
        notes.append("left out: column 1, which has no name")
    inputs = tuple(place for place in range(columns) if place != target and place not in dropped)
    if target in dropped:
        raise DatasetError(f"{label}: the target, {_called(names, target)}, cannot be left out")
    _refuse_second_target(label, names, target, dropped)
    if not names:
        notes.append("no header: line 1 holds a sample")
    if not inputs:
        raise DatasetError(f"{label}: no input is left")
    return Layout(
        label, names, columns, target, inputs, frozenset(find("categorical", each) for each in choice.categorical),
        tuple(notes),
    )  # fmt: skip


def _refuse_second_target(label: str, names: tuple[str, ...], target: int, dropped: set[int]) -> None:
    """A column with the target's name would tell the network what it is to find."""
    if not names or not names[target]:
        return
    for place, name in enumerate(names):
        if place not in (target, *dropped) and name.lower() == names[target].lower():
            said = f"column {place + 1} is named {name!r} as the target is"
            raise DatasetError(f"{label}: {said}: {data_option('drop', [place + 1])} leaves it out")


def _called(names: tuple[str, ...], place: int) -> str:
    return repr(names[place]) if names and names[place] else f"column {place + 1}"


def _finder(label: str, names: tuple[str, ...], columns: int) -> Callable[[str, str | int], int]:
    def find(option: str, wanted: str | int) -> int:
        if isinstance(wanted, int):
            if not 1 <= wanted <= columns:
                raise DatasetError(f"{label}: {option} = {wanted}, allowed is a column from 1 to {columns}")
            return wanted - 1
        if not isinstance(wanted, str):
            raise DatasetError(f"{label}: {option} = {shown(wanted)}, allowed is a column's name or its number from 1")
        if not names:
            told = "but there is no header; give the column's number"
            raise DatasetError(f"{label}: {option} = {wanted!r}, {told}")
        if wanted not in names:
            raise DatasetError(f"{label}: no column {wanted!r}{suggestion(wanted, names)}")
        if names.count(wanted) > 1:
            raise DatasetError(f"{label}: several columns are named {wanted!r}; give the column's number")
        return names.index(wanted)

    return find


def _target_column(
    label: str, names: tuple[str, ...], columns: int, wanted: str | int | None, find: Callable[[str, str | int], int]
) -> int:
    """Return the target's column: the one that was chosen, or the only one that is called as targets are."""
    if wanted is not None:
        return find("target", wanted)
    certain = [place for place, name in enumerate(names) if name.lower() in TARGET_NAMES]
    if len(certain) == 1:
        return certain[0]
    raise DatasetError(f"{label}: which column is the target? {_choices(names, columns, certain)}")


def _choices(names: tuple[str, ...], columns: int, certain: Sequence[int]) -> str:
    """Return which columns there are, and how to choose one."""
    places = certain or range(columns)
    shown = [names[place] or f"column {place + 1}" for place in places[:MOST_SHOWN]] if names else [f"1 to {columns}"]
    more = ", ..." if names and len(places) > MOST_SHOWN else ""
    wanted = data_option("target", "NAME" if names else columns)
    return f"There are {', '.join(shown)}{more}: say which, as {wanted}"


def table_of(
    layout: Layout, columns: Sequence[Cells], targets: Sequence[str], lines: Sequence[int], choice: Choice
) -> Table:
    """Return the samples that a table's columns hold; `lines` are the numbers of its rows in the file."""
    gaps = np.any([_gaps(cells) for cells in columns], axis=0)
    unknown = np.array([is_missing(cell) for cell in targets], dtype=bool)
    notes = list(layout.notes)
    if gaps.any() and choice.missing == "refuse":
        row = int(np.flatnonzero(gaps)[0])
        where = next(layout.column(place) for place, c in zip(layout.inputs, columns, strict=True) if _gaps(c)[row])
        raise DatasetError(f"{layout.label}: an empty cell at line {lines[row]}, {where}; need a value")
    if (gaps | unknown).any() and choice.missing == "drop":
        notes.append(_left_out(gaps, unknown))
        kept = np.flatnonzero(~(gaps | unknown)).tolist()
        columns = [_rows_of(cells, kept) for cells in columns]
        targets, lines = [targets[row] for row in kept], [lines[row] for row in kept]
        if not kept:
            raise DatasetError(f"{layout.label}: every row has a missing cell: none is left")
    for place, cells in zip(layout.inputs, columns, strict=True):
        if cells.texts is not None and place not in layout.categorical:
            remedy = f", or {data_option('categorical', [cells.name])} where they are none"
            _refuse_commas(f"{layout.label}: {layout.column(place)}", cells.texts, remedy)
    inputs = encode_columns(layout.label, columns)
    y = _target(layout, targets, lines)
    notes += [_leak(cells.name) for cells in columns if _is_target(cells, y)]
    return Table(
        layout.label, inputs.x, y, lambda row: f"line {lines[row]}",
        inputs.columns, layout.name(layout.target), (*notes, *inputs.notes),
    )  # fmt: skip


def _left_out(gaps: np.ndarray, unknown: np.ndarray) -> str:
    left = gaps | unknown
    without = f", {int(unknown.sum()):,} of them without a target" if unknown.any() else ""
    return f"left out: {int(left.sum()):,} of {len(left):,} rows, with missing cells{without}"


def _gaps(cells: Cells) -> np.ndarray:
    return np.isnan(cells.numbers) if cells.texts is None else np.array([not text for text in cells.texts])


def _rows_of(cells: Cells, rows: list[int]) -> Cells:
    texts = None if cells.texts is None else [cells.texts[row] for row in rows]
    return Cells(cells.name, cells.numbers[rows], texts)


def _is_target(cells: Cells, y: np.ndarray) -> bool:
    """Whether a column holds what the target does, row by row."""
    return np.array_equal(y, cells.numbers if cells.texts is None else np.array(cells.texts))


def _leak(name: str) -> str:
    return f"warning: {name!r} is the target once more; {data_option('drop', [name])} leaves it out"


def _target(layout: Layout, targets: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    numbers = []
    for line, cell in zip(lines, targets, strict=True):
        number = _float(cell)
        if is_missing(cell) or (number is not None and not math.isfinite(number)):
            column = layout.column(layout.target)
            remedy = f"; {data_option('missing', 'drop')} leaves such rows out" if is_missing(cell) else ""
            raise DatasetError(f"{layout.label}: no target at line {line}, {column}: {cell!r}{remedy}")
        numbers.append(number)
    if None not in numbers:
        return np.array(numbers, dtype=np.float64)
    _refuse_commas(f"{layout.label}: the target, {layout.column(layout.target)},", targets)
    return np.array(targets)


def _refuse_commas(column: str, texts: Sequence[str], remedy: str = "") -> None:
    """Raise DatasetError where all that stands in a column are numbers, some with a comma: as text they are names."""
    present = [text for text in texts if text]
    found = [text for text in present if WITH_COMMAS.fullmatch(text)]
    if found and all(WITH_COMMAS.fullmatch(text) or _float(text) is not None for text in present):
        raise DatasetError(f"{column} has numbers with a comma, as {found[0]!r}: need a point, as 1.5{remedy}")


def _float(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
