"""What is written: the row of a run and its history, a session; and what of it SQLite can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
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
ROW_BYTES = 8192  # of a run beside its curves: some hundred values with their objects
LEAST, MOST = -(2**63), 2**63 - 1


class RowError(StoreError):
    """A row that no store can hold: the rest of the store is well."""


@dataclass(frozen=True)
class StoredRun:
    """One row of `runs` by column name, and the history of the run by record: see `arrays.encode`."""

    values: Mapping[str, Any]
    history: Mapping[str, npt.ArrayLike] = field(default_factory=dict)

    def row(self) -> list[Any]:
        """Return its values in the order of WRITTEN. Raises RowError for a column or a value that cannot be stored."""
        _check_names(self.values)
        for name, value in self.values.items():
            _check(name, value)
        return list(map(plain, map(self.values.get, WRITTEN)))

    def curves(self) -> tuple[int, bytes, bytes]:
        """Return (layers, curve, layer curve). Raises RowError for a record that is unknown or misshapen."""
        try:
            return encode(self.history)
        except (TypeError, ValueError) as error:
            raise RowError(f"history: {error}") from error


@dataclass(frozen=True)
class Rows:
    """Rows of `runs`, values in the order of WRITTEN, and of `curves`, ready to be written."""

    runs: Sequence[Sequence[Any]]
    curves: Sequence[tuple[str, int, bytes, bytes]]

    @property
    def size(self) -> int:
        """Return about how many bytes they take until they are written."""
        return sum(ROW_BYTES + len(curve) + len(deep) for _, _, curve, deep in self.curves)

    def seals(self, layout: int) -> list[tuple[str, bytes]]:
        """Return (run id, seal) of each, whose curves have a layout of this number."""
        pairs = zip(self.runs, self.curves, strict=True)
        return [(run_id, seal((*run, layers, layout, curve, deep))) for run, (run_id, layers, curve, deep) in pairs]

    @classmethod
    def of(
        cls, columns: Mapping[str, Sequence[Any]], shared: Mapping[str, Any], records: npt.NDArray[np.float64],
        written: Sequence[int], layers: int,
    ) -> Rows:  # fmt: skip
        """Return the rows of runs from their columns, what all of them share, and their records: see `encode_all`.

        Raises RowError for a column or a value that cannot be stored.
        """
        _check_names({**columns, **shared})
        for name, column in columns.items():
            if not ALWAYS.issuperset(map(type, column)):
                for value in column:
                    _check(name, value)
        for name, value in shared.items():
            _check(name, value)
        found = [_as_kept(columns[name]) if name in columns else repeat(plain(shared.get(name))) for name in WRITTEN]
        blobs = encode_all(records, written, layers)
        curves = [(run_id, layers, *both) for run_id, both in zip(columns["run_id"], blobs, strict=True)]
        return cls(list(zip(*found, strict=False)), curves)


def _as_kept(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column as SQLite gives it back."""
    return column if KEPT.issuperset(map(type, column)) else list(map(plain, column))


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
