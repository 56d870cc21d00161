"""Factorizations in scratch memory: eigenvectors of symmetric matrices, orthonormal columns, triangular systems.

Rows are `wide(columns)` numbers apart; what pads them is neither read nor written. A number that is not finite comes
out as NaN in all that depends on it.
"""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.arithmetic.matrix_products import wide
from mlpjit.kernels.arithmetic.matrix_rows import (
    SMALLEST,
    add_scaled,
    column_sizes,
    divide,
    fill,
    identity,
    largest_entry,
    rotate,
    set_scaled,
    sum_of_products,
)
from mlpjit.kernels.arithmetic.scalars import larger
from mlpjit.kernels.language import (
    DtypeConstant,
    Int,
    Real,
    Reals,
    absolute,
    copysign,
    device,
    fma,
    kernel,
    load,
    offset,
    real,
    select,
    sqrt,
    store,
)

ULP: Any = DtypeConstant("ULP", 2.0**-23, 2.0**-52)
# Against a largest entry of 1. The square of a smaller number has lost digits: no reflection or rotation is made of it.
NEGLIGIBLE = DtypeConstant("NEGLIGIBLE", 2.0**-50, 2.0**-450)
# QL needs less than two iterations an eigenvalue; a matrix that has not converged after so many is left as it is.
MOST_ITERATIONS = 40


@device
def reflector(count, size, x):
    """Make x, of length size, the v of a reflection 1 - beta v v^T that takes it to alpha e_1; return beta, alpha."""
    head = load(x, 0)
    alpha = -copysign(size, head)
    store(x, 0, head - alpha)
    return (0.0 if size < NEGLIGIBLE else 1.0 / (size * (size + absolute(head)))), alpha


@kernel
def reflect(rows: Int, columns: Int, v: Reals, beta: Real, a: Reals, stride: Int, room: Reals) -> None:
    """a -= beta v (v^T a). room: as many numbers as columns."""
    fill(columns, real(0.0), room)
    for i in range(rows):
        add_scaled(columns, load(v, i), offset(a, i * stride), room)
    for i in range(rows):
        add_scaled(columns, -(beta * load(v, i)), room, offset(a, i * stride))


@kernel
def make_tridiagonal(n: Int, a: Reals, diagonal: Reals, beside: Reals, betas: Reals, w: Reals) -> None:
    """a = Q T Q^T: T's diagonal and the numbers beside it; Q as reflections, their v behind the diagonal of a's rows.

    Householder; Golub & Van Loan 2013, Matrix Computations, algorithm 8.3.1, on the whole of the symmetric matrix.
    w: wide(n) numbers of scratch.
    """
    stride = wide(n)
    for k in range(n - 2):
        v, rest = offset(a, k * stride + k + 1), n - k - 1
        below = offset(a, (k + 1) * (stride + 1))
        beta, alpha = reflector(rest, sqrt(sum_of_products(rest, v, v)), v)
        store(beside, k, alpha)
        store(betas, k, beta)
        fill(rest, real(0.0), w)
        for i in range(rest):
            add_scaled(rest, beta * load(v, i), offset(below, i * stride), w)
        add_scaled(rest, -(0.5 * beta * sum_of_products(rest, v, w)), v, w)
        for i in range(rest):
            row = offset(below, i * stride)
            add_scaled(rest, -load(w, i), v, row)
            add_scaled(rest, -load(v, i), w, row)
    for i in range(n):
        store(diagonal, i, load(a, i * (stride + 1)))
    if n > 1:
        store(beside, n - 2, load(a, (n - 2) * stride + n - 1))


@device
def chase(n, first, last, diagonal, beside, x, stride):
    """One implicit QL step on the block first..last of T with Wilkinson's shift; rows of x are rotated along."""
    head, side = load(diagonal, first), load(beside, first)
    half = (load(diagonal, first + 1) - head) / (2.0 * side)
    g = load(diagonal, last) - head + side / (half + copysign(sqrt(fma(half, half, 1.0)), half))
    c, s, p = real(1.0), real(1.0), real(0.0)
    for i in range(last - 1, first - 1, -1):
        f, b = s * load(beside, i), c * load(beside, i)
        r = sqrt(fma(f, f, g * g))
        store(beside, i + 1, r)
        if r < NEGLIGIBLE:  # the block falls apart here
            store(diagonal, i + 1, load(diagonal, i + 1) - p)
            store(beside, last, 0.0)
            return
        s, c = f / r, g / r
        g = load(diagonal, i + 1) - p
        r = fma(load(diagonal, i) - g, s, 2.0 * c * b)
        p = s * r
        store(diagonal, i + 1, g + p)
        g = fma(c, r, -b)
        rotate(n, c, s, offset(x, i * stride), offset(x, (i + 1) * stride))
    store(diagonal, first, load(diagonal, first) - p)
    store(beside, first, g)
    store(beside, last, 0.0)


@kernel
def diagonalize(n: Int, diagonal: Reals, beside: Reals, x: Reals) -> None:
    """Make T diagonal by implicit QL steps, and rotate the rows of x along; beside[n - 1] is written too.

    Golub & Van Loan 2013, section 8.3.5, from the other end; an entry beside the diagonal is 0 below ulp |T|.
    """
    stride = wide(n)
    store(beside, n - 1, 0.0)
    limit = 0.0
    for i in range(n):
        limit = larger(absolute(load(diagonal, i)) + absolute(load(beside, i)), limit)
    limit *= ULP
    for first in range(n):
        for _ in range(MOST_ITERATIONS):
            last = first
            while last < n - 1 and absolute(load(beside, last)) > limit:
                last += 1
            if last == first:
                break
            chase(n, first, last, diagonal, beside, x, stride)


