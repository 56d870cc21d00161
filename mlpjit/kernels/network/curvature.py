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
from mlpjit.kernels.tables import LAYER, NONE_AT, RESIDUAL


@kernel
def affine(rows: Int, layer: Ints, values: Reals, a: Reals, out: Reals, workspace: Reals) -> None:
    """out = W a + b with W and b of `values`; `layer` names the panels of that W."""
    w, panel_step, w_stride = panels_of(layer, values, workspace)
    forward_product(
        rows, load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), a, load(layer, LAYER.input_stride), w,
        panel_step, w_stride, part(values, layer, LAYER.bias_at), out, load(layer, LAYER.stride),
    )  # fmt: skip


@kernel
def pre_activation_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals
) -> None:
    """z = W a + b to the scratch, Rz = V a + c + W Ra to its place, both normalized; Rx = 0."""
    z, z_moved = scratch_of(rows, layer, workspace, 0), second_part(rows, workspace, layer, LAYER.slope_at)
    a = inputs_of(rows, layer, x, workspace)
    affine(rows, layer, params, a, z, workspace)
    affine(rows, moved, vector, a, z_moved, workspace)
    if load(layer, LAYER.input_at) != NONE_AT:
        w, panel_step, w_stride = panels_of(layer, params, workspace)
        a_moved, spare = part(workspace, layer, LAYER.input_at), scratch_of(rows, layer, workspace, 1)
        stride, a_stride = load(layer, LAYER.stride), load(layer, LAYER.input_stride)
        fan_in, fan_out = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
        plain_product(rows, fan_in, fan_out, a_moved, a_stride, w, panel_step, w_stride, spare, stride)
        add_matrix(rows * stride, spare, z_moved)
    if load(moved, LAYER.normalize) != 0:
        call_normalize_pair(load(moved, LAYER.normalize), rows, layer, moved, params, vector, z, workspace)
    if load(layer, LAYER.residual) == RESIDUAL.post:
        add_matrix(rows * load(layer, LAYER.stride), a, z)
        add_matrix(rows * load(layer, LAYER.stride), part(workspace, layer, LAYER.input_at), z_moved)


@kernel
def activate_pair(
    rows: Int, layer: Ints, params: Reals, vector: Reals, a: Reals, a_moved: Reals, workspace: Reals
) -> None:
    """a = f(z), Ra = f'(z) Rz with z from the scratch; keeps f'(z) and f''(z) Rz.

    A softmax keeps p (in the scratch) and Rp instead, a learned activation its derivative by alpha too, with R of it.
    """
    z, bend = scratch_of(rows, layer, workspace, 0), scratch_of(rows, layer, workspace, 1)
    slope, z_moved = part(workspace, layer, LAYER.slope_at), second_part(rows, workspace, layer, LAYER.slope_at)
    stride, outputs = load(layer, LAYER.stride), load(layer, LAYER.fan_out)
    if load(layer, LAYER.alpha_at) != NONE_AT:
        call_learned_pair(
            load(layer, LAYER.activation), rows, outputs, stride, z, z_moved, part(params, layer, LAYER.alpha_at),
            part(vector, layer, LAYER.alpha_at), a, a_moved, slope, part(workspace, layer, LAYER.learned_at),
            second_part(rows, workspace, layer, LAYER.learned_at),
        )  # fmt: skip
    elif load(layer, LAYER.activation) != 0:
        call_derivatives(load(layer, LAYER.activation), rows * stride, z, a, slope, bend)
        activation_tangent(rows * stride, slope, bend, z_moved, a_moved)
    else:
        softmax_rows(rows, outputs, a, z, stride)
        softmax_tangent(rows, outputs, a, stride, z_moved, a_moved)


@kernel
def drop_pair(rows: Int, layer: Ints, a: Reals, a_moved: Reals, workspace: Reals) -> None:
    """Multiply all that `activate_pair` has made with the layer's mask."""
    count, mask = rows * load(layer, LAYER.stride), reals(layer, LAYER.mask)
    multiply_matrix(count, mask, a)
    multiply_matrix(count, mask, a_moved)
    multiply_matrix(count, mask, part(workspace, layer, LAYER.slope_at))
    multiply_matrix(count, mask, second_part(rows, workspace, layer, LAYER.slope_at))
    if load(layer, LAYER.learned_at) != NONE_AT:
        multiply_matrix(count, mask, part(workspace, layer, LAYER.learned_at))
        multiply_matrix(count, mask, second_part(rows, workspace, layer, LAYER.learned_at))


