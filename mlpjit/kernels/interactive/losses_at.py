"""The loss of a network at many parameter vectors, one forward pass each."""

from __future__ import annotations

from mlpjit.kernels.language import Float64s, Int, Ints, Reals, kernel, load, offset, real, store
from mlpjit.kernels.network.loss_rules import call_loss
from mlpjit.kernels.network.passes import forward, outputs_of, refresh_weights
from mlpjit.kernels.tables import LAYER


@kernel
def losses_at(
    points: Int, many: Reals, count: Int, rows: Int, mode: Int, softmax: Int, layer_count: Int, layers: Ints,
    params: Reals, moments: Reals, workspace: Reals, loss: Int, targets: Reals, settings: Float64s, found: Float64s,
) -> None:  # fmt: skip
    """Write the mean loss over `rows` samples at each of `points` parameter vectors, packed one behind the other.

    params: room for one of them, aligned and with a vector to spare, where each is copied to.
    """
    last = offset(layers, (layer_count - 1) * len(LAYER))
    for k in range(points):
        point = offset(many, k * count)
        for i in range(count):
            store(params, i, load(point, i))
        refresh_weights(rows, layer_count, layers, params, workspace)
        forward(rows, mode, softmax, layer_count, layers, params, moments, workspace)
        total = call_loss(
            loss, rows, load(last, LAYER.fan_out), outputs_of(last, softmax, workspace), load(last, LAYER.stride),
            targets, settings, real(1.0) / real(rows),
        )  # fmt: skip
        store(found, k, total / rows)
