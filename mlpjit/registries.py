"""Every registry by name. Importing this imports no Numba: records are plain until something is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mlpjit.initialization import initializers
from mlpjit.kernels.activations import activations
from mlpjit.kernels.losses import losses
from mlpjit.kernels.optimizers import (  # noqa: F401  (these register their entries)
    averaging,
    eigenbasis,
    kronecker,
    lie_group,
    orthogonal,
    parameter_free,
    trust,
    wrapping,
)
from mlpjit.kernels.optimizers.clipping import clippings
from mlpjit.kernels.optimizers.elementwise import optimizers
from mlpjit.kernels.optimizers.layerwise import wrappers
from mlpjit.kernels.schedules import schedules
from mlpjit.kernels.sources import module_hash, run_modules_hash
from mlpjit.registry import Registry, forgetting


@dataclass(frozen=True)
class Normalization:
    """A catalogue entry of what stands between z and the activation."""

    name: str
    formula: str
    citation: str
    summary: str
    defaults: dict[str, Any] = field(default_factory=dict)

    def source_hash(self) -> str:
        """Return a constant: the code is in a module that every run hashes."""
        return self.name


normalizations: Registry[Normalization] = Registry(
    "normalization",
    [
        Normalization("none", "y = z", "-", "No normalization."),
        Normalization(
            "batch", "y = gamma (z - mean) / sqrt(var + 1e-5) + beta",
            "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1",
            "Batch normalization: over the batch in training, running statistics in evaluation.",
        ),
    ],
)  # fmt: skip

REGISTRIES: dict[str, Registry[Any]] = {
    "optimizers": optimizers, "activations": activations, "initializers": initializers, "schedules": schedules,
    "losses": losses, "normalizations": normalizations, "clippings": clippings,
    "wrappers": wrappers,
}  # fmt: skip


# The Python modules between a config and the compiled call, and between that call and a result.
FOLDER = Path(__file__).parent
RUN_PATH = ("parameters", "network", "workspace", "forward", "compiled", "run")


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


__all__ = [
    "REGISTRIES", "activations", "clippings", "initializers", "losses", "normalizations", "optimizers", "schedules",
    "source_hash", "wrappers",
]  # fmt: skip
