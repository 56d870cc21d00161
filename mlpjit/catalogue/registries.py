"""Every registry by name. Importing this imports no Numba: records are plain until something is compiled."""

from __future__ import annotations

from typing import Any

from mlpjit.catalogue.initialization import initializers
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.network.activations import activations
from mlpjit.kernels.network.losses import losses
from mlpjit.kernels.network.normalizations import normalizations
from mlpjit.kernels.network.residuals import residuals
from mlpjit.kernels.optimizers import clippings, optimizers, wrappers
from mlpjit.kernels.schedules import schedules
from mlpjit.registry import Registry


def wrapping_problem(wrapper: Stage, optimizer: Stage) -> str | None:
    """Return why an optimizer cannot stand in a wrapper, in one line; None where it can."""
    pair = f"wrapper {wrapper.name!r} of optimizer {optimizer.name!r}"
    if optimizer.point and wrapper.point:
        return f"{pair}: both report another point than the parameters"
    if optimizer.point and wrapper.moves:
        return f"{pair}: it changes the parameters behind the optimizer, which reports a point made of those it wrote"
    return None


REGISTRIES: dict[str, Registry[Any]] = {
    "optimizers": optimizers, "activations": activations, "initializers": initializers, "schedules": schedules,
    "losses": losses, "normalizations": normalizations, "residuals": residuals, "clippings": clippings,
    "wrappers": wrappers,
}  # fmt: skip


__all__ = [
    "REGISTRIES", "activations", "clippings", "initializers", "losses", "normalizations", "optimizers", "residuals",
    "schedules", "wrappers", "wrapping_problem",
]  # fmt: skip
