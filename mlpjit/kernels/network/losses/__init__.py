"""Losses over rows of outputs: the sum of the rows' losses, and the delta left where the outputs were.

Every loss is a mean over samples of a SUM over outputs, without 1/2 unless its definition has one. Targets are one
dense (rows, outputs) array, one-hot for classes. Deltas are divided by the number of samples. A new loss that treats
each output alone is one function in `pointwise`.
"""

from __future__ import annotations

from mlpjit.kernels.network.losses import pointwise
from mlpjit.kernels.network.losses.records import Loss, call_loss, call_loss_sample, call_loss_tangent, losses, parts
from mlpjit.kernels.network.losses.softmax import softmax_gradient, softmax_rows

__all__ = [
    "Loss", "call_loss", "call_loss_sample", "call_loss_tangent", "losses", "parts", "pointwise", "softmax_gradient",
    "softmax_rows",
]  # fmt: skip
