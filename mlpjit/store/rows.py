"""What is written: the row of a run and its history, a session; and what of it SQLite can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpjit.errors import StoreError
from mlpjit.registry import suggestion
from mlpjit.store.arrays import encode
from mlpjit.store.schema import WRITTEN

if TYPE_CHECKING:
    import numpy.typing as npt

COLUMNS = frozenset(WRITTEN)
ALWAYS = frozenset((float, bool, bytes, type(None)))
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
        for name in self.values.keys() - COLUMNS:
            raise RowError(f"unknown column {name!r}{suggestion(name, WRITTEN)}")
        for name, value in self.values.items():
            if type(value) not in ALWAYS and not storable(value):
                raise RowError(f"{name}: {value!a} cannot be stored")
        return list(map(self.values.get, WRITTEN))

    def curves(self) -> tuple[int, bytes, bytes]:
        """Return (layers, curve, layer curve). Raises RowError for a record that is unknown or misshapen."""
        try:
            return encode(self.history)
        except (TypeError, ValueError) as error:
            raise RowError(f"history: {error}") from error


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
