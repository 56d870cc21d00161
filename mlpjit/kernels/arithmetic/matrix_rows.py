"""Loops over rows of matrices in scratch memory, each a kernel: inlined, they took three times as long to compile.

Rows are `wide(columns)` numbers apart; what pads them is neither read nor written. Loops carry no sum, so they are
vector loops; sums are made in order. NaN is never lost.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrix_products import wide
from mlpjit.kernels.arithmetic.scalars import larger
from mlpjit.kernels.language import DtypeConstant, Int, Real, Reals, absolute, fma, kernel, load, offset, real, store

SMALLEST = DtypeConstant("SMALLEST", 2.0**-126, 2.0**-1022)


@kernel
def fill(count: Int, value: Real, x: Reals) -> None:
    """X = value."""
    for i in range(count):
        store(x, i, value)


@kernel
def set_scaled(count: Int, factor: Real, x: Reals, y: Reals) -> None:
    """Y = factor x; y may be x."""
    for i in range(count):
        store(y, i, factor * load(x, i))


@kernel
def add_scaled(count: Int, factor: Real, x: Reals, y: Reals) -> None:
    """Y += factor x."""
    for i in range(count):
        store(y, i, fma(factor, load(x, i), load(y, i)))


@kernel
def divide(count: Int, sizes: Reals, x: Reals) -> None:
    """X = x / sizes, 0 where they are subnormal."""
    for j in range(count):
        size = load(sizes, j)
        store(x, j, real(0.0) if size <= SMALLEST else load(x, j) / size)


@kernel
def sum_of_products(count: Int, x: Reals, y: Reals) -> Real:
    """<x, y>, in order."""
    total = 0.0
    for i in range(count):
        total = fma(load(x, i), load(y, i), total)
    return total


@kernel
def largest_entry(rows: Int, columns: Int, a: Reals, stride: Int) -> Real:
    """The largest |entry|; NaN where there is one."""
    found = 0.0
    for i in range(rows):
        for j in range(columns):
            found = larger(absolute(load(a, i * stride + j)), found)
    return found


@kernel
def column_sizes(n: Int, a: Reals, sizes: Reals) -> None:
    """sizes[j] = the largest |entry| of column j."""
    fill(n, real(0.0), sizes)
    for i in range(n):
        row = offset(a, i * wide(n))
        for j in range(n):
            store(sizes, j, larger(absolute(load(row, j)), load(sizes, j)))


@kernel
def identity(n: Int, x: Reals) -> None:
    """X = 1."""
    stride = wide(n)
    for i in range(n):
        fill(n, real(0.0), offset(x, i * stride))
        store(x, i * (stride + 1), 1.0)


@kernel
def transpose(rows: Int, columns: Int, a: Reals, stride: Int, out: Reals, out_stride: Int) -> None:
    """Out = a^T; a is rows x columns."""
    for i in range(rows):
        for j in range(columns):
            store(out, j * out_stride + i, load(a, i * stride + j))


@kernel
def rotate(count: Int, c: Real, s: Real, lower: Reals, upper: Reals) -> None:
    """(lower, upper) = (c lower - s upper, s lower + c upper)."""
    for k in range(count):
        low, high = load(lower, k), load(upper, k)
        store(upper, k, fma(s, low, c * high))
        store(lower, k, fma(c, low, -(s * high)))
