"""Where the matrices of a Hessian-vector product stand: a workspace of its own, beside that of forward and backward.

Each layer keeps two pairs of matrices, one behind the other: [Ra; a] at output_at (the last layer [a; Ra], then the
loss's gradient [g; Rg]), and [df; d2f Rz], later [delta; R delta], at slope_at. A pair is one matrix of twice the
rows, so (Ra)^T delta + a^T R delta is one product. A second table of layers, `moved`, names the panels of V, the
vector's W, and R of what normalization keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.language import device, load, offset
from mlpjit.kernels.tables import LAYER, NONE_AT

if TYPE_CHECKING:
    import numpy as np

# The workspace begins with three matrices as large as a layer's outputs: scratch.
SCRATCH = 3


def plan_curvature(
    layers: np.ndarray, derivatives: Sequence[int], pairs: Sequence[Mapping[str, int]], rows: int, lanes: int
) -> tuple[np.ndarray, int]:
    """Lay out a workspace for at most `rows` samples; return the two tables and the workspace's length.

    layers: the table of layers of a run, int64 (L, len(LAYER)); sizes, strides and offsets of parameters are
    taken from it. derivatives: address of each layer's `evaluation_loop` or `learned_pair_loop`, 0 for softmax. pairs:
    for each layer the addresses of its normalization's pairs by column, 0 for none. lanes: numbers in a vector.
    The tables are int64 (2, L, len(LAYER)). The workspace has 64-byte alignment and needs no clearing.
    """
    import numpy as np

    tables = np.stack([layers, layers])
    tables[:, :, LAYER.activation] = derivatives
    for moved, acts in zip(tables[1], pairs, strict=True):
        for name, address in acts.items():
            moved[getattr(LAYER, name)] = address
    # A single sample needs two rows: batch normalization writes its running statistics to the scratch, and its way
    # back four numbers a column.
    end = SCRATCH * max(rows, 2) * int(layers[:, LAYER.stride].max())

    def take(count: int) -> int:
        nonlocal end
        start, end = end, end + -(-count // lanes) * lanes
        return start

    for number, (layer, moved) in enumerate(zip(*tables, strict=True), start=1):
        size = rows * int(layer[LAYER.stride])
        layer[LAYER.output_at], layer[LAYER.slope_at] = take(2 * size), take(2 * size)
        _take_pairs(layer, size, number == len(layers), take)
        for row in (layer, moved):
            _take_own(row, rows, lanes, take)
    tables[0, 0, LAYER.input_at], tables[0, 1:, LAYER.input_at] = NONE_AT, tables[0, :-1, LAYER.output_at]
    return tables, end


def _take_own(row: np.ndarray, rows: int, lanes: int, take: Callable[[int], int]) -> None:
    """Reserve what the parameters and the vector need each: panels of W, W^T, and what a normalization keeps."""
    fan_in, fan_out = int(row[LAYER.fan_in]), int(row[LAYER.fan_out])
    if row[LAYER.panels_at] != NONE_AT:
        row[LAYER.panels_at] = take(fan_in * -(-fan_out // lanes) * lanes)
    row[LAYER.transposed_at] = take(fan_out * -(-fan_in // lanes) * lanes)
    if row[LAYER.normalized_at] != NONE_AT:
        kept = kept_by_normalization(rows, fan_out, int(row[LAYER.stride]))
        row[LAYER.normalized_at], row[LAYER.inverse_at] = (take(count) for count in kept)
    if row[LAYER.effective_at] != NONE_AT:
        row[LAYER.effective_at] = take(fan_in * fan_out)


def _take_pairs(layer: np.ndarray, size: int, last: bool, take: Callable[[int], int]) -> None:
    """Reserve the pairs that some layers keep beside a, df: df by alpha, and the gradient by a."""
    if layer[LAYER.learned_at] != NONE_AT:
        layer[LAYER.learned_at] = take(2 * size)
    if layer[LAYER.gradient_at] != NONE_AT:
        layer[LAYER.gradient_at] = layer[LAYER.output_at] if last else take(2 * size)


def kept_by_normalization(rows: int, fan_out: int, stride: int) -> tuple[int, int]:
    """Return how many numbers a layer's normalization keeps at normalized_at and inverse_at, for `rows` samples.

    zhat and 1/std of each column or row; of normalized weights two sums and 1/|w| of each column.
    """
    return max(rows * stride, 2 * fan_out), max(rows, fan_out)


@device
def panels_of(layer, values, workspace):
    """Return (W, panel step, row stride) as the forward product reads it: copied to panels, or in place."""
    if load(layer, LAYER.panels_at) != NONE_AT:
        return part(workspace, layer, LAYER.panels_at), load(layer, LAYER.fan_in), LANES
    return part(values, layer, LAYER.weight_at), 1, load(layer, LAYER.fan_out)


@device
def scratch_of(rows, layer, workspace, place):
    """Return the scratch matrix number `place` (0, 1 or 2), with the stride of a layer."""
    return offset(workspace, place * rows * load(layer, LAYER.stride))


@device
def part(buffer, layer, column):
    """Return where a layer's part of a buffer begins."""
    return offset(buffer, load(layer, column))


@device
def second_part(rows, buffer, layer, column):
    """Return the second of two matrices that stand together; a smaller batch leaves no gap between them."""
    return offset(buffer, load(layer, column) + rows * load(layer, LAYER.stride))


@device
def inputs_of(rows, layer, x, workspace):
    """Return a of the layer below; Ra stands before it. The first layer reads x."""
    if load(layer, LAYER.input_at) == NONE_AT:
        return x
    return offset(workspace, load(layer, LAYER.input_at) + rows * load(layer, LAYER.input_stride))
