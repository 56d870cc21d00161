"""Exact Hessian-vector products H v of the mean loss, without H: R{.} applied to forward and backward.

Source: Pearlmutter 1994, "Fast exact multiplication by the Hessian", Neural Computation 6(1). R{f(theta)} is
d/dr f(theta + r v) at r = 0, so R{gradient} = H v. `vector` is packed like the parameters: V and c are its W and b.
`pairs` says where everything stands.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES, forward_product, plain_product, weight_gradient
from mlpjit.kernels.arithmetic.matrices import (
    add_column_products,
    add_matrix,
    column_sums,
    copy_matrix,
    multiply_matrix,
)
from mlpjit.kernels.language import Float64s, Int, Ints, Reals, kernel, load, offset, real, reals, store
from mlpjit.kernels.network.activation_loops import call_derivatives, call_learned_pair
from mlpjit.kernels.network.loss_rules import call_loss, call_loss_tangent
from mlpjit.kernels.network.normalization_rules import (
    call_normalize_back_pair,
    call_normalize_pair,
    call_reweigh_back_pair,
    call_reweigh_pair,
)
from mlpjit.kernels.network.pairs import inputs_of, panels_of, part, scratch_of, second_part
from mlpjit.kernels.network.passes import pack_weights, refresh_weights
from mlpjit.kernels.network.softmax import softmax_rows
from mlpjit.kernels.network.tangents import (
    activation_tangent,
    delta_tangent,
    softmax_gradient_tangent,
    softmax_tangent,
)
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
    POST,
    PRE,
    RESIDUAL,
    REWEIGH,
    REWEIGH_BACK,
    SLOPE_AT,
    STRIDE,
    TRANSPOSED_AT,
    WEIGHT_AT,
)


@kernel
def affine(rows: Int, layer: Ints, values: Reals, a: Reals, out: Reals, workspace: Reals) -> None:
    """out = W a + b with W and b of `values`; `layer` names the panels of that W."""
    w, panel_step, w_stride = panels_of(layer, values, workspace)
    forward_product(
        rows, load(layer, FAN_IN), load(layer, FAN_OUT), a, load(layer, INPUT_STRIDE), w, panel_step, w_stride,
        part(values, layer, BIAS_AT), out, load(layer, STRIDE),
    )  # fmt: skip


@kernel
def pre_activation_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals
) -> None:
    """z = W a + b to the scratch, Rz = V a + c + W Ra to its place, both normalized; Rx = 0."""
    z, z_moved = scratch_of(rows, layer, workspace, 0), second_part(rows, workspace, layer, SLOPE_AT)
    a = inputs_of(rows, layer, x, workspace)
    affine(rows, layer, params, a, z, workspace)
    affine(rows, moved, vector, a, z_moved, workspace)
    if load(layer, INPUT_AT) != NONE_AT:
        w, panel_step, w_stride = panels_of(layer, params, workspace)
        a_moved, spare = part(workspace, layer, INPUT_AT), scratch_of(rows, layer, workspace, 1)
        stride, a_stride = load(layer, STRIDE), load(layer, INPUT_STRIDE)
        fan_in, fan_out = load(layer, FAN_IN), load(layer, FAN_OUT)
        plain_product(rows, fan_in, fan_out, a_moved, a_stride, w, panel_step, w_stride, spare, stride)
        add_matrix(rows * stride, spare, z_moved)
    if load(moved, NORMALIZE) != 0:
        call_normalize_pair(load(moved, NORMALIZE), rows, layer, moved, params, vector, z, workspace)
    if load(layer, RESIDUAL) == POST:
        add_matrix(rows * load(layer, STRIDE), a, z)
        add_matrix(rows * load(layer, STRIDE), part(workspace, layer, INPUT_AT), z_moved)


@kernel
def activate_pair(
    rows: Int, layer: Ints, params: Reals, vector: Reals, a: Reals, a_moved: Reals, workspace: Reals
) -> None:
    """a = f(z), Ra = f'(z) Rz with z from the scratch; keeps f'(z) and f''(z) Rz.

    A softmax keeps p (in the scratch) and Rp instead, a learned activation its derivative by alpha too, with R of it.
    """
    z, bend = scratch_of(rows, layer, workspace, 0), scratch_of(rows, layer, workspace, 1)
    slope, z_moved = part(workspace, layer, SLOPE_AT), second_part(rows, workspace, layer, SLOPE_AT)
    stride, outputs = load(layer, STRIDE), load(layer, FAN_OUT)
    if load(layer, ALPHA_AT) != NONE_AT:
        call_learned_pair(
            load(layer, ACTIVATION), rows, outputs, stride, z, z_moved, part(params, layer, ALPHA_AT),
            part(vector, layer, ALPHA_AT), a, a_moved, slope, part(workspace, layer, LEARNED_AT),
            second_part(rows, workspace, layer, LEARNED_AT),
        )  # fmt: skip
    elif load(layer, ACTIVATION) != 0:
        call_derivatives(load(layer, ACTIVATION), rows * stride, z, a, slope, bend)
        activation_tangent(rows * stride, slope, bend, z_moved, a_moved)
    else:
        softmax_rows(rows, outputs, a, z, stride)
        softmax_tangent(rows, outputs, a, stride, z_moved, a_moved)


@kernel
def drop_pair(rows: Int, layer: Ints, a: Reals, a_moved: Reals, workspace: Reals) -> None:
    """Multiply all that `activate_pair` has made with the layer's mask."""
    count, mask = rows * load(layer, STRIDE), reals(layer, MASK)
    multiply_matrix(count, mask, a)
    multiply_matrix(count, mask, a_moved)
    multiply_matrix(count, mask, part(workspace, layer, SLOPE_AT))
    multiply_matrix(count, mask, second_part(rows, workspace, layer, SLOPE_AT))
    if load(layer, LEARNED_AT) != NONE_AT:
        multiply_matrix(count, mask, part(workspace, layer, LEARNED_AT))
        multiply_matrix(count, mask, second_part(rows, workspace, layer, LEARNED_AT))