@kernel
def hidden_pair(rows: Int, layer: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals) -> None:
    """a and Ra of a hidden layer, with dropout and what is added behind the activation."""
    a, a_moved = second_part(rows, workspace, layer, LAYER.output_at), part(workspace, layer, LAYER.output_at)
    activate_pair(rows, layer, params, vector, a, a_moved, workspace)
    if load(layer, LAYER.mask) != 0:
        drop_pair(rows, layer, a, a_moved, workspace)
    if load(layer, LAYER.residual) == RESIDUAL.pre:
        add_matrix(2 * rows * load(layer, LAYER.stride), part(workspace, layer, LAYER.input_at), a_moved)


@kernel
def forward_pairs(
    rows: Int, layer_count: Int, layers: Ints, params: Reals, vector: Reals, x: Reals, workspace: Reals
) -> None:
    """z, Rz, a, Ra, layer by layer."""
    for l in range(layer_count):  # noqa: E741
        layer, moved = offset(layers, l * len(LAYER)), offset(layers, (layer_count + l) * len(LAYER))
        pre_activation_pair(rows, layer, moved, params, vector, x, workspace)
        if l == layer_count - 1:
            first = part(workspace, layer, LAYER.output_at)
            second = second_part(rows, workspace, layer, LAYER.output_at)
            activate_pair(rows, layer, params, vector, first, second, workspace)
        else:
            hidden_pair(rows, layer, params, vector, x, workspace)


@kernel
def output_pair(
    rows: Int, layer: Ints, loss: Int, loss_tangent: Int, targets: Reals, settings: Float64s, workspace: Reals
) -> None:
    """[a; Ra] of the last layer become the loss's [g; Rg], and these [delta; R delta]."""
    stride, outputs = load(layer, LAYER.stride), load(layer, LAYER.fan_out)
    g, g_moved = part(workspace, layer, LAYER.output_at), second_part(rows, workspace, layer, LAYER.output_at)
    delta, delta_moved = part(workspace, layer, LAYER.slope_at), second_part(rows, workspace, layer, LAYER.slope_at)
    p, spare = scratch_of(rows, layer, workspace, 0), scratch_of(rows, layer, workspace, 1)
    scale = real(1.0) / real(rows)
    call_loss_tangent(loss_tangent, rows, outputs, g, g_moved, stride, targets, settings, spare, scale)
    call_loss(loss, rows, outputs, g, stride, targets, settings, scale)
    if load(layer, LAYER.activation) != 0:
        delta_tangent(rows * stride, g, g_moved, delta, delta_moved)
    else:
        softmax_gradient_tangent(rows, outputs, p, g, g_moved, stride, delta, delta_moved)


