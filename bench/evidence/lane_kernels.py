"""The kernels of `lanes`: a training step of sixteen runs, where a number of a run is a lane of a vector.

Strides and places are in vectors. `tall` is how many samples a tile has.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.arithmetic.random import ORDER_STREAM, fill_permutation
from mlpjit.kernels.compiler import llvm, simd
from mlpjit.kernels.language import (
    Float64s,
    InFloat64,
    Int,
    Ints,
    Primitive,
    Reals,
    device,
    float64,
    fma,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    select,
    store,
)  # fmt: skip
from mlpjit.kernels.optimizers import optimizers

LANES, BLOCK = 16, 8  # samples of a block go forward and backward together: their numbers stay in the first cache
tanh_and_slope, exp, log = elementary.tanh_and_slope, elementary.exp, elementary.log
adam = optimizers["adam"]
scalars, rule = InFloat64("scalars", adam.scalars), adam.function
lane_tile, keep_loops, rounded, unpack = map(Primitive, ("lane_tile", "keep_loops", "rounded", "unpack"))
BIAS, SCALE, ADD = range(3)
TILES = (4, 4), (4, 2), (2, 4), (1, 4), (1, 2), (2, 2)
INPUTS, OUTPUTS, SUMS = 2, 2, 16  # two moons; sums of a product that is folded by halves


@simd.primitive
def lane_tile_(
    typing: Any, rows: Any, columns: Any, how: Any, inner: Any, a: Any, ai: Any, ak: Any, b: Any, bk: Any, bj: Any,
    c: Any, ci: Any, cj: Any, extra: Any,
) -> Any:  # fmt: skip
    """rows x columns sums over k in order, one fused multiply-add each, in the registers of one of TILES."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for tile in TILES:
            asked = [builder.icmp_signed("==", x, llvm.INT64(n)) for x, n in zip(arguments[:2], tile, strict=True)]
            with builder.if_then(builder.and_(*asked)):
                _tile(builder, tile, how.literal_value, arguments[3:])
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, n, how, n, a, n, n, b, n, n, c, n, n, extra), generate


def _tile(builder: Any, tile: tuple[int, int], how: int, arguments: Any) -> None:
    inner, a, ai, ak, b, bk, bj, c, ci, cj, extra = arguments
    vector, places = ir.VectorType(ir.FloatType(), LANES), [(i, j) for i in range(tile[0]) for j in range(tile[1])]

    def vector_at(base: Any, *steps: tuple[Any, Any]) -> Any:
        for stride, number in steps:
            number = llvm.INT64(number) if isinstance(number, int) else number
            base = builder.gep(base, [builder.mul(builder.mul(stride, number), llvm.INT64(LANES))])
        return base

    def loaded(base: Any, *steps: tuple[Any, Any]) -> Any:
        return llvm.load_vector(builder, vector_at(base, *steps), vector)

    zero = ir.Constant(vector, [0.0] * LANES)
    loop = llvm.Loop(builder, inner, [loaded(c, (ci, i), (cj, j)) if how == ADD else zero for i, j in places])
    left = [loaded(a, (ai, i), (ak, loop.index)) for i in range(tile[0])]
    right = [loaded(b, (bj, j), (bk, loop.index)) for j in range(tile[1])]
    sums = [llvm.fused(builder, left[i], right[j], v) for (i, j), v in zip(places, loop.values, strict=True)]
    for (i, j), total in zip(places, loop.end(sums), strict=True):
        if how == BIAS:
            total = builder.fadd(total, loaded(extra, (cj, j)))
        if how == SCALE:
            total = builder.fmul(total, loaded(extra, (ci, i), (cj, j)))
        llvm.store_vector(builder, total, vector_at(c, (ci, i), (cj, j)))


@device
def layer_forward(rows, fan_in, fan_out, tall, wide, a, w, z):
    """z = a W + b; b stands behind W."""
    bias = offset(w, fan_in * fan_out * LANES)
    for i in range(0, rows, tall):
        for j in range(0, fan_out, wide):
            lane_tile(
                tall, wide, BIAS, fan_in, offset(a, i * fan_in * LANES), fan_in, 1, offset(w, j * LANES), fan_out, 1,
                offset(z, (i * fan_out + j) * LANES), fan_out, 1, offset(bias, j * LANES),
            )  # fmt: skip


