"""Sums over the rows of a batch, column by column, in the order of the rows."""

from __future__ import annotations

from mlpjit.kernels.rules import Int, Reals, fma, kernel, load, offset, real, store


@kernel
def column_sums(rows: Int, columns: Int, delta: Reals, stride: Int, out: Reals) -> None:
    """out[j] = sum over rows, in order."""
    for j in range(columns):
        store(out, j, real(0.0))
    for i in range(rows):
        row = offset(delta, i * stride)
        for j in range(columns):
            store(out, j, load(out, j) + load(row, j))


@kernel
def add_column_products(rows: Int, columns: Int, a: Reals, b: Reals, stride: Int, total: Reals) -> None:
    """total[j] += sum of a b over the rows of column j, in order."""
    for i in range(rows):
        left, right = offset(a, i * stride), offset(b, i * stride)
        for j in range(columns):
            store(total, j, fma(load(left, j), load(right, j), load(total, j)))
