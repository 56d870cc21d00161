"""What is written: the row of a run and its history, a session; and what of it SQLite can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import ne
from typing import TYPE_CHECKING, Any

from mlpjit.errors import StoreError
from mlpjit.registry import suggestion
from mlpjit.store.arrays import encode, encode_all
from mlpjit.store.schema import WRITTEN
from mlpjit.store.seals import seal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

COLUMNS = frozenset(WRITTEN)
ALWAYS = frozenset((float, bool, bytes, type(None)))
KEPT = frozenset((int, str, bytes, type(None)))
EXACT = KEPT | {float}
WORTH_A_STATEMENT, LONGEST_LITERAL = 64, 200  # runs that share values; characters
ROW_BYTES = 8192  # of a run beside its curves: some hundred values with their objects
LEAST, MOST = -(2**63), 2**63 - 1


class RowError(StoreError):
    """A row that no store can hold: the rest of the store is well."""


@dataclass(frozen=True)
class StoredRun:
    """One row of `runs` by column name, and the history of the run by record: see `arrays.encode`."""

    values: Mapping[str, Any]
    history: Mapping[str, npt.ArrayLike] = field(default_factory=dict)

    def rows(self) -> Rows:
        """Return it as rows to write. Raises RowError for a column, a value or a record that cannot be stored."""
        _check_names(self.values)
        for name, value in self.values.items():
            _check(name, value)
        try:
            layers, curve, deep = encode(self.history)
        except (TypeError, ValueError) as error:
            raise RowError(f"history: {error}") from error
        return Rows([[plain(self.values.get(name))] for name in WRITTEN], layers, [curve], [deep])


@dataclass(frozen=True)
class Rows:
    """Rows of `runs` and of `curves`, ready to be written, column by column.

    runs: the columns of WRITTEN, as SQLite gives their values back. curves, deep: a curve and a layer curve a run.
    shared: the values of columns in which all runs have the same.
    """

    runs: Sequence[Sequence[Any]]
    layers: int
    curves: Sequence[bytes]
    deep: Sequence[bytes]
    shared: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def size(self) -> int:
        """Return about how many bytes they take until they are written."""
        return ROW_BYTES * len(self) + sum(map(len, self.curves)) + sum(map(len, self.deep))

    def seals(self, layout: int) -> list[tuple[str, bytes]]:
        """Return (run id, seal) of each, whose curves have a layout of this number."""
        whole = zip(*self.runs, repeat(self.layers), repeat(layout), self.curves, self.deep, strict=False)
        return [(values[0], seal(values)) for values in whole]

    def insertion(self) -> tuple[str, Iterator[tuple[Any, ...]]]:
        """Return the statement that writes a row of `runs`, and what it is to be given for each.

        To hand SQLite the same forty values for every one of many small runs took half of its time.
        """
        said = {} if len(self) < WORTH_A_STATEMENT else {
            name: text for name, value in self.shared.items() if (text := literal(value))
        }  # fmt: skip
        given = [column for name, column in zip(WRITTEN, self.runs, strict=True) if name not in said]
        marks = ", ".join(said.get(name, "?") for name in WRITTEN)
        return f"INSERT OR REPLACE INTO runs ({', '.join(WRITTEN)}) VALUES ({marks})", zip(*given, strict=False)

    def curve_rows(self, layout: int) -> Iterator[tuple[str, int, bytes, bytes, int]]:
        """Return the rows of `curves`, which have a layout of this number."""
        return zip(self.runs[0], repeat(self.layers), self.curves, self.deep, repeat(layout), strict=False)

    @classmethod
    def of(
        cls, columns: Mapping[str, Sequence[Any]], shared: Mapping[str, Any], records: npt.NDArray[np.float64],
        written: Sequence[int], layers: int,
    ) -> Rows:  # fmt: skip
        """Return the rows of runs from their columns, what all of them share, and their records: see `encode_all`.

        Raises RowError for a column or a value that cannot be stored.
        """
        _check_names({**columns, **shared})
        for name, value in shared.items():
            _check(name, value)
        kept = {name: plain(shared.get(name)) for name in WRITTEN if name not in columns}
        own = {name: _checked(name, column) for name, column in columns.items()}
        curves, deep = encode_all(records, written, layers)
        runs = [own[name] if name in own else [kept[name]] * len(written) for name in WRITTEN]
        return cls(runs, layers, curves, deep, kept)


def literal(value: Any) -> str:
    """Return a value as SQL has it; nothing for what is to be handed over: floats, which SQLite may round, odd text."""
    if value is None:
        return "NULL"
    if isinstance(value, str) and len(value) <= LONGEST_LITERAL and value.isascii() and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    return str(value) if isinstance(value, int) and abs(value) < MOST else ""


def _checked(name: str, column: Sequence[Any]) -> Sequence[Any]:
    """Return a column as SQLite gives it back; RowError where it cannot hold a value."""
    kinds = set(map(type, column))
    if not kinds <= ALWAYS:
        for value in column:
            _check(name, value)
    is_kept = kinds <= KEPT or (kinds <= EXACT and not any(map(ne, column, column)))  # NaN alone is not what it is
    return column if is_kept else list(map(plain, column))


def plain(value: Any) -> Any:
    """Return a value as SQLite gives it back: no NaN, no truth values, no subclasses. Seals are over these."""
    if type(value) in KEPT:
        return value
    if isinstance(value, float):
        return float(value) if value == value else None
    return int(value) if isinstance(value, int) else str(value) if isinstance(value, str) else value


def _check_names(values: Mapping[str, Any]) -> None:
    for name in values.keys() - COLUMNS:
        raise RowError(f"unknown column {name!r}{suggestion(name, WRITTEN)}")


def _check(name: str, value: Any) -> None:
    if type(value) not in ALWAYS and not storable(value):
        raise RowError(f"{name}: {value!a} cannot be stored")


def storable(value: Any) -> bool:
    """Whether SQLite can hold a value: whole numbers have 64 bits there, texts are UTF-8."""
    if isinstance(value, int):
        return LEAST <= value <= MOST
    if isinstance(value, str):
        return value.isascii() or _encodes(value)
    return value is None or isinstance(value, float | bytes)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class Session:
    """One invocation that ran something: where, and everything that is good to know about it."""

    host: Mapping[str, Any]
    started_at: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
