"""Cholesky's factor of a symmetric matrix and what is solved with it, in a fixed order.

A matrix has rows `stride` numbers apart. Every inner loop adds a multiple of one row to another, by one fused
multiply-add a number, so vectors of any width give the same bits.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Real, Reals, fma, kernel, load, offset, real, select, sqrt, store


@kernel
def cholesky(size: Int, a: Reals, stride: Int, floor: Real) -> None:
    """A = U^T U in place, from the upper triangle of `a`; below the diagonal nothing is read or written.

    A pivot, the square of U's diagonal, below `floor` is raised to it: where the smallest eigenvalue is at least that,
    only rounding can bring it there. NaN stays NaN.
    """
    for k in range(size):
        row = offset(a, k * stride)
        pivot = load(row, k)
        root = sqrt(select(pivot < floor, floor, pivot))
        scale = real(1.0) / root
        store(row, k, root)
        for j in range(k + 1, size):
            store(row, j, scale * load(row, j))
        for i in range(k + 1, size):
            factor, other = -load(row, i), offset(a, i * stride)
            for j in range(i, size):
                store(other, j, fma(factor, load(row, j), load(other, j)))


@kernel
def cholesky_solve(size: Int, u: Reals, stride: Int, columns: Int, x: Reals, x_stride: Int) -> None:
    """x = A^-1 x in place, A = U^T U (size, size), x (size, columns): forward with U^T, then back with U."""
    for i in range(size):
        row, own = offset(u, i * stride), offset(x, i * x_stride)
        scale = real(1.0) / load(row, i)
        for j in range(columns):
            store(own, j, scale * load(own, j))
        for k in range(i + 1, size):
            factor, other = -load(row, k), offset(x, k * x_stride)
            for j in range(columns):
                store(other, j, fma(factor, load(own, j), load(other, j)))
    for i in range(size - 1, -1, -1):
        row, own = offset(u, i * stride), offset(x, i * x_stride)
        for k in range(i + 1, size):
            factor, other = -load(row, k), offset(x, k * x_stride)
            for j in range(columns):
                store(own, j, fma(factor, load(other, j), load(own, j)))
        scale = real(1.0) / load(row, i)
        for j in range(columns):
            store(own, j, scale * load(own, j))
