"""Matrix products: forward, input gradient, weight gradient, and the copies of W that they read.

All are C[i, j] = sum_k A(i, k) B(k, j), the sum over k in order with one fused multiply-add each. A is read a
number at a time through two strides; B in panels one vector (LANES) wide; C leaves through an epilogue. Matrices
of the workspace have rows padded to whole vectors; the packed gradient is written to its exact size.
"""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.language import DtypeConstant, Int, Primitive, Reals, kernel, offset

LANES: Any = DtypeConstant("LANES", float32=16, float64=8)
panel_bias = Primitive("panel_bias")
panel_scale = Primitive("panel_scale")
panel_plain = Primitive("panel_plain")
panel_bias_pair, panel_scale_pair = Primitive("panel_bias_pair"), Primitive("panel_scale_pair")
panel_plain_pair = Primitive("panel_plain_pair")
copy_vector = Primitive("copy_vector")
transpose_block = Primitive("transpose_block")


@kernel
def forward_product(
    rows: Int, inner: Int, columns: Int, a: Reals, a_stride: Int, w: Reals, panel_step: Int, w_stride: Int, bias: Reals,
    z: Reals, z_stride: Int,
) -> None:  # fmt: skip
    """z = a W + bias. a (rows, inner), W (inner, columns); z's rows are padded to whole vectors.

    W lies in panels (panel_step = inner, w_stride = LANES) or packed as it is in the parameters (panel_step = 1,
    w_stride = columns); what pads z's rows is then whatever follows in memory, and nothing reads it.
    """
    pairs = (columns + LANES - 1) // (2 * LANES) * 2 * LANES
    for j in range(0, pairs, 2 * LANES):
        panel, beyond = offset(w, j * panel_step), LANES * panel_step
        panel_bias_pair(
            rows, inner, a, a_stride, 1, panel, w_stride, beyond, offset(z, j), z_stride, offset(bias, j), 0
        )
    for j in range(pairs, columns, LANES):
        panel = offset(w, j * panel_step)
        panel_bias(rows, inner, a, a_stride, 1, panel, w_stride, offset(z, j), z_stride, offset(bias, j), 0, LANES)


@kernel
def input_gradient(
    rows: Int, inner: Int, columns: Int, delta: Reals, delta_stride: Int, w: Reals, scale: Reals, scale_stride: Int,
    out: Reals, out_stride: Int,
) -> None:  # fmt: skip
    """out = (delta W^T) * scale, elementwise. delta (rows, inner); w panels of W^T (inner, columns)."""
    pairs = (columns + LANES - 1) // (2 * LANES) * 2 * LANES
    for j in range(0, pairs, 2 * LANES):
        panel_scale_pair(
            rows, inner, delta, delta_stride, 1, offset(w, j * inner), LANES, LANES * inner, offset(out, j), out_stride,
            offset(scale, j), scale_stride,
        )  # fmt: skip
    for j in range(pairs, columns, LANES):
        panel = offset(w, j * inner)
        panel_scale(
            rows, inner, delta, delta_stride, 1, panel, LANES, offset(out, j), out_stride, offset(scale, j),
            scale_stride, LANES,
        )  # fmt: skip


@kernel
def plain_product(
    rows: Int, inner: Int, columns: Int, a: Reals, a_stride: Int, w: Reals, panel_step: Int, w_stride: Int, out: Reals,
    out_stride: Int,
) -> None:  # fmt: skip
    """out = a W: `forward_product` without bias; with panels of W^T, an input gradient without slopes."""
    for j in range(0, columns, LANES):
        panel = offset(w, j * panel_step)
        panel_plain(rows, inner, a, a_stride, 1, panel, w_stride, offset(out, j), out_stride, out, 0, LANES)


@kernel
def weight_gradient(
    rows: Int, inner: Int, columns: Int, a: Reals, a_stride: Int, delta: Reals, delta_stride: Int, out: Reals
) -> None:
    """out = a^T delta. a (inner, rows) and delta (inner, columns) padded; out (rows, columns) packed."""
    pairs = columns // (2 * LANES) * 2 * LANES
    for j in range(0, pairs, 2 * LANES):
        panel = offset(delta, j)
        panel_plain_pair(rows, inner, a, 1, a_stride, panel, delta_stride, LANES, offset(out, j), columns, out, 0)
    for j in range(pairs, columns, LANES):
        panel_plain(
            rows, inner, a, 1, a_stride, offset(delta, j), delta_stride, offset(out, j), columns, out, 0, columns - j
        )  # fmt: skip


@kernel
def pack_panels(rows: Int, columns: Int, w: Reals, out: Reals) -> None:
    """Copy packed W (rows, columns) to panels of LANES columns, zeros beyond the edge."""
    for j in range(0, columns, LANES):
        panel = offset(out, j * rows)
        for i in range(rows):
            copy_vector(offset(w, i * columns + j), offset(panel, i * LANES), columns - j)


@kernel
def pack_transposed_panels(rows: Int, columns: Int, w: Reals, out: Reals) -> None:
    """Copy W^T of packed W (rows, columns) to panels of LANES of W's rows, zeros beyond the edge."""
    for i in range(0, rows, LANES):
        panel = offset(out, i * columns)
        for j in range(0, columns, LANES):
            block, place = offset(w, i * columns + j), offset(panel, j * LANES)
            transpose_block(block, columns, min(rows - i, LANES), min(columns - j, LANES), place)