@kernel
def sort_rows(n: Int, values: Reals, x: Reals, stride: Int) -> None:
    """Sort values and the rows of x with them, the largest first."""
    for i in range(n - 1):
        best = i
        for j in range(i + 1, n):
            best = j if load(values, j) > load(values, best) else best
        if best != i:
            here, there = load(values, i), load(values, best)
            store(values, i, there)
            store(values, best, here)
            rotate(n, real(0.0), real(1.0), offset(x, i * stride), offset(x, best * stride))


@kernel
def eigenvectors(n: Int, a: Reals, values: Reals, x: Reals, room: Reals) -> None:
    """a = sum of values[k] x[k] x[k]^T: eigenvalues of a symmetric matrix, the largest first; unit eigenvectors, rows.

    Destroys a. Errors are of the size ulp |a|. room: 3 wide(n) numbers. Tridiagonal form and QL steps, not Jacobi's
    sweeps, which make twice as many rotations in each sweep as QL makes in all. float32, one core of an AMD EPYC, us at
    n = 10, 32, 64, 128, 256: 5, 37, 153, 775, 13000 (LAPACK through NumPy: 21, 105, 395, 1568, 21500).
    """
    stride = wide(n)
    betas, sums = offset(room, stride), offset(room, 2 * stride)
    scale = largest_entry(n, n, a, stride)
    if scale - scale != 0.0:
        fill(n, scale - scale, values)
        for i in range(n):
            fill(n, scale - scale, offset(x, i * stride))
        return
    inverse = real(1.0 / scale) if scale > SMALLEST else real(0.0)
    for i in range(n):
        set_scaled(n, inverse, offset(a, i * stride), offset(a, i * stride))
    identity(n, x)
    make_tridiagonal(n, a, values, room, betas, sums)
    for k in range(n - 3, -1, -1):
        v, corner = offset(a, k * stride + k + 1), offset(x, (k + 1) * (stride + 1))
        reflect(n - k - 1, n - k - 1, v, load(betas, k), corner, stride, sums)
    for i in range(n):
        for j in range(i):
            above, below = load(x, j * stride + i), load(x, i * stride + j)
            store(x, j * stride + i, below)
            store(x, i * stride + j, above)
    diagonalize(n, values, room, x)
    sort_rows(n, values, x, stride)
    set_scaled(n, scale, values, values)


@device
def column(count, a, stride, out):
    """Copy a column."""
    for i in range(count):
        store(out, i, load(a, i * stride))


@kernel
def orthonormal_columns(n: Int, a: Reals, q: Reals, room: Reals) -> None:
    """Q of a = Q R, n x n, by Householder reflections; destroys a. A column depends on those before it below n ulp.

    There the next direction that the reflections leave is taken: Q is orthonormal whatever a is, and the same in both
    dtypes. The sign of a column is not fixed. room: 3 wide(n) numbers.
    """
    stride = wide(n)
    v, betas, sums = room, offset(room, stride), offset(room, 2 * stride)
    column_sizes(n, a, sums)
    for i in range(n):
        divide(n, sums, offset(a, i * stride))
    identity(n, q)
    limit = real(n) * ULP
    for k in range(n):
        corner, rest = offset(a, k * (stride + 1)), n - k
        column(rest, corner, stride, v)
        size = sqrt(sum_of_products(rest, v, v))
        if size <= limit:
            fill(rest, real(0.0), v)
        beta, _ = reflector(rest, select(size <= limit, real(0.0), size), v)
        store(betas, k, beta)
        reflect(rest, rest - 1, v, beta, offset(corner, 1), stride, sums)
        for i in range(rest):
            store(corner, i * stride, load(v, i))
    for k in range(n - 1, -1, -1):
        corner = offset(a, k * (stride + 1))
        column(n - k, corner, stride, v)
        reflect(n - k, n - k, v, load(betas, k), offset(q, k * (stride + 1)), stride, sums)


@kernel
def solve_right(rows: Int, n: Int, x: Reals, r: Reals) -> None:
    """x = x R^-1 in place; x is rows x n, R upper triangular."""
    stride = wide(n)
    for i in range(rows):
        row = offset(x, i * stride)
        for k in range(n):
            pivot = load(row, k) / load(r, k * (stride + 1))
            store(row, k, pivot)
            add_scaled(n - k - 1, -pivot, offset(r, k * (stride + 1) + 1), offset(row, k + 1))


@kernel
def solve_transposed(n: Int, columns: Int, x: Reals, r: Reals) -> None:
    """x = R^-T x in place; x is n x columns, R upper triangular."""
    stride, across = wide(columns), wide(n)
    for i in range(n):
        row, inverse = offset(x, i * stride), 1.0 / load(r, i * (across + 1))
        for k in range(i):
            add_scaled(columns, -load(r, k * across + i), offset(x, k * stride), row)
        for j in range(columns):
            store(row, j, load(row, j) * inverse)
