"""Layer normalization and RMS normalization: statistics of one sample over the units of a layer.

Sources: Ba, Kiros & Hinton 2016, arXiv:1607.06450, equation 4; Zhang & Sennrich 2019, arXiv:1910.07467, equation 4,
whose bias, behind the gain, is our beta (PyTorch's RMSNorm has none). Neither has our eps of 1e-5, which a row of equal
numbers, or of zeros, needs. Sums of a row are float64, 16 lanes folded in a fixed order: no float32 overflows in them.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Ints, Reals, device, kernel, load, offset
from mlpjit.kernels.network.normalization_rules import Acts, Normalization, eps_of, normalizations
from mlpjit.kernels.network.normalizing.rowwise_tangents import layer_back_pair, layer_pair, rms_back_pair, rms_pair
from mlpjit.kernels.network.normalizing.rowwise_values import normalize_rows, normalize_rows_back
from mlpjit.kernels.tables import LAYER


@device
def forward_rows(rows, centred, layer, params, workspace):
    """Normalize the rows of z."""
    normalize_rows(
        rows, load(layer, LAYER.fan_out), offset(workspace, load(layer, LAYER.slope_at)), load(layer, LAYER.stride),
        centred, offset(params, load(layer, LAYER.gamma_at)), offset(params, load(layer, LAYER.beta_at)),
        offset(workspace, load(layer, LAYER.normalized_at)), offset(workspace, load(layer, LAYER.inverse_at)),
        eps_of(layer),
    )  # fmt: skip


@device
def backward_rows(rows, centred, layer, params, grads, workspace):
    """Delta at the output becomes delta at z; also d gamma and d beta."""
    normalize_rows_back(
        rows, load(layer, LAYER.fan_out), offset(workspace, load(layer, LAYER.slope_at)), load(layer, LAYER.stride),
        centred, offset(params, load(layer, LAYER.gamma_at)), offset(workspace, load(layer, LAYER.normalized_at)),
        offset(workspace, load(layer, LAYER.inverse_at)), offset(grads, load(layer, LAYER.gamma_at)),
        offset(grads, load(layer, LAYER.beta_at)),
    )  # fmt: skip


@kernel
def layer_forward(rows: Int, training: Int, layer: Ints, params: Reals, running: Reals, workspace: Reals) -> None:
    """Layer normalization: mean and variance of each sample over the units, in training and in evaluation."""
    forward_rows(rows, 1, layer, params, workspace)


@kernel
def layer_backward(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """The exact backward pass: (d - mean d - zhat mean(d zhat)) / std with d = gamma delta."""
    backward_rows(rows, 1, layer, params, grads, workspace)


@kernel
def rms_forward(rows: Int, training: Int, layer: Ints, params: Reals, running: Reals, workspace: Reals) -> None:
    """RMS normalization: each sample divided by its root mean square over the units, not centred."""
    forward_rows(rows, 0, layer, params, workspace)


@kernel
def rms_backward(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """The exact backward pass: (d - zhat mean(d zhat)) / rms with d = gamma delta."""
    backward_rows(rows, 0, layer, params, grads, workspace)


normalizations.register(
    Normalization(
        "layer", layer_forward.function, "y = gamma (z - mean) / sqrt(var + 1e-5) + beta, over the units of a sample",
        "Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 4",
        acts=Acts(normalize=layer_forward, normalize_back=layer_backward),
        pairs=Acts(normalize=layer_pair, normalize_back=layer_back_pair), tensors=("gamma", "beta"),
    )
)  # fmt: skip
normalizations.register(
    Normalization(
        "rms", rms_forward.function, "y = gamma z / sqrt(mean z^2 + 1e-5) + beta, over the units of a sample",
        "Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4",
        acts=Acts(normalize=rms_forward, normalize_back=rms_backward),
        pairs=Acts(normalize=rms_pair, normalize_back=rms_back_pair), tensors=("gamma", "beta"),
    )
)  # fmt: skip
