"""The hash of the code that a run's bits depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.kernels.sources import module_hash, run_modules_hash
from mlpjit.registry import forgetting

# The Python modules between a config and the compiled call, and between that call and a result.
FOLDER = Path(__file__).parents[1] / "training"
RUN_PATH = ("first_parameters", "shape", "workspace", "forward", "linking", "run")


@cache
def _shared_hash() -> str:
    """Return the hash of the code that every run goes through, whatever records it uses."""
    parts = [run_modules_hash(), *(module_hash(FOLDER / f"{name}.py") for name in RUN_PATH)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _rule_hash(kind: str, name: str) -> str:
    # A softmax output belongs to the losses, whose module every run hashes.
    return "" if (kind, name) == ("activations", "softmax") else str(REGISTRIES[kind][name].source_hash())


forgetting.append(_rule_hash.cache_clear)


def source_hash(used: Iterable[tuple[str, str]]) -> str:
    """Return the hash of all code that a run with these records uses, as (kind, name) pairs. Needs no Numba."""
    parts = [_shared_hash()] + [f"{kind} {name} {_rule_hash(kind, name)}" for kind, name in sorted(set(used))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
