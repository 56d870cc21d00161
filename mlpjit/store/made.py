"""What a writer has committed, kept beside the store while it writes: a log that is cut afterwards is noticed.

The file lies there as long as the log does. It holds a block for each commit: its length and checksum, then the store's
name, and the id and seal of each run. A block that is damaged ends it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpjit.store.schema import name_of

ACCOUNT = "-made"
Seals = Sequence[tuple[str, bytes]]


def beside(path: Path) -> Path:
    """Return where a store's account lies."""
    return path.with_name(path.name + ACCOUNT)


class Account:
    """The account of one writer: opened with its store, added to after each commit."""

    def __init__(self, path: Path, store: str) -> None:
        self.store = store
        self._descriptor = os.open(beside(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, made: Seals) -> None:
        """Add the runs of one commit. The system keeps it when the process is killed."""
        lines = [self.store, *(f"{mark.hex()} {run_id}" for run_id, mark in made)]
        block = "\n".join(lines).encode()
        os.write(self._descriptor, b"%d %d\n%s\n" % (len(block), zlib.crc32(block), block))

    def close(self) -> None:
        """Close the file, which stays."""
        os.close(self._descriptor)


def committed(path: Path) -> dict[str, dict[str, bytes]]:
    """Return the seal of every run that writers of a store have reported as stored, by the store's name and its id."""
    found: dict[str, dict[str, bytes]] = {}
    try:
        data = beside(path).read_bytes()
    except OSError:
        return found
    with contextlib.suppress(ValueError):  # the rest is damaged
        while data:
            head, _, rest = data.partition(b"\n")
            size, checksum = map(int, head.split())
            block, data = rest[:size], rest[size + 1 :]
            if len(block) < size or zlib.crc32(block) != checksum:
                break
            store, *lines = block.decode().split("\n")
            pairs = (line.split(" ", 1) for line in lines)
            found.setdefault(store, {}).update((run_id, bytes.fromhex(mark)) for mark, run_id in pairs)
    return found


def lost(reported: Mapping[str, Mapping[str, bytes]], connection: sqlite3.Connection) -> int:
    """Return how many runs were `committed` that this store lacks: its log was cut, deleted or replaced.

    What is reported is to be read first: a run is in the store before it is in the account.
    """
    mine = reported.get(name_of(connection)) if reported else None
    if not mine:
        return 0
    held = dict(connection.execute("SELECT run_id, seal FROM seals"))
    return sum(held.get(run_id) != mark for run_id, mark in mine.items())
