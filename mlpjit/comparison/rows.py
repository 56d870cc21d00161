"""Rows of a table that share its columns: as dicts of their own, 100,000 of them would take 120 MB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlpjit.store.reading import Column, mapped


class TableRow(Mapping[str, Any]):
    """What the columns of a table hold at one place."""

    __slots__ = ("_at", "_columns")

    def __init__(self, columns: Mapping[str, Sequence[Any]], at: int) -> None:
        self._columns = columns
        self._at = at

    def __getitem__(self, name: str) -> Any:
        """Return the value of a column."""
        return self._columns[name][self._at]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column."""
        return name in self._columns

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a column, or the default where there is none: asked for most often."""
        column = self._columns.get(name)
        return default if column is None else column[self._at]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._columns)


def table_rows(columns: Mapping[str, Sequence[Any]]) -> list[TableRow]:
    """Return the rows of columns of one length."""
    return [TableRow(columns, at) for at in range(len(next(iter(columns.values()))))]


def sequence(column: Column) -> Sequence[Any]:
    """Return a column as a sequence of plain values without a copy: NumPy's numbers are none."""
    return column if column.dtype == object else column.data  # type: ignore[return-value]


def named_clips(clips: Column) -> Column:
    """Return a column of clips with a name for runs that have none."""
    return mapped(lambda some: np.array([clip if isinstance(clip, str) else "none" for clip in some], object), clips)
