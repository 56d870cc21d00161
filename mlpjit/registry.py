"""Named records of one kind, with a suggestion when a name is misspelt."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from mlpjit.errors import ConfigError


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name it is found by."""
        ...


Record = TypeVar("Record", bound=Named)
# Called when another record takes a name: they clear what was remembered by names.
forgetting: list[Callable[[], object]] = []


MOST_NEAR, MOST_LETTERS = 8, 100  # names whose edits are counted, and letters of what was got


def suggestion(got: str, allowed: Iterable[str]) -> str:
    """Return `: did you mean 'x'?` for the nearest allowed name, else the list of what is allowed."""
    names = list(allowed)
    spelt = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(got.lower(), spelt, n=MOST_NEAR, cutoff=0.6)
    if len(got) <= MOST_LETTERS:
        near.sort(key=lambda name: edits(got.lower(), name))
    return f": did you mean {spelt[near[0]]!r}?" if near else f" (known: {', '.join(names)})"


def edits(one: str, other: str) -> int:
    """Return how many letters to insert, leave out, replace or exchange with the next lead from a text to another.

    Optimal string alignment, after Damerau (Communications of the ACM 7, 1964): an exchange is one slip of the fingers.
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one):
        row = [i + 1]
        for j, b in enumerate(other):
            fewest = min(rows[-1][j + 1] + 1, row[j] + 1, rows[-1][j] + (a != b))
            exchanged = i > 0 and j > 0 and a == other[j - 1] and b == one[i - 1]
            row.append(min(fewest, rows[-2][j - 1] + 1) if exchanged else fewest)
        rows.append(row)
    return rows[-1][-1]


class Registry(Generic[Record]):
    """The records of one kind in the order of their registration.

    Looking up an unknown name raises ConfigError with the nearest known one. With `family`, the package whose files
    register what is built in, these are there before anything is looked up.
    """

    def __init__(self, kind: str, records: Iterable[Record] = (), family: str = "") -> None:
        self.kind, self.family = kind, family
        self._records: dict[str, Record] = {}
        for record in records:
            self.register(record)

    def register(self, record: Record) -> Record:
        """Add a record; a name that is taken already raises ConfigError."""
        if record.name in self._records:
            raise ConfigError(f"{self.kind} {record.name!r} is registered already")
        self._records[record.name] = record
        return record

    def remove(self, name: str) -> None:
        """Take a record out, and have forgotten what was remembered by its name."""
        del self._records[name]
        for forget in forgetting:
            forget()

    def _known(self) -> dict[str, Record]:
        if self.family:
            importlib.import_module(self.family)
        return self._records

    def __getitem__(self, name: str) -> Record:
        known = self._known()
        if name not in known:
            raise ConfigError(f"unknown {self.kind} {name!r}{suggestion(str(name), known)}")
        return known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def records(self) -> list[Any]:
        """Return every record, in order of registration."""
        return list(self._known().values())


def load_family(package: str, folder: Iterable[str]) -> None:
    """Import every module of a package, by name: what stands in a family's folder is registered by standing there."""
    for name in sorted(module.name for module in pkgutil.iter_modules(folder)):
        importlib.import_module(f"{package}.{name}")
