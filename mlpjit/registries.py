"""Every registry by name. Importing this imports no Numba: records are plain until something is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from mlpjit.initialization import initializers
from mlpjit.kernels.activations import activations
from mlpjit.kernels.losses import losses
from mlpjit.kernels.normalizations import normalizations
from mlpjit.kernels.optimizers import (  # noqa: F401  (these register their entries)
    averaging,
    diagonal_hessian,
    eigenbasis,
    fisher,
    kronecker,
    lie_group,
    orthogonal,
    parameter_free,
    quasi_newton,
    trust,
    wrapping,
)
from mlpjit.kernels.optimizers.clipping import clippings
from mlpjit.kernels.optimizers.elementwise import optimizers
from mlpjit.kernels.optimizers.layerwise import wrappers
from mlpjit.kernels.residuals import residuals
from mlpjit.kernels.rules import Stage
from mlpjit.kernels.schedules import schedules
from mlpjit.kernels.sources import module_hash, run_modules_hash
from mlpjit.registry import Registry, forgetting


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
    "REGISTRIES", "activations", "clippings", "initializers", "losses", "normalizations", "optimizers", "residuals",
    "schedules", "source_hash", "wrappers", "wrapping_problem",
]  # fmt: skip