@kernel
def hidden_pair(rows: Int, layer: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals) -> None:
    """a and Ra of a hidden layer, with dropout and what is added behind the activation."""
    a, a_moved = second_part(rows, workspace, layer, OUTPUT_AT), part(workspace, layer, OUTPUT_AT)
    activate_pair(rows, layer, params, vector, a, a_moved, workspace)
    if load(layer, MASK) != 0:
        drop_pair(rows, layer, a, a_moved, workspace)
    if load(layer, RESIDUAL) == PRE:
        add_matrix(2 * rows * load(layer, STRIDE), part(workspace, layer, INPUT_AT), a_moved)


@kernel
def forward_pairs(
    rows: Int, layer_count: Int, layers: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals
) -> None:
    """z, Rz, a, Ra, layer by layer."""
    for l in range(layer_count):  # noqa: E741
        layer, moved = offset(layers, l * LAYER_COLUMNS), offset(layers, (layer_count + l) * LAYER_COLUMNS)
        pre_activation_pair(rows, layer, moved, params, vector, x, workspace)
        if l == layer_count - 1:
            first, second = part(workspace, layer, OUTPUT_AT), second_part(rows, workspace, layer, OUTPUT_AT)
            activate_pair(rows, layer, params, vector, first, second, workspace)
        else:
            hidden_pair(rows, layer, params, vector, x, workspace)


