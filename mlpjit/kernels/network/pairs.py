"""Where the matrices of a Hessian-vector product stand: a workspace of its own, beside that of forward and backward.

Each layer keeps two pairs of matrices, one behind the other: [Ra; a] at OUTPUT_AT (the last layer [a; Ra], then the
loss's gradient [g; Rg]), and [df; d2f Rz], later [delta; R delta], at SLOPE_AT. A pair is one matrix of twice the
rows, so (Ra)^T delta + a^T R delta is one product. A second table of layers, `moved`, names the panels of V, the
vector's W, and R of what normalization keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.language import device, load, offset
from mlpjit.kernels.tables import (
    ACTIVATION,
    EFFECTIVE_AT,
    FAN_IN,
    FAN_OUT,
    GRADIENT_AT,
    INPUT_AT,
    INPUT_STRIDE,
    INVERSE_AT,
    LEARNED_AT,
    NONE_AT,
    NORMALIZED_AT,
    OUTPUT_AT,
    PANELS_AT,
    REWEIGH,
    REWEIGH_BACK,
    SLOPE_AT,
    STRIDE,
    TRANSPOSED_AT,
    WEIGHT_AT,
)

if TYPE_CHECKING:
    import numpy as np

# The workspace begins with three matrices as large as a layer's outputs: scratch.
SCRATCH = 3


def plan_curvature(
    layers: np.ndarray, derivatives: Sequence[int], pairs: Sequence[Sequence[int]], rows: int, lanes: int
) -> tuple[np.ndarray, int]:
    """Lay out a workspace for at most `rows` samples; return the two tables and the workspace's length.

    layers: the table of layers of a run, int64 (L, LAYER_COLUMNS); sizes, strides and offsets of parameters are
    taken from it. derivatives: address of each layer's `evaluation_loop` or `learned_pair_loop`, 0 for softmax. pairs:
    for each layer the addresses of its normalization's four pairs, 0 for none. lanes: numbers in a vector.
    The tables are int64 (2, L, LAYER_COLUMNS). The workspace has 64-byte alignment and needs no clearing.
    """
    import numpy as np

    tables = np.stack([layers, layers])
    tables[:, :, ACTIVATION] = derivatives
    tables[1, :, REWEIGH : REWEIGH_BACK + 1] = pairs
    # A single sample needs two rows: batch normalization writes its running statistics to the scratch, and its way
    # back four numbers a column.
    end = SCRATCH * max(rows, 2) * int(layers[:, STRIDE].max())

    def take(count: int) -> int:
        nonlocal end
        start, end = end, end + -(-count // lanes) * lanes
        return start

    for number, (layer, moved) in enumerate(zip(*tables, strict=True), start=1):
        size = rows * int(layer[STRIDE])
        layer[OUTPUT_AT], layer[SLOPE_AT] = take(2 * size), take(2 * size)
        _take_pairs(layer, size, number == len(layers), take)
        for row in (layer, moved):
            _take_own(row, rows, lanes, take)
    tables[0, 0, INPUT_AT], tables[0, 1:, INPUT_AT] = NONE_AT, tables[0, :-1, OUTPUT_AT]
    return tables, end


def _take_own(row: np.ndarray, rows: int, lanes: int, take: Callable[[int], int]) -> None:
    """Reserve what the parameters and the vector need each: panels of W, W^T, and what a normalization keeps."""
    fan_in, fan_out = int(row[FAN_IN]), int(row[FAN_OUT])
    if row[PANELS_AT] != NONE_AT:
        row[PANELS_AT] = take(fan_in * -(-fan_out // lanes) * lanes)
    row[TRANSPOSED_AT] = take(fan_out * -(-fan_in // lanes) * lanes)
    if row[NORMALIZED_AT] != NONE_AT:
        row[NORMALIZED_AT], row[INVERSE_AT] = (take(count) for count in kept_by_normalization(row, rows))
    if row[EFFECTIVE_AT] != NONE_AT:
        row[EFFECTIVE_AT] = take(fan_in * fan_out)


def _take_pairs(layer: np.ndarray, size: int, last: bool, take: Callable[[int], int]) -> None:
    """Reserve the pairs that some layers keep beside a, df: df by alpha, and the gradient by a."""
    if layer[LEARNED_AT] != NONE_AT:
        layer[LEARNED_AT] = take(2 * size)
    if layer[GRADIENT_AT] != NONE_AT:
        layer[GRADIENT_AT] = layer[OUTPUT_AT] if last else take(2 * size)


def kept_by_normalization(row: np.ndarray, rows: int) -> tuple[int, int]:
    """Return how many numbers a layer's normalization keeps at NORMALIZED_AT and INVERSE_AT, for `rows` samples.

    zhat and 1/std of each column or row; of normalized weights two sums and 1/|w| of each column.
    """
    fan_out = int(row[FAN_OUT])
    return max(rows * int(row[STRIDE]), 2 * fan_out), max(rows, fan_out)


@device
def panels_of(layer, values, workspace):
    """Return (W, panel step, row stride) as the forward product reads it: copied to panels, or in place."""
    if load(layer, PANELS_AT) != NONE_AT:
        return part(workspace, layer, PANELS_AT), load(layer, FAN_IN), LANES
    return part(values, layer, WEIGHT_AT), 1, load(layer, FAN_OUT)


@device
def scratch_of(rows, layer, workspace, place):
    """Return the scratch matrix number `place` (0, 1 or 2), with the stride of a layer."""
    return offset(workspace, place * rows * load(layer, STRIDE))


@device
def part(buffer, layer, column):
    """Return where a layer's part of a buffer begins."""
    return offset(buffer, load(layer, column))


@device
def second_part(rows, buffer, layer, column):
    """Return the second of two matrices that stand together; a smaller batch leaves no gap between them."""
    return offset(buffer, load(layer, column) + rows * load(layer, STRIDE))


@device
def inputs_of(rows, layer, x, workspace):
    """Return a of the layer below; Ra stands before it. The first layer reads x."""
    if load(layer, INPUT_AT) == NONE_AT:
        return x
    return offset(workspace, load(layer, INPUT_AT) + rows * load(layer, INPUT_STRIDE))
