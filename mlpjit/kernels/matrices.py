"""Matrices of the workspace: sums of columns, in the order of the rows, and what is done number by number."""

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


@kernel
def add_matrix(count: Int, addend: Reals, total: Reals) -> None:
    """total += addend."""
    for i in range(count):
        store(total, i, load(total, i) + load(addend, i))


@kernel
def multiply_matrix(count: Int, factor: Reals, product: Reals) -> None:
    """product *= factor."""
    for i in range(count):
        store(product, i, load(factor, i) * load(product, i))


@kernel
def copy_matrix(count: Int, source: Reals, target: Reals) -> None:
    """target = source."""
    for i in range(count):
        store(target, i, load(source, i))
