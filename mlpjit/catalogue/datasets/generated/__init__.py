"""Generated datasets, one file each: the same bits on every CPU, with parameters and a known structure.

Random numbers and elementary functions come from `mlpjit.kernels`; all other arithmetic is elementwise, so
every operation is rounded the same everywhere. What stands in this folder is registered by standing here.
"""

from __future__ import annotations

from mlpjit.catalogue.datasets.records import datasets
from mlpjit.registry import load_family

__all__ = ["datasets"]

load_family(__name__, __path__)
