"""Inverted dropout of hidden activations: masks by the counter-based generator.

Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15, section 4; scaled by 1 / (1 - p) in
training instead of by 1 - p afterwards. A mask is keyed by the seed, the step, the layer and the place alone: any can
be had without the ones before it, and every gradient of one step sees the same. a = m f(z), so df and d2f are
multiplied by m where they are made, and nothing else of forward and backward knows of it.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.random import STREAMS, philox
from mlpjit.kernels.language import (
    Int,
    Ints,
    Reals,
    float64,
    integer,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    select,
    store,
)
from mlpjit.kernels.tables import ARRAY, LAYER, PLAN

DROPOUT_STREAM = STREAMS["dropout"]
ALL = 1 << 32


def threshold(rate: float) -> int:
    """Return p 2^32, rounded, of a rate p in [0, 1): a number whose 32 random bits lie below it is dropped."""
    return min(round(rate * ALL), ALL - 1)


@kernel
def draw_mask(seed: Int, step: Int, layer: Int, rows: Int, columns: Int, stride: Int, below: Int, mask: Reals) -> None:
    """mask[i, j] = 0 with probability p = below / 2^32, else 1 / (1 - p). What pads the rows may be written.

    A block of four 32-bit words serves the columns k, k + q, k + 2 q, k + 3 q of a row, q = ceil(columns / 4).
    """
    scale, nothing = real(float64(ALL) / float64(ALL - below)), real(0.0)
    quarter = (columns + 3) // 4
    for i in range(rows):
        row = offset(mask, i * stride)
        for k in range(quarter):
            x0, x1, x2, x3 = philox(seed, i * quarter + k, layer, step, DROPOUT_STREAM)
            store(row, k, select(integer(x0) < below, nothing, scale))
            store(row, k + quarter, select(integer(x1) < below, nothing, scale))
            store(row, k + 2 * quarter, select(integer(x2) < below, nothing, scale))
            store(row, k + 3 * quarter, select(integer(x3) < below, nothing, scale))


@kernel
def draw_masks(plan: Ints, arrays: Ints, step: Int, rows: Int) -> None:
    """Draw the masks of a step (counted from 1), layer by layer; nothing without dropout."""
    layers, below = ints(arrays, ARRAY.layers), load(plan, PLAN.dropout)
    for l in range(load(plan, PLAN.layer_count) if below > 0 else 0):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        if load(layer, LAYER.mask) != 0:
            draw_mask(
                load(plan, PLAN.order_seed), step, l, rows, load(layer, LAYER.fan_out), load(layer, LAYER.stride),
                below, reals(layer, LAYER.mask),
            )  # fmt: skip
