"""Normalizations: what stands between a hidden layer's W, its z = W a + b and its activation.

A new one is a record with the kernels that act on W, z, delta or dW, in a module of its own.
"""

from __future__ import annotations

from mlpjit.kernels.network.normalizations import batch, none, rowwise, weights
from mlpjit.kernels.network.normalizations.records import Normalization, normalizations

__all__ = ["Normalization", "batch", "none", "normalizations", "rowwise", "weights"]
