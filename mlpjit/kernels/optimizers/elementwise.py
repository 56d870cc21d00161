"""The elementwise optimizers of the catalogue, by family; importing this registers them all."""

from __future__ import annotations

from mlpjit.kernels.optimizers import accelerated, adagrads, adams, adams_relatives, signs
from mlpjit.kernels.optimizers.registration import optimizers

FAMILIES = (accelerated, adagrads, adams, adams_relatives, signs)

__all__ = ["FAMILIES", "optimizers"]
