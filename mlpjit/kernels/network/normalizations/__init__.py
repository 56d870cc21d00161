"""Normalizations: what stands between a hidden layer's W, its z = W a + b and its activation.

A new one is a record with the kernels that act on W, z, delta or dW, in a file of this folder, which registers it.
"""

from __future__ import annotations

from mlpjit.kernels.network.normalization_rules import normalizations
from mlpjit.registry import load_family

__all__ = ["normalizations"]

load_family(__name__, __path__)