@device
def layer_backward(rows, fan_in, fan_out, high, wide, a, delta, grads):
    """Add a block of samples to the gradients of W and b, sample by sample."""
    for i in range(0, fan_in, high):
        for j in range(0, fan_out, wide):
            lane_tile(
                high, wide, ADD, rows, offset(a, i * LANES), 1, fan_in, offset(delta, j * LANES), fan_out, 1,
                offset(grads, (i * fan_out + j) * LANES), fan_out, 1, grads,
            )  # fmt: skip
    total = offset(grads, fan_in * fan_out * LANES)
    for i in range(rows):
        for k in range(fan_out * LANES):
            store(total, k, load(total, k) + load(delta, i * fan_out * LANES + k))


@device
def below(rows, fan_in, fan_out, tall, high, delta, w, slope):
    """Slope becomes (delta W^T) slope; W is read as it lies."""
    for i in range(0, rows, tall):
        for j in range(0, fan_in, high):
            place = offset(slope, (i * fan_in + j) * LANES)
            lane_tile(
                tall, high, SCALE, fan_out, offset(delta, i * fan_out * LANES), fan_out, 1,
                offset(w, j * fan_out * LANES), 1, fan_out, place, fan_in, 1, place,
            )  # fmt: skip


@device
def below_one(fan_in, fan_out, delta, w, slope, sums):
    """The same for one sample: 16 sums folded by halves, then the rest, as `one_row.input_gradient_row` adds."""
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


@kernel
def activate(count: Int, a: Reals, z: Reals) -> None:
    """a = tanh z; z becomes the slope."""
    for i in range(count):
        value, slope = tanh_and_slope(load(z, i))
        store(a, i, value)
        store(z, i, slope)


@kernel
def lane_entropy(rows: Int, z: Reals, y: Reals, linear: Reals, logs: Reals, room: Reals, size: Int) -> None:
    """Cross-entropy of a block of samples: z becomes its gradient; both parts of each sample's loss are kept."""
    largest, mass, weight, scale = room, offset(room, LANES), offset(room, 2 * LANES), real(1.0) / real(size)
    for i in range(rows):
        row, wanted = offset(z, i * OUTPUTS * LANES), offset(y, i * OUTPUTS * LANES)
        line = offset(linear, i * LANES)
        for lane in range(LANES):
            store(largest, lane, load(row, lane))
            store(line, lane, real(0.0))
            store(mass, lane, real(0.0))
            store(weight, lane, real(0.0))
        for j in range(1, OUTPUTS):
            for lane in range(LANES):
                found = load(row, j * LANES + lane)
                store(largest, lane, select(found > load(largest, lane), found, load(largest, lane)))
        for j in range(OUTPUTS):
            for lane in range(LANES):
                at = j * LANES + lane
                shifted, aim = load(row, at) - load(largest, lane), load(wanted, at)
                store(line, lane, load(line, lane) + select(aim == 0.0, aim, aim * shifted))
                grown = exp(shifted)
                store(mass, lane, load(mass, lane) + grown)
                store(weight, lane, load(weight, lane) + aim)
                store(row, at, grown)
        for lane in range(LANES):
            store(logs, i * LANES + lane, load(weight, lane) * log(load(mass, lane)))
            store(mass, lane, load(weight, lane) / load(mass, lane))
        for j in range(OUTPUTS):
            for lane in range(LANES):
                at = j * LANES + lane
                store(row, at, (load(row, at) * load(mass, lane) - load(wanted, at)) * scale)
    keep_loops()


@kernel
def lane_adam(
    count: Int, step: Int, rates: Float64s, settings: Float64s, params: Reals, mu: Reals, nu: Reals, grads: Reals,
    room: Reals,
) -> None:  # fmt: skip
    """mlpjit's own rule of Adam; each lane has its rate."""
    values = rounded(grads, scalars(step, load(rates, 0), *unpack(settings, 4)))
    for lane in range(LANES):
        store(room, lane, rounded(grads, scalars(step, load(rates, lane), *unpack(settings, 4)))[0])
    for i in range(count):
        for lane in range(LANES):
            at = i * LANES + lane
            update, m, v = rule(load(grads, at), load(mu, at), load(nu, at), load(room, lane), *values[1:])
            store(mu, at, m)
            store(nu, at, v)
            store(params, at, load(params, at) - update)
    keep_loops()


