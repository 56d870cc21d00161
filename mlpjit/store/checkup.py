"""A store looked at as a whole, mended where it is damaged, and sealed where it is of an older version."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from mlpjit.errors import DamageWarning
from mlpjit.store.database import Store


class Checkup(NamedTuple):
    """What was found in a store, a line each, which is none for a sound one; and how many runs it holds now."""

    store: str
    runs: int
    found: list[str]


def checkup(directory: Path) -> Checkup:
    """Verify the store of a folder; of a damaged one keep a copy and leave what is sound. Raises StoreError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        Store.open(directory, readonly=True).close()  # or one would be made where there is none
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", DamageWarning)
        with Store.open(directory) as store:
            runs = len(store.known())
    return Checkup(str(store.path), runs, [str(each.message) for each in told])
