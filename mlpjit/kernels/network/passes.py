"""Forward and backward through all layers, on one batch that lies in the workspace.

Each layer keeps a = f(z) at OUTPUT_AT and one matrix at SLOPE_AT, which is z, then df(z), then delta: the input
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
from mlpjit.kernels.tables import (
    ACTIVATION,
    ALPHA_AT,
    BIAS_AT,
    EFFECTIVE_AT,
    FAN_IN,
    FAN_OUT,
    GRADIENT_AT,
    INPUT_AT,
    INPUT_STRIDE,
    LAYER_COLUMNS,
    LEARNED_AT,
    MASK,
    NO_SKIP,
    NONE_AT,
    NORMALIZE,
    NORMALIZE_BACK,
    OUTPUT_AT,
    PANELS_AT,
    POST,
    PRE,
    RESIDUAL,
    REWEIGH,
    REWEIGH_BACK,
    SLOPE_AT,
    STRIDE,
    TRAINING,
    TRANSPOSED_AT,
    WEIGHT_AT,
)


@kernel
def pack_weights(l: Int, layer: Ints, w: Reals, workspace: Reals) -> None:  # noqa: E741
    """Make the copies of a layer's W that the products read."""
    fan_in, fan_out = load(layer, FAN_IN), load(layer, FAN_OUT)
    if load(layer, PANELS_AT) != NONE_AT:
        pack_panels(fan_in, fan_out, w, offset(workspace, load(layer, PANELS_AT)))
    if l > 0:
        pack_transposed_panels(fan_in, fan_out, w, offset(workspace, load(layer, TRANSPOSED_AT)))


@kernel
def refresh_weights(rows: Int, layer_count: Int, layers: Ints, params: Reals, workspace: Reals) -> None:
    """Make the copies of every W that products of so many rows read; to be called when the parameters have changed."""
    for l in range(layer_count):  # noqa: E741
        layer = offset(layers, l * LAYER_COLUMNS)
        w = offset(params, load(layer, WEIGHT_AT))
        if load(layer, REWEIGH) != 0:
            call_reweigh(load(layer, REWEIGH), layer, params, workspace)
            w = offset(workspace, load(layer, EFFECTIVE_AT))
        if rows > 1:
            pack_weights(l, layer, w, workspace)


@device
def weights_of(layer, params, workspace):
    """Return the place of a layer's W, packed: in the parameters, or where it was reweighed."""
    if load(layer, REWEIGH) != 0:
        return offset(workspace, load(layer, EFFECTIVE_AT))
    return offset(params, load(layer, WEIGHT_AT))


@kernel
def affine_map(rows: Int, layer: Ints, params: Reals, workspace: Reals) -> None:
    """z = W a + b of a layer."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(layer, STRIDE)
    a, z = offset(workspace, load(layer, INPUT_AT)), offset(workspace, load(layer, SLOPE_AT))
    bias, panels = offset(params, load(layer, BIAS_AT)), load(layer, PANELS_AT)
    if rows == 1:
        forward_row(fan_in, fan_out, a, weights_of(layer, params, workspace), bias, z)
        return
    if panels != NONE_AT:
        w, panel_step, w_stride = offset(workspace, panels), fan_in, LANES
    else:
        w, panel_step, w_stride = offset(params, load(layer, WEIGHT_AT)), 1, fan_out
    forward_product(rows, fan_in, fan_out, a, load(layer, INPUT_STRIDE), w, panel_step, w_stride, bias, z, stride)


@kernel
def drop_units(rows: Int, layer: Ints, workspace: Reals) -> None:
    """Multiply a, df, and df by a learned parameter, with the layer's mask."""
    count, mask = rows * load(layer, STRIDE), reals(layer, MASK)
    multiply_matrix(count, mask, offset(workspace, load(layer, OUTPUT_AT)))
    multiply_matrix(count, mask, offset(workspace, load(layer, SLOPE_AT)))
    if load(layer, LEARNED_AT) != NONE_AT:
        multiply_matrix(count, mask, offset(workspace, load(layer, LEARNED_AT)))


@kernel
def forward(
    rows: Int, training: Int, softmax: Int, layer_count: Int, layers: Ints, params: Reals, running: Reals,
    workspace: Reals,
) -> None:  # fmt: skip
    """z = W a + b, a = f(z), layer by layer. `training`: EVALUATION, STATISTICS or TRAINING."""
    for l in range(layer_count):  # noqa: E741
        layer = offset(layers, l * LAYER_COLUMNS)
        fan_out, stride = load(layer, FAN_OUT), load(layer, STRIDE)
        a, z = offset(workspace, load(layer, INPUT_AT)), offset(workspace, load(layer, SLOPE_AT))
        affine_map(rows, layer, params, workspace)
        if load(layer, NORMALIZE) != 0:
            call_normalize(load(layer, NORMALIZE), rows, training, layer, params, running, workspace)
        if load(layer, RESIDUAL) == POST:
            add_matrix(rows * stride, a, z)
        if load(layer, ALPHA_AT) != NONE_AT:
            alpha, learned = offset(params, load(layer, ALPHA_AT)), offset(workspace, load(layer, LEARNED_AT))
            out = offset(workspace, load(layer, OUTPUT_AT))
            call_learned(load(layer, ACTIVATION), rows, fan_out, stride, out, z, alpha, learned)
        elif load(layer, ACTIVATION) != 0:
            call_activation(load(layer, ACTIVATION), rows * stride, offset(workspace, load(layer, OUTPUT_AT)), z)
        elif softmax != 0 and l == layer_count - 1:
            softmax_rows(rows, fan_out, offset(workspace, load(layer, OUTPUT_AT)), z, stride)
        if training == TRAINING and load(layer, MASK) != 0:
            drop_units(rows, layer, workspace)
        if load(layer, RESIDUAL) == PRE:
            add_matrix(rows * stride, a, offset(workspace, load(layer, OUTPUT_AT)))


