"""The hash of the code that a run's bits depend on: what every run goes through, and the entries that it uses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache

from mlpjit.catalogue.datasets import datasets
from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.memory import in_memory
from mlpjit.kernels.compiler.cache import remembered
from mlpjit.kernels.sources import Code, bytes_hash, check_unchanged, digest, home, texts

SHARED = "shared"


def entries() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield every entry of the package as "kind name", with the file and the name that define it.

    Data in memory is none: it is known by its contents.
    """
    defined = {(kind, r.name): r.function for kind, registry in REGISTRIES.items() for r in registry.records()}
    defined |= {("datasets", record.name): record.make for record in datasets.records() if not in_memory(record.name)}
    for (kind, name), function in defined.items():
        if found := home(function):
            yield f"{kind} {name}", found


def hashes(code: Code) -> dict[str, str]:
    """Return the hash of each entry, by "kind name", and of what every run goes through."""
    return {SHARED: code.shared, **{name: code.entry(*defined) for name, defined in entries()}}


def homes() -> frozenset[str]:
    """Return the files that hold catalogue entries."""
    return frozenset(path for _, (path, _) in entries())


@cache
def own_hashes() -> dict[str, str]:
    """Return the hashes of the package's own code. Taking it apart costs a fifth of a second: they are kept on disk."""
    found = texts()
    check_unchanged()
    key = f"entries {sys.version_info[:2]} {bytes_hash(found)} {' '.join(name for name, _ in entries())}"
    kept: dict[str, str] = json.loads(remembered(key, lambda: json.dumps(hashes(Code(found, homes())))))
    return kept


def source_hash(used: Iterable[tuple[str, str]]) -> str:
    """Return the hash of all code that a run with these entries uses, as (kind, name) pairs. Needs no Numba."""
    return digest([own_hashes()[SHARED], *(f"{kind} {name} {_hash(kind, name)}" for kind, name in sorted(set(used)))])


def _hash(kind: str, name: str) -> str:
    """Return the hash of one entry: of `celu(alpha=2.0)` that of celu; of a user's own, of its function in memory."""
    if kind == "datasets":
        return own_hashes()[f"{kind} {name}"]
    name = name.partition("(")[0]
    record = REGISTRIES[kind][name]
    return own_hashes()[f"{kind} {name}"] if home(record.function) else str(record.source_hash())
