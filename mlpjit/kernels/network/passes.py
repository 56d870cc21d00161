"""Forward and backward through all layers, on one batch that lies in the workspace.

Each layer keeps a = f(z) at output_at and one matrix at slope_at, which is z, then df(z), then delta: the input
gradient multiplies by df as it leaves its registers and overwrites it. Deltas of all layers stay until the next
forward pass.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import (
    LANES,
    forward_product,
    input_gradient,
    pack_panels,
    pack_transposed_panels,
    plain_product,
    weight_gradient,
)
from mlpjit.kernels.arithmetic.matrices import (
    add_column_products,
    add_matrix,
    column_sums,
    copy_matrix,
    multiply_matrix,
)
from mlpjit.kernels.arithmetic.one_row import forward_row, input_gradient_row, outer_product, plain_gradient_row
from mlpjit.kernels.language import Int, Ints, Reals, device, kernel, load, offset, real, reals, store
from mlpjit.kernels.network.activation_loops import call_activation, call_learned
from mlpjit.kernels.network.normalization_rules import (
    call_normalize,
    call_normalize_back,
    call_reweigh,
    call_reweigh_back,
)
from mlpjit.kernels.network.softmax import softmax_gradient, softmax_rows
from mlpjit.kernels.tables import LAYER, MODE, NONE_AT, RESIDUAL


@kernel
def pack_weights(l: Int, layer: Ints, w: Reals, workspace: Reals) -> None:  # noqa: E741
    """Make the copies of a layer's W that the products read."""
    fan_in, fan_out = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    if load(layer, LAYER.panels_at) != NONE_AT:
        pack_panels(fan_in, fan_out, w, offset(workspace, load(layer, LAYER.panels_at)))
    if l > 0:
        pack_transposed_panels(fan_in, fan_out, w, offset(workspace, load(layer, LAYER.transposed_at)))


@kernel
def refresh_weights(rows: Int, layer_count: Int, layers: Ints, params: Reals, workspace: Reals) -> None:
    """Make the copies of every W that products of so many rows read; to be called when the parameters have changed."""
    for l in range(layer_count):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        w = offset(params, load(layer, LAYER.weight_at))
        if load(layer, LAYER.reweigh) != 0:
            call_reweigh(load(layer, LAYER.reweigh), layer, params, workspace)
            w = offset(workspace, load(layer, LAYER.effective_at))
        if rows > 1:
            pack_weights(l, layer, w, workspace)


@device
def weights_of(layer, params, workspace):
    """Return the place of a layer's W, packed: in the parameters, or where it was reweighed."""
    if load(layer, LAYER.reweigh) != 0:
        return offset(workspace, load(layer, LAYER.effective_at))
    return offset(params, load(layer, LAYER.weight_at))


@kernel
def affine_map(rows: Int, layer: Ints, params: Reals, workspace: Reals) -> None:
    """z = W a + b of a layer."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    a, z = offset(workspace, load(layer, LAYER.input_at)), offset(workspace, load(layer, LAYER.slope_at))
    bias, panels = offset(params, load(layer, LAYER.bias_at)), load(layer, LAYER.panels_at)
    if rows == 1:
        forward_row(fan_in, fan_out, a, weights_of(layer, params, workspace), bias, z)
        return
    if panels != NONE_AT:
        w, panel_step, w_stride = offset(workspace, panels), fan_in, LANES
    else:
        w, panel_step, w_stride = offset(params, load(layer, LAYER.weight_at)), 1, fan_out
    forward_product(rows, fan_in, fan_out, a, load(layer, LAYER.input_stride), w, panel_step, w_stride, bias, z, stride)


@kernel
def drop_units(rows: Int, layer: Ints, workspace: Reals) -> None:
    """Multiply a, df, and df by a learned parameter, with the layer's mask."""
    count, mask = rows * load(layer, LAYER.stride), reals(layer, LAYER.mask)
    multiply_matrix(count, mask, offset(workspace, load(layer, LAYER.output_at)))
    multiply_matrix(count, mask, offset(workspace, load(layer, LAYER.slope_at)))
    if load(layer, LAYER.learned_at) != NONE_AT:
        multiply_matrix(count, mask, offset(workspace, load(layer, LAYER.learned_at)))


@kernel
def forward(
    rows: Int, training: Int, softmax: Int, layer_count: Int, layers: Ints, params: Reals, running: Reals,
    workspace: Reals,
) -> None:  # fmt: skip
    """z = W a + b, a = f(z), layer by layer. `training` is a mode."""
    for l in range(layer_count):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        fan_out, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
        a, z = offset(workspace, load(layer, LAYER.input_at)), offset(workspace, load(layer, LAYER.slope_at))
        out = offset(workspace, load(layer, LAYER.output_at))
        affine_map(rows, layer, params, workspace)
        if load(layer, LAYER.normalize) != 0:
            call_normalize(load(layer, LAYER.normalize), rows, training, layer, params, running, workspace)
        if load(layer, LAYER.residual) == RESIDUAL.post:
            add_matrix(rows * stride, a, z)
        if load(layer, LAYER.alpha_at) != NONE_AT:
            alpha = offset(params, load(layer, LAYER.alpha_at))
            learned = offset(workspace, load(layer, LAYER.learned_at))
            call_learned(load(layer, LAYER.activation), rows, fan_out, stride, out, z, alpha, learned)
        elif load(layer, LAYER.activation) != 0:
            call_activation(load(layer, LAYER.activation), rows * stride, out, z)
        elif softmax != 0 and l == layer_count - 1:
            softmax_rows(rows, fan_out, out, z, stride)
        if training == MODE.training and load(layer, LAYER.mask) != 0:
            drop_units(rows, layer, workspace)
        if load(layer, LAYER.residual) == RESIDUAL.pre:
            add_matrix(rows * stride, a, out)


