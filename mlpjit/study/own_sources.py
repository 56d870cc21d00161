"""The texts of files of the user's own, kept in the store of the runs that they took part in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlpjit.extending.files import OwnFile
from mlpjit.extending.source import source_of
from mlpjit.store import Store
from mlpjit.store.notes import SOURCES


def sources(store: Store) -> list[dict[str, Any]]:
    """Return what is kept of each file, the oldest first: see `extending.source.source_of`."""
    return store.note(SOURCES) or []


def keep_sources(store: Store, files: Iterable[OwnFile]) -> None:
    """Keep the texts of the files that a study names."""
    for file in files:
        keep_source(store, source_of(file))


def keep_source(store: Store, source: Mapping[str, Any] | None) -> None:
    """Keep the text of a file, unless it is kept; None stands for one that was edited since it was run."""
    kept = sources(store)
    if source is not None and source not in kept:
        store.start_writing()
        store.put_note(SOURCES, [*kept, dict(source)])
