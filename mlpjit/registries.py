"""Every registry by name. Importing this imports no Numba: records are plain until something is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlpjit.initializers import initializers
from mlpjit.kernels.activations import activations
from mlpjit.kernels.losses import losses
from mlpjit.kernels.optimizers.clipping import clippings
from mlpjit.kernels.optimizers.elementwise import optimizers
from mlpjit.kernels.schedules import schedules
from mlpjit.registry import Registry


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
}  # fmt: skip
__all__ = [
    "REGISTRIES", "activations", "clippings", "initializers", "losses", "normalizations", "optimizers", "schedules",
]  # fmt: skip
