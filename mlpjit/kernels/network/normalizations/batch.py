"""Batch normalization between z and the activation (Ioffe & Szegedy 2015), as a record of the catalogue."""

from __future__ import annotations

from mlpjit.kernels.language import Int, Ints, Reals, kernel, load, offset
from mlpjit.kernels.network.normalization_rules import Normalization, normalizations
from mlpjit.kernels.network.normalizing.batch_tangents import batch_back_pair, batch_pair
from mlpjit.kernels.network.normalizing.batch_values import normalize_backward, normalize_batch, normalize_running
from mlpjit.kernels.tables import (
    BETA_AT,
    FAN_OUT,
    GAMMA_AT,
    INVERSE_AT,
    NORMALIZED_AT,
    RUNNING_AT,
    SLOPE_AT,
    STRIDE,
)


@kernel
def batch_forward(rows: Int, training: Int, layer: Ints, params: Reals, running: Reals, workspace: Reals) -> None:
    """Batch normalization: over the batch in training, running statistics in evaluation."""
    columns, stride, z = load(layer, FAN_OUT), load(layer, STRIDE), offset(workspace, load(layer, SLOPE_AT))
    gamma, beta = offset(params, load(layer, GAMMA_AT)), offset(params, load(layer, BETA_AT))
    moments = offset(running, load(layer, RUNNING_AT))
    if training != 0:
        normalized = offset(workspace, load(layer, NORMALIZED_AT))
        inverse = offset(workspace, load(layer, INVERSE_AT))
        normalize_batch(rows, columns, z, stride, gamma, beta, normalized, inverse, moments)
    else:
        normalize_running(rows, columns, z, stride, gamma, beta, moments)


@kernel
def batch_backward(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """The exact backward pass: gamma/std (d - mean d - zhat mean(d zhat))."""
    normalize_backward(
        rows, load(layer, FAN_OUT), offset(workspace, load(layer, SLOPE_AT)), load(layer, STRIDE),
        offset(params, load(layer, GAMMA_AT)), offset(workspace, load(layer, NORMALIZED_AT)),
        offset(workspace, load(layer, INVERSE_AT)), offset(grads, load(layer, GAMMA_AT)),
        offset(grads, load(layer, BETA_AT)),
    )  # fmt: skip


normalizations.register(
    Normalization(
        "batch", batch_forward.function, "y = gamma (z - mean) / sqrt(var + 1e-5) + beta",
        "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1", acts=(None, batch_forward, batch_backward, None),
        pairs=(None, batch_pair, batch_back_pair, None), tensors=("gamma", "beta"), running=True,
    )
)  # fmt: skip