@device
def gather(table, first, rows, xs, ys):
    """Put a batch of each run into its lane; table: x, y and order of every lane."""
    for lane in range(LANES):
        x, y, order = reals(table, 3 * lane), reals(table, 3 * lane + 1), ints(table, 3 * lane + 2)
        for i in range(rows):
            at = load(order, first + i)
            for j in range(INPUTS):
                store(xs, (i * INPUTS + j) * LANES + lane, load(x, at * INPUTS + j))
            for j in range(OUTPUTS):
                store(ys, (i * OUTPUTS + j) * LANES + lane, load(y, at * OUTPUTS + j))


@device
def sample_block(rows, size, width, tall, params, grads, xs, ys, linear, logs, room):
    """Forward and backward for a block of samples; gradients are added to."""
    w2, w3 = offset(params, (INPUTS + 1) * width * LANES), offset(params, (INPUTS + width + 2) * width * LANES)
    g2, g3 = offset(grads, (INPUTS + 1) * width * LANES), offset(grads, (INPUTS + width + 2) * width * LANES)
    part = BLOCK * width * LANES
    a1, z1, a2 = room, offset(room, part), offset(room, 2 * part)
    z2, z3 = offset(room, 3 * part), offset(room, 4 * part)
    rest = offset(room, 5 * part + BLOCK * OUTPUTS * LANES)
    layer_forward(rows, INPUTS, width, tall, 4, xs, params, z1)
    activate(rows * width * LANES, a1, z1)
    layer_forward(rows, width, width, tall, 4, a1, w2, z2)
    activate(rows * width * LANES, a2, z2)
    layer_forward(rows, width, OUTPUTS, tall, 2, a2, w3, z3)
    lane_entropy(rows, z3, ys, linear, logs, rest, size)
    layer_backward(rows, width, OUTPUTS, 4, 2, a2, z3, g3)
    if size == 1:
        below_one(width, OUTPUTS, z3, w3, z2, rest)
    else:
        below(rows, width, OUTPUTS, tall, 4, z3, w3, z2)
    layer_backward(rows, width, width, 4, 4, a1, z2, g2)
    if size == 1:
        below_one(width, width, z2, w2, z1, rest)
    else:
        below(rows, width, width, tall, 4, z2, w2, z1)
    layer_backward(rows, INPUTS, width, 2, 4, xs, z1, grads)


@kernel
def lane_steps(
    width: Int, tall: Int, samples: Int, batch: Int, done: Int, steps: Int, seeds: Ints, table: Ints,
    rates: Float64s, settings: Float64s, params: Reals, mu: Reals, nu: Reals, grads: Reals, room: Reals,
    losses: Float64s,
) -> None:  # fmt: skip
    """Take so many steps of all lanes; losses[lane] is the mean loss of the last batch."""
    xs, ys = room, offset(room, batch * INPUTS * LANES)
    linear = offset(ys, batch * OUTPUTS * LANES)
    logs, rest = offset(linear, batch * LANES), offset(linear, 2 * batch * LANES)
    per_epoch, count = (samples + batch - 1) // batch, ((INPUTS + width + 2) * width + (width + 1) * OUTPUTS)
    for step in range(done, done + steps):
        first = step % per_epoch * batch
        if first == 0:
            for lane in range(LANES):
                order = ints(table, 3 * lane + 2)
                fill_permutation(load(seeds, lane), ORDER_STREAM, step // per_epoch, samples, order)
        size = min(batch, samples - first)
        gather(table, first, size, xs, ys)
        for k in range(count * LANES):
            store(grads, k, real(0.0))
        for i in range(0, size, BLOCK):
            sample_block(
                min(BLOCK, size - i), size, width, tall, params, grads, offset(xs, i * INPUTS * LANES),
                offset(ys, i * OUTPUTS * LANES), offset(linear, i * LANES), offset(logs, i * LANES), rest,
            )  # fmt: skip
        for lane in range(LANES):
            store(losses, lane, float64(0))
        for i in range(size):
            for lane in range(LANES):
                store(losses, lane, load(losses, lane) - float64(load(linear, i * LANES + lane)))
        for i in range(size):
            for lane in range(LANES):
                store(losses, lane, load(losses, lane) + float64(load(logs, i * LANES + lane)))
        lane_adam(count, step + 1, rates, settings, params, mu, nu, grads, rest)
    keep_loops()


def room_of(width: int, batch: int) -> int:
    """Return how many numbers `lane_steps` works in."""
    return LANES * (batch * (INPUTS + OUTPUTS + 2) + BLOCK * (5 * width + OUTPUTS) + SUMS)