@kernel
def output_pair(
    rows: Int, layer: Ints, loss: Int, loss_tangent: Int, targets: Reals, settings: Float64s, workspace: Reals
) -> None:
    """[a; Ra] of the last layer become the loss's [g; Rg], and these [delta; R delta]."""
    stride, outputs = load(layer, STRIDE), load(layer, FAN_OUT)
    g, g_moved = part(workspace, layer, OUTPUT_AT), second_part(rows, workspace, layer, OUTPUT_AT)
    delta, delta_moved = part(workspace, layer, SLOPE_AT), second_part(rows, workspace, layer, SLOPE_AT)
    p, spare = scratch_of(rows, layer, workspace, 0), scratch_of(rows, layer, workspace, 1)
    scale = real(1.0) / real(rows)
    call_loss_tangent(loss_tangent, rows, outputs, g, g_moved, stride, targets, settings, spare, scale)
    call_loss(loss, rows, outputs, g, stride, targets, settings, scale)
    if load(layer, ACTIVATION) != 0:
        delta_tangent(rows * stride, g, g_moved, delta, delta_moved)
    else:
        softmax_gradient_tangent(rows, outputs, p, g, g_moved, stride, delta, delta_moved)


@kernel
def weight_products(rows: Int, layer: Ints, x: Reals, result: Reals, workspace: Reals) -> None:
    """R dW = (Ra)^T delta + a^T R delta and R db = sum R delta; Rx = 0."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(layer, STRIDE)
    delta, delta_moved = part(workspace, layer, SLOPE_AT), second_part(rows, workspace, layer, SLOPE_AT)
    a_stride, out = load(layer, INPUT_STRIDE), part(result, layer, WEIGHT_AT)
    if load(layer, INPUT_AT) != NONE_AT:
        pair = part(workspace, layer, INPUT_AT)
        weight_gradient(fan_in, 2 * rows, fan_out, pair, a_stride, delta, stride, out)
    else:
        weight_gradient(fan_in, rows, fan_out, x, a_stride, delta_moved, stride, out)
    column_sums(rows, fan_out, delta_moved, stride, part(result, layer, BIAS_AT))


@kernel
def plain_weight_gradient(rows: Int, layer: Ints, x: Reals, workspace: Reals) -> None:
    """a^T delta to EFFECTIVE_AT, packed."""
    a, a_stride = inputs_of(rows, layer, x, workspace), load(layer, INPUT_STRIDE)
    delta, out = part(workspace, layer, SLOPE_AT), part(workspace, layer, EFFECTIVE_AT)
    weight_gradient(load(layer, FAN_IN), rows, load(layer, FAN_OUT), a, a_stride, delta, load(layer, STRIDE), out)


@kernel
def pass_down(rows: Int, layer: Ints, moved: Ints, below: Ints, workspace: Reals) -> None:
    """s = delta W^T, Rs = R delta W^T + delta V^T; then delta and R delta of the layer below."""
    fan_in, fan_out, stride = load(layer, FAN_IN), load(layer, FAN_OUT), load(layer, STRIDE)
    delta, down = part(workspace, layer, SLOPE_AT), load(below, STRIDE)
    w, v = part(workspace, layer, TRANSPOSED_AT), part(workspace, moved, TRANSPOSED_AT)
    s, s_moved = scratch_of(rows, below, workspace, 0), scratch_of(rows, below, workspace, 1)
    spare = scratch_of(rows, below, workspace, 2)
    # [delta; R delta] W^T = [s; R delta W^T], one product.
    plain_product(2 * rows, fan_out, fan_in, delta, stride, w, fan_out, LANES, s, down)
    plain_product(rows, fan_out, fan_in, delta, stride, v, fan_out, LANES, spare, down)
    add_matrix(rows * down, spare, s_moved)
    if load(layer, RESIDUAL) != NO_SKIP:
        add_matrix(2 * rows * down, part(workspace, layer, GRADIENT_AT), s)
    if load(below, GRADIENT_AT) != NONE_AT:
        copy_matrix(2 * rows * down, s, part(workspace, below, GRADIENT_AT))
    slope, bend = part(workspace, below, SLOPE_AT), second_part(rows, workspace, below, SLOPE_AT)
    delta_tangent(rows * down, s, s_moved, slope, bend)


@kernel
def use_gradient_pair(rows: Int, layer: Ints, result: Reals, workspace: Reals) -> None:
    """From [g; Rg]: R d alpha of a learned activation; then what the layer's skip hands down, as in `use_gradient`."""
    stride, columns = load(layer, STRIDE), load(layer, FAN_OUT)
    g, g_moved = part(workspace, layer, GRADIENT_AT), second_part(rows, workspace, layer, GRADIENT_AT)
    if load(layer, ALPHA_AT) != NONE_AT:
        learned, learned_moved = part(workspace, layer, LEARNED_AT), second_part(rows, workspace, layer, LEARNED_AT)
        alphas = part(result, layer, ALPHA_AT)
        for j in range(columns):
            store(alphas, j, real(0.0))
        add_column_products(rows, columns, learned, g_moved, stride, alphas)
        add_column_products(rows, columns, learned_moved, g, stride, alphas)
    if load(layer, RESIDUAL) == POST:
        copy_matrix(2 * rows * stride, part(workspace, layer, SLOPE_AT), g)


