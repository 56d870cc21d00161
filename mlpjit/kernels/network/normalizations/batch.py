"""Batch normalization between z and the activation (Ioffe & Szegedy 2015), as a record of the catalogue."""

from __future__ import annotations

from mlpjit.kernels.language import Int, Ints, Reals, kernel, load, offset
from mlpjit.kernels.network.normalization_rules import Acts, Normalization, eps_of, normalizations
from mlpjit.kernels.network.normalizing.batch_tangents import batch_back_pair, batch_pair
from mlpjit.kernels.network.normalizing.batch_values import normalize_backward, normalize_batch, normalize_running
from mlpjit.kernels.tables import LAYER, MODE


@kernel
def batch_forward(rows: Int, training: Int, layer: Ints, params: Reals, running: Reals, workspace: Reals) -> None:
    """Batch normalization: over the batch in training, running statistics in evaluation."""
    columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    z = offset(workspace, load(layer, LAYER.slope_at))
    gamma, beta = offset(params, load(layer, LAYER.gamma_at)), offset(params, load(layer, LAYER.beta_at))
    moments = offset(running, load(layer, LAYER.running_at))
    if training != MODE.evaluation:
        normalized = offset(workspace, load(layer, LAYER.normalized_at))
        inverse = offset(workspace, load(layer, LAYER.inverse_at))
        normalize_batch(rows, columns, z, stride, gamma, beta, normalized, inverse, moments, eps_of(layer))
    else:
        normalize_running(rows, columns, z, stride, gamma, beta, moments, eps_of(layer))


@kernel
def batch_backward(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """The exact backward pass: gamma/std (d - mean d - zhat mean(d zhat))."""
    normalize_backward(
        rows, load(layer, LAYER.fan_out), offset(workspace, load(layer, LAYER.slope_at)), load(layer, LAYER.stride),
        offset(params, load(layer, LAYER.gamma_at)), offset(workspace, load(layer, LAYER.normalized_at)),
        offset(workspace, load(layer, LAYER.inverse_at)), offset(grads, load(layer, LAYER.gamma_at)),
        offset(grads, load(layer, LAYER.beta_at)),
    )  # fmt: skip


normalizations.register(
    Normalization(
        "batch", batch_forward.function, "y = gamma (z - mean) / sqrt(var + 1e-5) + beta",
        "Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1",
        acts=Acts(normalize=batch_forward, normalize_back=batch_backward),
        pairs=Acts(normalize=batch_pair, normalize_back=batch_back_pair), tensors=("gamma", "beta"), running=True,
    )
)  # fmt: skip