@kernel
def output_delta(rows: Int, softmax: Int, layer: Ints, workspace: Reals) -> None:
    """Turn the loss's gradient by the outputs into delta at the last layer's z."""
    stride, outputs = load(layer, STRIDE), load(layer, FAN_OUT)
    gradient = offset(workspace, load(layer, OUTPUT_AT))
    delta = offset(workspace, load(layer, SLOPE_AT))
    if softmax != 0:
        # The probabilities were kept where z was; their gradient stands at OUTPUT_AT.
        softmax_gradient(rows, outputs, delta, gradient, stride, delta)
    else:
        for i in range(rows * stride):
            store(delta, i, load(delta, i) * load(gradient, i))


@kernel
def use_gradient(rows: Int, layer: Ints, grads: Reals, workspace: Reals) -> None:
    """From dL/da: d alpha of a learned activation; then leave there what the layer's skip hands down.

    That is dL/da itself where a_below was added behind the activation, delta before normalization where before it.
    """
    stride, columns = load(layer, STRIDE), load(layer, FAN_OUT)
    gradient, delta = offset(workspace, load(layer, GRADIENT_AT)), offset(workspace, load(layer, SLOPE_AT))
    if load(layer, ALPHA_AT) != NONE_AT:
        alphas = offset(grads, load(layer, ALPHA_AT))
        for j in range(columns):
            store(alphas, j, real(0.0))
        add_column_products(rows, columns, offset(workspace, load(layer, LEARNED_AT)), gradient, stride, alphas)
    if load(layer, RESIDUAL) == POST:
        copy_matrix(rows * stride, delta, gradient)


@kernel
def delta_below(rows: Int, layer: Ints, below: Ints, params: Reals, workspace: Reals) -> None:
    """Turn df of the layer below, at its SLOPE_AT, into its delta: (delta W^T) df."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(below, STRIDE)
    delta, slope = offset(workspace, load(layer, SLOPE_AT)), offset(workspace, load(below, SLOPE_AT))
    if rows == 1:
        input_gradient_row(fan_out, fan_in, delta, weights_of(layer, params, workspace), slope, slope)
        return
    turned = offset(workspace, load(layer, TRANSPOSED_AT))
    input_gradient(rows, fan_out, fan_in, delta, load(layer, STRIDE), turned, slope, stride, slope, stride)


@kernel
def descend(rows: Int, layer: Ints, below: Ints, params: Reals, workspace: Reals) -> None:
    """Keep dL/da of the layer below, delta W^T and what the skip hands down; then delta there is it times df."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(below, STRIDE)
    delta, turned = offset(workspace, load(layer, SLOPE_AT)), offset(workspace, load(layer, TRANSPOSED_AT))
    gradient = offset(workspace, load(below, GRADIENT_AT))
    if rows == 1:
        plain_gradient_row(fan_out, fan_in, delta, weights_of(layer, params, workspace), gradient)
    else:
        plain_product(rows, fan_out, fan_in, delta, load(layer, STRIDE), turned, fan_out, LANES, gradient, stride)
    if load(layer, RESIDUAL) != NO_SKIP:
        add_matrix(rows * stride, offset(workspace, load(layer, GRADIENT_AT)), gradient)
    multiply_matrix(rows * stride, gradient, offset(workspace, load(below, SLOPE_AT)))


@kernel
def gradient_of_weights(rows: Int, layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """Gradients of a layer's W and b from its delta."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(layer, STRIDE)
    a, delta = offset(workspace, load(layer, INPUT_AT)), offset(workspace, load(layer, SLOPE_AT))
    out = offset(grads, load(layer, WEIGHT_AT))
    if rows == 1:
        outer_product(fan_in, fan_out, a, delta, out)
    else:
        weight_gradient(fan_in, rows, fan_out, a, load(layer, INPUT_STRIDE), delta, stride, out)
    if load(layer, REWEIGH_BACK) != 0:
        call_reweigh_back(load(layer, REWEIGH_BACK), layer, params, grads, workspace)
    column_sums(rows, fan_out, delta, stride, offset(grads, load(layer, BIAS_AT)))


@kernel
def backward(rows: Int, layer_count: Int, layers: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """Gradients of all parameters from the delta of the last layer, which stands at its SLOPE_AT."""
    for l in range(layer_count - 1, -1, -1):  # noqa: E741
        layer = offset(layers, l * LAYER_COLUMNS)
        if load(layer, GRADIENT_AT) != NONE_AT:
            use_gradient(rows, layer, grads, workspace)
        if load(layer, NORMALIZE_BACK) != 0:
            call_normalize_back(load(layer, NORMALIZE_BACK), rows, layer, params, grads, workspace)
        gradient_of_weights(rows, layer, params, grads, workspace)
        if l > 0:
            below = offset(layers, (l - 1) * LAYER_COLUMNS)
            if load(below, GRADIENT_AT) == NONE_AT:
                delta_below(rows, layer, below, params, workspace)
            else:
                descend(rows, layer, below, params, workspace)
