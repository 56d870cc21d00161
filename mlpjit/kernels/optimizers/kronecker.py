"""Shampoo: second moments of a matrix's rows and of its columns.

Stored W is the transpose of the papers' W. L, the moments of the inputs' side, is the papers' R, and R their L: both
rules treat the sides alike, so names go by where a matrix stands in L^p g R^p of the stored gradient g.
"""

from __future__ import annotations

from mlpjit.extending import (
    WEIGHT,
    Int,
    Real,
    Reals,
    add_scaled,
    eigenvectors,
    fill,
    fma,
    kernel,
    larger,
    layerwise,
    load,
    offset,
    product,
    real,
    set_scaled,
    sqrt,
    store,
    transpose,
    wide,
)


def square(n: int) -> int:
    """Return the length of an n x n matrix in rows of `wide(n)`."""
    return n * wide(n)


def factor_room(n: int) -> int:
    """Return what `root_of` and `turn_basis` need for an n x n matrix: two more and four rows."""
    return 2 * square(n) + 4 * wide(n)


@kernel
def spread(rows: Int, columns: Int, packed: Reals, out: Reals) -> None:
    """Copy a packed matrix to rows of `wide(columns)`, zeros behind them."""
    stride = wide(columns)
    fill(rows * stride, real(0.0), out)
    for i in range(rows):
        set_scaled(columns, real(1.0), offset(packed, i * columns), offset(out, i * stride))


@kernel
def average_gram(n: Int, inner: Int, keep: Real, part: Real, turned: Reals, g: Reals, kept: Reals, room: Reals) -> None:
    """Kept = keep kept + part g^T g; g is inner x n, `turned` its transpose. room: square(n) numbers."""
    stride = wide(n)
    product(n, inner, n, turned, wide(inner), 1, g, stride, room, stride)
    for i in range(n):
        row = offset(kept, i * stride)
        set_scaled(n, keep, row, row)
        add_scaled(n, part, offset(room, i * stride), row)


@kernel
def inverse_roots(n: Int, fourth: Int, floor: Real, values: Reals) -> None:
    """Values = max(values, floor)^-1/2, or ^-1/4; 0 where they are 0."""
    for i in range(n):
        root = sqrt(larger(load(values, i), floor))
        root = sqrt(root) if fourth else root
        store(values, i, real(0.0) if root == 0.0 else 1.0 / root)


@kernel
def root_of(n: Int, fourth: Int, eps: Real, kept: Reals, root: Reals, room: Reals) -> None:
    """Root = (eps + kept)^-1/2, or ^-1/4; kept is positive semidefinite: no eigenvalue below eps. room: factor_room."""
    stride = wide(n)
    a, x, values = room, offset(room, n * stride), offset(room, 2 * n * stride)
    spread(n, stride, kept, a)
    for i in range(n):
        store(a, i * (stride + 1), load(a, i * (stride + 1)) + eps)
    eigenvectors(n, a, values, x, offset(values, stride))
    inverse_roots(n, fourth, eps, values)
    for k in range(n):
        fill(stride, real(0.0), offset(a, k * stride))
        set_scaled(n, load(values, k), offset(x, k * stride), offset(a, k * stride))
    product(n, n, n, x, 1, stride, a, stride, root, stride)


def shampoo_extra(rows: int, columns: int, kind: int) -> int:
    """Return what Shampoo keeps of a tensor: moments and their roots, of both sides of a matrix."""
    return 2 * square(columns) + (2 * square(rows) if kind == WEIGHT else 0)


def shampoo_scratch(rows: int, columns: int, kind: int) -> int:
    """Return the scratch of Shampoo: g, a product and the update, g transposed, the room of an eigendecomposition."""
    return 3 * rows * wide(columns) + columns * wide(rows) + factor_room(max(rows, columns)) + 16


@layerwise(
    formula="L += g g^T, R += g^T g; W -= eta (L + eps)^-1/4 g (R + eps)^-1/4; of a vector theta -= eta (R + "
    "eps)^-1/2 g", citation="Gupta, Koren & Singer 2018, arXiv:1802.09568, algorithms 1 and 2", extra=shampoo_extra,
    extra_scratch=shampoo_scratch, eps=1e-4, precondition_frequency=1,
)  # fmt: skip
def shampoo(step, rows, columns, kind, params, grads, extra, scratch, learning_rate, eps, precondition_frequency):
    """Shampoo: a full-matrix AdaGrad for rows and one for columns; vectors, tensors of order 1, have full AdaGrad.

    precondition_frequency: steps between two computations of the roots, 1 in the paper's algorithm, 20 to 100 in its
    experiments. No momentum, no grafting, sums and not averages, as in its algorithms.
    """
    across, down, matrix = wide(columns), wide(rows), kind == WEIGHT
    every = int(precondition_frequency)
    g, half, update = scratch, offset(scratch, rows * across), offset(scratch, 2 * rows * across)
    turned = offset(scratch, 3 * rows * across)
    room = offset(turned, columns * down)
    right, right_root = extra, offset(extra, columns * across)
    left = offset(extra, 2 * columns * across)
    left_root = offset(left, rows * down)
    spread(rows, columns, grads, g)
    fill(columns * down, real(0.0), turned)
    transpose(rows, columns, g, across, turned, down)
    fourth = 1 if matrix else 0
    average_gram(columns, rows, real(1.0), real(1.0), turned, g, right, room)
    if matrix:
        average_gram(rows, columns, real(1.0), real(1.0), g, turned, left, room)
    if (step - 1) % every == 0:
        root_of(columns, fourth, eps, right, right_root, room)
        if matrix:
            root_of(rows, fourth, eps, left, left_root, room)
    if matrix:
        product(rows, rows, columns, left_root, down, 1, g, across, half, across)
    else:
        half = g
    product(rows, columns, columns, half, across, 1, right_root, across, update, across)
    for i in range(rows):
        add_scaled(columns, -learning_rate, offset(update, i * across), offset(params, i * columns))


@kernel
def average(count: Int, keep: Real, part: Real, g: Reals, mu: Reals) -> None:
    """mu = keep mu + part g."""
    for i in range(count):
        store(mu, i, fma(keep, load(mu, i), part * load(g, i)))
