"""Products of a batch of one sample, matrix by vector: W is read once, as it lies in the parameters, and never copied.

The panels of `matmul` read a column of vectors at a time and want W^T as well; for a single row that costs more than
the products. `forward_row` and `outer_product` have the bits of their counterparts there, the input gradients have not:
their sums run over 16 lanes, so that W needs no transposing.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Reals, fma, kernel, load, offset, plain_dot, real, store


@kernel
def forward_row(inner: Int, columns: Int, a: Reals, w: Reals, bias: Reals, z: Reals) -> None:
    """z = a W + bias, each sum over k in order. a (inner,), W (inner, columns) packed, bias and z (columns,)."""
    for j in range(columns):
        store(z, j, real(0.0))
    whole = inner - inner % 4
    for k in range(0, whole, 4):
        row, at = offset(w, k * columns), offset(a, k)
        a0, a1, a2, a3 = load(at, 0), load(at, 1), load(at, 2), load(at, 3)
        for j in range(columns):
            total = fma(a1, load(row, columns + j), fma(a0, load(row, j), load(z, j)))
            store(z, j, fma(a3, load(row, 3 * columns + j), fma(a2, load(row, 2 * columns + j), total)))
    for k in range(whole, inner):
        row, a0 = offset(w, k * columns), load(a, k)
        for j in range(columns):
            store(z, j, fma(a0, load(row, j), load(z, j)))
    for j in range(columns):
        store(z, j, load(z, j) + load(bias, j))


@kernel
def input_gradient_row(inner: Int, columns: Int, delta: Reals, w: Reals, scale: Reals, out: Reals) -> None:
    """out = (delta W^T) * scale. delta (inner,), W (columns, inner) packed, scale and out (columns,)."""
    for i in range(columns):
        store(out, i, plain_dot(delta, offset(w, i * inner), inner) * load(scale, i))


@kernel
def plain_gradient_row(inner: Int, columns: Int, delta: Reals, w: Reals, out: Reals) -> None:
    """out = delta W^T, as `input_gradient_row`."""
    for i in range(columns):
        store(out, i, plain_dot(delta, offset(w, i * inner), inner))


@kernel
def outer_product(rows: Int, columns: Int, a: Reals, delta: Reals, out: Reals) -> None:
    """out = a^T delta. a (rows,), delta (columns,), out (rows, columns) packed."""
    for i in range(rows):
        row, factor = offset(out, i * columns), load(a, i)
        for j in range(columns):
            store(row, j, fma(factor, load(delta, j), real(0.0)))
