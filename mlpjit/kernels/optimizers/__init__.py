"""Optimizers, clipping rules and wrappers: what stands in this folder is registered by standing here."""

from __future__ import annotations

from mlpjit.kernels.stages.declare import clippings, optimizers, wrappers
from mlpjit.registry import load_family

__all__ = ["clippings", "optimizers", "wrappers"]

load_family(__name__, __path__)
