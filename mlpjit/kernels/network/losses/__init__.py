"""Losses over rows of outputs: the sum of the rows' losses, and the delta left where the outputs were.

Every loss is a mean over samples of a SUM over outputs, without 1/2 unless its definition has one. Targets are one
dense (rows, outputs) array, one-hot for classes. Deltas are divided by the number of samples. A new loss that treats
each output alone is one function, `pointwise`; what stands in this folder is registered by standing here.
"""

from __future__ import annotations

from mlpjit.kernels.network.loss_rules import losses
from mlpjit.registry import load_family

__all__ = ["losses"]

load_family(__name__, __path__)
