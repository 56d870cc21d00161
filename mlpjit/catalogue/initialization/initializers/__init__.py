"""Initializers: what stands in this folder is registered by standing here. Imports no Numba."""

from __future__ import annotations

from mlpjit.catalogue.initialization.records import initializers
from mlpjit.registry import load_family

__all__ = ["initializers"]

load_family(__name__, __path__)