@kernel
def backward_pairs(
    rows: Int, layer_count: Int, layers: Ints, params: Reals, vector: Reals, x: Reals, result: Reals, workspace: Reals
) -> None:
    """R of all gradients, from delta and R delta of the last layer."""
    for l in range(layer_count - 1, -1, -1):  # noqa: E741
        layer, moved = offset(layers, l * LAYER_COLUMNS), offset(layers, (layer_count + l) * LAYER_COLUMNS)
        if load(layer, GRADIENT_AT) != NONE_AT:
            use_gradient_pair(rows, layer, result, workspace)
        if load(moved, NORMALIZE_BACK) != 0:
            call_normalize_back_pair(
                load(moved, NORMALIZE_BACK), rows, layer, moved, params, vector, result, workspace
            )  # fmt: skip
        weight_products(rows, layer, x, result, workspace)
        if load(moved, REWEIGH_BACK) != 0:
            plain_weight_gradient(rows, layer, x, workspace)
            call_reweigh_back_pair(load(moved, REWEIGH_BACK), layer, moved, params, vector, result, workspace)
        if l > 0:
            pass_down(rows, layer, moved, offset(layers, (l - 1) * LAYER_COLUMNS), workspace)


@kernel
def refresh_moved(
    layer_count: Int, layers: Ints, moved_layers: Ints, params: Reals, vector: Reals, workspace: Reals
) -> None:
    """Make the copies of every V, the vector's W, or of R of the W that the products read."""
    for l in range(layer_count):  # noqa: E741
        layer, moved = offset(layers, l * LAYER_COLUMNS), offset(moved_layers, l * LAYER_COLUMNS)
        v = part(vector, moved, WEIGHT_AT)
        if load(moved, REWEIGH) != 0:
            call_reweigh_pair(load(moved, REWEIGH), layer, moved, params, vector, workspace)
            v = part(workspace, moved, EFFECTIVE_AT)
        pack_weights(l, moved, v, workspace)


@kernel
def hessian_vector_product(
    rows: Int, layer_count: Int, layers: Ints, loss: Int, loss_tangent: Int, params: Reals, vector: Reals, x: Reals,
    targets: Reals, settings: Float64s, result: Reals, workspace: Reals,
) -> None:  # fmt: skip
    """result = H vector, H the Hessian of the mean loss over `rows` samples at `params`.

    layers, workspace: of `plan_curvature`. loss, loss_tangent: addresses of `call_loss` and `call_loss_tangent`.
    x: rows INPUT_STRIDE apart; targets: dense (rows, outputs); settings: the loss's parameters. params and vector have
    a vector to spare behind them.
    """
    moved = offset(layers, layer_count * LAYER_COLUMNS)
    refresh_weights(2 * rows, layer_count, layers, params, workspace)
    refresh_moved(layer_count, layers, moved, params, vector, workspace)
    forward_pairs(rows, layer_count, layers, params, vector, x, workspace)
    last = offset(layers, (layer_count - 1) * LAYER_COLUMNS)
    output_pair(rows, last, loss, loss_tangent, targets, settings, workspace)
    backward_pairs(rows, layer_count, layers, params, vector, x, result, workspace)
