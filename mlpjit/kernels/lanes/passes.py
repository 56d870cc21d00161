"""Forward and backward through all layers, on a block of samples that lies in lanes."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.group import GROUP, arrays_of, plan_of
from mlpjit.kernels.language import (
    Int,
    Ints,
    Primitive,
    Reals,
    device,
    fma,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    store,
)
from mlpjit.kernels.network.activation_loops import call_activation
from mlpjit.kernels.tables import ARRAY, LAYER, PLAN

lane_tiles, keep_loops = Primitive("lane_tiles"), Primitive("keep_loops")
PLUS_BIAS, TIMES, ONTO = range(3)  # as in `compiler.lane_tiles`
SUMS = 16  # of a product that is folded by halves, whatever the dtype: as in `plain_dot`


@kernel
def lane_product(
    how: Int, rows: Int, columns: Int, inner: Int, a: Reals, ai: Int, ak: Int, b: Reals, bk: Int, bj: Int, c: Reals,
    ci: Int, extra: Reals, ei: Int,
) -> None:  # fmt: skip
    """c[i, j] = sum over k of a(i, k) b(k, j), in order: plus extra, times extra, or onto what is there."""
    lane_tiles(how, rows, columns, inner, a, ai, ak, b, bk, bj, c, ci, extra, ei)


@device
def layer_at(group, l):  # noqa: E741
    """Return the row of a layer."""
    return offset(ints(arrays_of(group, 0), ARRAY.layers), l * len(LAYER))


@device
def values_of(group, l):  # noqa: E741
    """Return where a layer's a stands, a block."""
    return offset(reals(group, GROUP.room), 2 * l * load(group, GROUP.block) * load(group, GROUP.widest) * LANES)


@device
def slopes_of(group, l):  # noqa: E741
    """Return where a layer's z stands, then df, then delta."""
    part = load(group, GROUP.block) * load(group, GROUP.widest) * LANES
    return offset(reals(group, GROUP.room), (2 * l + 1) * part)


@device
def inputs_of(group, l):  # noqa: E741
    """Return where the inputs of a layer stand."""
    return values_of(group, l - 1) if l > 0 else reals(group, GROUP.inputs)


@device
def outputs_of(group, l):  # noqa: E741
    """Return where the outputs of a layer stand: in place of z where its activation is the identity."""
    return values_of(group, l) if load(layer_at(group, l), LAYER.activation) != 0 else slopes_of(group, l)


@kernel
def forward_block(group: Ints, rows: Int, params: Reals) -> None:
    """z = W a + b, a = f(z), layer by layer."""
    for l in range(load(plan_of(group, 0), PLAN.layer_count)):  # noqa: E741
        layer = layer_at(group, l)
        fan_in, fan_out = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
        w, bias = (
            offset(params, load(layer, LAYER.weight_at) * LANES),
            offset(params, load(layer, LAYER.bias_at) * LANES),
        )
        a, z = inputs_of(group, l), slopes_of(group, l)
        lane_product(PLUS_BIAS, rows, fan_out, fan_in, a, fan_in, 1, w, fan_out, 1, z, fan_out, bias, 0)
        if load(layer, LAYER.activation) != 0:
            call_activation(load(layer, LAYER.activation), rows * fan_out * LANES, values_of(group, l), z)


@kernel
def add_rows(rows: Int, columns: Int, delta: Reals, total: Reals) -> None:
    """Add rows to their sums, in order."""
    for i in range(rows):
        row = offset(delta, i * columns * LANES)
        for j in range(columns):
            for lane in range(LANES):
                at = j * LANES + lane
                store(total, at, load(total, at) + load(row, at))
    keep_loops()


@kernel
def below_one(fan_in: Int, fan_out: Int, delta: Reals, w: Reals, slope: Reals, sums: Reals) -> None:
    """`delta_below` of a batch of one sample: SUMS sums folded by halves, then the rest, as `one_row` adds."""
    whole = fan_out - fan_out % SUMS
    for i in range(fan_in):
        row = offset(w, i * fan_out * LANES)
        for k in range(SUMS * LANES):
            store(sums, k, real(0.0))
        for first in range(0, whole, SUMS):
            for k in range(SUMS * LANES):
                at = first * LANES + k
                store(sums, k, fma(load(delta, at), load(row, at), load(sums, k)))
        half = SUMS // 2
        while half > 0:
            for k in range(half * LANES):
                store(sums, k, load(sums, k) + load(sums, half * LANES + k))
            half //= 2
        for j in range(whole, fan_out):
            for lane in range(LANES):
                at = j * LANES + lane
                store(sums, lane, fma(load(delta, at), load(row, at), load(sums, lane)))
        for lane in range(LANES):
            store(slope, i * LANES + lane, load(sums, lane) * load(slope, i * LANES + lane))
    keep_loops()


@device
def delta_below(group, rows, size, l, layer, w):  # noqa: E741
    """Turn df of the layer below into its delta: (delta W^T) df."""
    fan_in, fan_out = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    delta, slope = slopes_of(group, l), slopes_of(group, l - 1)
    if size == 1 and fan_out >= SUMS:
        below_one(fan_in, fan_out, delta, w, slope, reals(group, GROUP.spare))
    else:
        lane_product(TIMES, rows, fan_in, fan_out, delta, fan_out, 1, w, 1, fan_out, slope, fan_in, slope, fan_in)


@kernel
def backward_block(group: Ints, rows: Int, size: Int) -> None:
    """Add a block of a batch of `size` samples to the gradients; delta of the outputs stands where their z was."""
    params, grads = reals(group, GROUP.params), reals(group, GROUP.grads)
    for l in range(load(plan_of(group, 0), PLAN.layer_count) - 1, -1, -1):  # noqa: E741
        layer = layer_at(group, l)
        fan_in, fan_out = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
        a, delta = inputs_of(group, l), slopes_of(group, l)
        into = offset(grads, load(layer, LAYER.weight_at) * LANES)
        lane_product(ONTO, fan_in, fan_out, rows, a, 1, fan_in, delta, fan_out, 1, into, fan_out, into, 0)
        add_rows(rows, fan_out, delta, offset(grads, load(layer, LAYER.bias_at) * LANES))
        if l > 0:
            delta_below(group, rows, size, l, layer, offset(params, load(layer, LAYER.weight_at) * LANES))


@kernel
def output_delta_block(group: Ints, rows: Int) -> None:
    """Turn the loss's gradient by the outputs into delta at the last layer's z."""
    last = load(plan_of(group, 0), PLAN.layer_count) - 1
    layer, gradient, delta = layer_at(group, last), values_of(group, last), slopes_of(group, last)
    for k in range(rows * load(layer, LAYER.fan_out) * LANES if load(layer, LAYER.activation) != 0 else 0):
        store(delta, k, load(delta, k) * load(gradient, k))
