"""Matrices of the workspace: sums of columns, in the order of the rows, and what is done number by number."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.language import (
    Float64,
    Int,
    Primitive,
    Real,
    Reals,
    copysign,
    dot,
    float64,
    fma,
    kernel,
    load,
    offset,
    real,
    store,
)

buffer, panel_sums = Primitive("buffer"), Primitive("panel_sums")
BLOCK = 64


@kernel
def column_sums(rows: Int, columns: Int, delta: Reals, stride: Int, out: Reals) -> None:
    """out[j] = sum over rows, in order; delta's rows are padded to whole vectors.

    Four vectors at a time keep the adder busy: each sum waits for the one before.
    """
    wide = columns - columns % (4 * LANES)
    for j in range(0, wide, 4 * LANES):
        panel_sums(rows, offset(delta, j), stride, offset(out, j), 4 * LANES, 4)
    for j in range(wide, columns, LANES):
        panel_sums(rows, offset(delta, j), stride, offset(out, j), columns - j, 1)


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


@kernel
def sum_of_sizes(count: Int, x: Reals) -> Float64:
    """Return sum |x|, as the product of x with its signs, BLOCK at a time."""
    total, signs = float64(0), buffer(x, BLOCK)
    for first in range(0, count, BLOCK):
        block, some = offset(x, first), min(BLOCK, count - first)
        for k in range(some):
            store(signs, k, copysign(real(1.0), load(block, k)))
        total += dot(block, signs, some)
    return total


@kernel
def add_multiple(count: Int, factor: Real, x: Reals, y: Reals) -> None:
    """y += factor x."""
    for i in range(count):
        store(y, i, fma(factor, load(x, i), load(y, i)))