@kernel
def weight_products(rows: Int, layer: Ints, x: Reals, result: Reals, workspace: Reals) -> None:
    """R dW = (Ra)^T delta + a^T R delta and R db = sum R delta; Rx = 0."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    delta, delta_moved = part(workspace, layer, LAYER.slope_at), second_part(rows, workspace, layer, LAYER.slope_at)
    a_stride, out = load(layer, LAYER.input_stride), part(result, layer, LAYER.weight_at)
    if load(layer, LAYER.input_at) != NONE_AT:
        pair = part(workspace, layer, LAYER.input_at)
        weight_gradient(fan_in, 2 * rows, fan_out, pair, a_stride, delta, stride, out)
    else:
        weight_gradient(fan_in, rows, fan_out, x, a_stride, delta_moved, stride, out)
    column_sums(rows, fan_out, delta_moved, stride, part(result, layer, LAYER.bias_at))


@kernel
def plain_weight_gradient(rows: Int, layer: Ints, x: Reals, workspace: Reals) -> None:
    """a^T delta to effective_at, packed."""
    a, a_stride = inputs_of(rows, layer, x, workspace), load(layer, LAYER.input_stride)
    delta, out = part(workspace, layer, LAYER.slope_at), part(workspace, layer, LAYER.effective_at)
    weight_gradient(
        load(layer, LAYER.fan_in), rows, load(layer, LAYER.fan_out), a, a_stride, delta, load(layer, LAYER.stride), out
    )


@kernel
def pass_down(rows: Int, layer: Ints, moved: Ints, below: Ints, workspace: Reals) -> None:
    """s = delta W^T, Rs = R delta W^T + delta V^T; then delta and R delta of the layer below."""
    fan_in, fan_out, stride = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    delta, down = part(workspace, layer, LAYER.slope_at), load(below, LAYER.stride)
    w, v = part(workspace, layer, LAYER.transposed_at), part(workspace, moved, LAYER.transposed_at)
    s, s_moved = scratch_of(rows, below, workspace, 0), scratch_of(rows, below, workspace, 1)
    spare = scratch_of(rows, below, workspace, 2)
    # [delta; R delta] W^T = [s; R delta W^T], one product.
    plain_product(2 * rows, fan_out, fan_in, delta, stride, w, fan_out, LANES, s, down)
    plain_product(rows, fan_out, fan_in, delta, stride, v, fan_out, LANES, spare, down)
    add_matrix(rows * down, spare, s_moved)
    if load(layer, LAYER.residual) != RESIDUAL.none:
        add_matrix(2 * rows * down, part(workspace, layer, LAYER.gradient_at), s)
    if load(below, LAYER.gradient_at) != NONE_AT:
        copy_matrix(2 * rows * down, s, part(workspace, below, LAYER.gradient_at))
    slope, bend = part(workspace, below, LAYER.slope_at), second_part(rows, workspace, below, LAYER.slope_at)
    delta_tangent(rows * down, s, s_moved, slope, bend)


@kernel
def use_gradient_pair(rows: Int, layer: Ints, result: Reals, workspace: Reals) -> None:
    """From [g; Rg]: R d alpha of a learned activation; then what the layer's skip hands down, as in `use_gradient`."""
    stride, columns = load(layer, LAYER.stride), load(layer, LAYER.fan_out)
    g, g_moved = part(workspace, layer, LAYER.gradient_at), second_part(rows, workspace, layer, LAYER.gradient_at)
    if load(layer, LAYER.alpha_at) != NONE_AT:
        learned = part(workspace, layer, LAYER.learned_at)
        learned_moved = second_part(rows, workspace, layer, LAYER.learned_at)
        alphas = part(result, layer, LAYER.alpha_at)
        for j in range(columns):
            store(alphas, j, real(0.0))
        add_column_products(rows, columns, learned, g_moved, stride, alphas)
        add_column_products(rows, columns, learned_moved, g, stride, alphas)
    if load(layer, LAYER.residual) == RESIDUAL.post:
        copy_matrix(2 * rows * stride, part(workspace, layer, LAYER.slope_at), g)


@kernel
def backward_pairs(
    rows: Int, layer_count: Int, layers: Ints, params: Reals, vector: Reals, x: Reals, result: Reals, workspace: Reals
) -> None:
    """R of all gradients, from delta and R delta of the last layer."""
    for l in range(layer_count - 1, -1, -1):  # noqa: E741
        layer, moved = offset(layers, l * len(LAYER)), offset(layers, (layer_count + l) * len(LAYER))
        if load(layer, LAYER.gradient_at) != NONE_AT:
            use_gradient_pair(rows, layer, result, workspace)
        if load(moved, LAYER.normalize_back) != 0:
            call_normalize_back_pair(
                load(moved, LAYER.normalize_back), rows, layer, moved, params, vector, result, workspace
            )  # fmt: skip
        weight_products(rows, layer, x, result, workspace)
        if load(moved, LAYER.reweigh_back) != 0:
            plain_weight_gradient(rows, layer, x, workspace)
            call_reweigh_back_pair(load(moved, LAYER.reweigh_back), layer, moved, params, vector, result, workspace)
        if l > 0:
            pass_down(rows, layer, moved, offset(layers, (l - 1) * len(LAYER)), workspace)


@kernel
def refresh_moved(
    layer_count: Int, layers: Ints, moved_layers: Ints, params: Reals, vector: Reals, workspace: Reals
) -> None:
    """Make the copies of every V, the vector's W, or of R of the W that the products read."""
    for l in range(layer_count):  # noqa: E741
        layer, moved = offset(layers, l * len(LAYER)), offset(moved_layers, l * len(LAYER))
        v = part(vector, moved, LAYER.weight_at)
        if load(moved, LAYER.reweigh) != 0:
            call_reweigh_pair(load(moved, LAYER.reweigh), layer, moved, params, vector, workspace)
            v = part(workspace, moved, LAYER.effective_at)
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
    moved = offset(layers, layer_count * len(LAYER))
    refresh_weights(2 * rows, layer_count, layers, params, workspace)
    refresh_moved(layer_count, layers, moved, params, vector, workspace)
    forward_pairs(rows, layer_count, layers, params, vector, x, workspace)
    last = offset(layers, (layer_count - 1) * len(LAYER))
    output_pair(rows, last, loss, loss_tangent, targets, settings, workspace)
    backward_pairs(rows, layer_count, layers, params, vector, x, result, workspace)