@device
def outputs_of(layer, softmax, workspace):
    """Return where the network's outputs stand: in place of z where the output is the identity."""
    changed = load(layer, LAYER.activation) != 0 or softmax != 0
    return offset(workspace, load(layer, LAYER.output_at) if changed else load(layer, LAYER.slope_at))


@kernel
def output_delta(rows: Int, softmax: Int, layer: Ints, workspace: Reals) -> None:
    """Turn the loss's gradient by the outputs into delta at the last layer's z."""
    stride, outputs = load(layer, LAYER.stride), load(layer, LAYER.fan_out)
    gradient = offset(workspace, load(layer, LAYER.output_at))
    delta = offset(workspace, load(layer, LAYER.slope_at))
    if softmax != 0:
        # The probabilities were kept where z was; their gradient stands at output_at.
        softmax_gradient(rows, outputs, delta, gradient, stride, delta)
    else:
        for i in range(rows * stride):
            store(delta, i, load(delta, i) * load(gradient, i))


@kernel
def use_gradient(rows: Int, layer: Ints, grads: Reals, workspace: Reals) -> None:
    """From dL/da: d alpha of a learned activation; then leave there what the layer's skip hands down.

    That is dL/da itself where a_below was added behind the activation, delta before normalization where before it.
    """
    stride, columns = load(layer, LAYER.stride), load(layer, LAYER.fan_out)
    gradient, delta = offset(workspace, load(layer, LAYER.gradient_at)), offset(workspace, load(layer, LAYER.slope_at))
    if load(layer, LAYER.alpha_at) != NONE_AT:
        alphas = offset(grads, load(layer, LAYER.alpha_at))
        for j in range(columns):
            store(alphas, j, real(0.0))
        add_column_products(rows, columns, offset(workspace, load(layer, LAYER.learned_at)), gradient, stride, alphas)
    if load(layer, LAYER.residual) == RESIDUAL.post:
        copy_matrix(rows * stride, delta, gradient)


@kernel
def delta_below(rows: Int, layer: Ints, below: Ints, params: Reals, workspace: Reals) -> None:
    """Turn df of the layer below, at its slope_at, into its delta: (delta W^T) df."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(below, LAYER.stride)
    delta, slope = offset(workspace, load(layer, LAYER.slope_at)), offset(workspace, load(below, LAYER.slope_at))
    if rows == 1:
        input_gradient_row(fan_out, fan_in, delta, weights_of(layer, params, workspace), slope, slope)
        return
    turned = offset(workspace, load(layer, LAYER.transposed_at))
    input_gradient(rows, fan_out, fan_in, delta, load(layer, LAYER.stride), turned, slope, stride, slope, stride)


@kernel
def descend(rows: Int, layer: Ints, below: Ints, params: Reals, workspace: Reals) -> None:
    """Keep dL/da of the layer below, delta W^T and what the skip hands down; then delta there is it times df."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(below, LAYER.stride)
    delta, turned = offset(workspace, load(layer, LAYER.slope_at)), offset(workspace, load(layer, LAYER.transposed_at))
    gradient = offset(workspace, load(below, LAYER.gradient_at))
    if rows == 1:
        plain_gradient_row(fan_out, fan_in, delta, weights_of(layer, params, workspace), gradient)
    else:
        plain_product(rows, fan_out, fan_in, delta, load(layer, LAYER.stride), turned, fan_out, LANES, gradient, stride)
    if load(layer, LAYER.residual) != RESIDUAL.none:
        add_matrix(rows * stride, offset(workspace, load(layer, LAYER.gradient_at)), gradient)
    multiply_matrix(rows * stride, gradient, offset(workspace, load(below, LAYER.slope_at)))


@kernel
def gradient_of_weights(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """Gradients of a layer's W and b from its delta."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    a, delta = offset(workspace, load(layer, LAYER.input_at)), offset(workspace, load(layer, LAYER.slope_at))
    out = offset(grads, load(layer, LAYER.weight_at))
    if rows == 1:
        outer_product(fan_in, fan_out, a, delta, out)
    else:
        weight_gradient(fan_in, rows, fan_out, a, load(layer, LAYER.input_stride), delta, stride, out)
    if load(layer, LAYER.reweigh_back) != 0:
        call_reweigh_back(load(layer, LAYER.reweigh_back), layer, params, grads, workspace)
    column_sums(rows, fan_out, delta, stride, offset(grads, load(layer, LAYER.bias_at)))


@kernel
def backward(rows: Int, layer_count: Int, layers: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """Gradients of all parameters from the delta of the last layer, which stands at its slope_at."""
    for l in range(layer_count - 1, -1, -1):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        if load(layer, LAYER.gradient_at) != NONE_AT:
            use_gradient(rows, layer, grads, workspace)
        if load(layer, LAYER.normalize_back) != 0:
            call_normalize_back(load(layer, LAYER.normalize_back), rows, layer, params, grads, workspace)
        gradient_of_weights(rows, layer, params, grads, workspace)
        if l > 0:
            below = offset(layers, (l - 1) * len(LAYER))
            if load(below, LAYER.gradient_at) == NONE_AT:
                delta_below(rows, layer, below, params, workspace)
            else:
                descend(rows, layer, below, params, workspace)
