"""Shampoo and SOAP: second moments of a matrix's rows and of its columns.

Stored W is the transpose of the papers' W. L, the moments of the inputs' side, is the papers' R, and R their L: both
rules treat the sides alike, so names go by where a matrix stands in L^p g R^p of the stored gradient g.
"""

from __future__ import annotations

from mlpjit.kernels.linear_algebra_factors import (
    ULP,
    add_scaled,
    column_sizes,
    eigenvectors,
    fill,
    orthonormal_columns,
    set_scaled,
    transpose,
)
from mlpjit.kernels.linear_algebra_products import product, wide
from mlpjit.kernels.optimizers.layerwise import layerwise
from mlpjit.kernels.optimizers.registration import larger, one_minus_power
from mlpjit.kernels.optimizers.stages import WEIGHT
from mlpjit.kernels.rules import Int, Real, Reals, fma, kernel, load, offset, real, sqrt, store


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
    "L += g g^T, R += g^T g; W -= eta (L + eps)^-1/4 g (R + eps)^-1/4; of a vector theta -= eta (R + eps)^-1/2 g",
    "Gupta, Koren & Singer 2018, arXiv:1802.09568, algorithms 1 and 2", extra=shampoo_extra,
    extra_scratch=shampoo_scratch, eps=1e-4, precondition_frequency=1,
)  # fmt: skip
def shampoo(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """Shampoo: a full-matrix AdaGrad for rows and one for columns; vectors, tensors of order 1, have full AdaGrad.

    precondition_frequency: steps between two computations of the roots, 1 in the paper's algorithm, 20 to 100 in its
    experiments. No momentum, no grafting, sums and not averages, as in its algorithms.
    """
    across, down, matrix = wide(columns), wide(rows), kind == WEIGHT
    eps, every = real(load(settings, 0)), int(load(settings, 1))
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
        add_scaled(columns, real(-learning_rate), offset(update, i * across), offset(params, i * columns))


@kernel
def first_basis(n: Int, moments: Reals, q: Reals, room: Reals) -> None:
    """q's columns = eigenvectors, the largest eigenvalue's first; of the null space, unit vectors made orthogonal.

    An eigenvalue below n ulp of the largest counts as 0; what a solver says of its eigenvectors is rounding.
    """
    stride = wide(n)
    a, x, values = room, offset(room, n * stride), offset(room, 2 * n * stride)
    spread(n, stride, moments, a)
    eigenvectors(n, a, values, x, offset(values, stride))
    limit = load(values, 0) * real(n) * ULP
    for k in range(n):
        if load(values, k) <= limit:
            fill(n, real(0.0), offset(x, k * stride))
            store(x, k * (stride + 1), 1.0)
    transpose(n, n, x, stride, a, stride)
    orthonormal_columns(n, a, q, offset(values, stride))


@kernel
def column_products(n: Int, a: Reals, b: Reals, out: Reals) -> None:
    """out[j] = <a_j, b_j> of columns."""
    fill(n, real(0.0), out)
    for i in range(n):
        here, there = offset(a, i * wide(n)), offset(b, i * wide(n))
        for j in range(n):
            store(out, j, fma(load(here, j), load(there, j), load(out, j)))


@kernel
def order_of(n: Int, values: Reals, order: Reals) -> None:
    """Write the places of the values to order, the largest value's first; of equal ones the first."""
    for i in range(n):
        at = i
        while at > 0 and load(values, i) > load(values, int(load(order, at - 1))):
            store(order, at, load(order, at - 1))
            at -= 1
        store(order, at, real(i))


@kernel
def turn_basis(n: Int, moments: Reals, q: Reals, room: Reals) -> None:
    """One step of power iteration: q = the Q of moments q, columns taken by falling q_j^T moments q_j (algorithm 4).

    Each column keeps its place. Where moments q_j is below n ulp of the largest, q_j itself stands for it.
    """
    stride = wide(n)
    turned, sorted_columns = room, offset(room, n * stride)
    order = offset(room, 2 * n * stride)
    values, sizes = offset(order, stride), offset(order, 2 * stride)
    product(n, n, n, moments, stride, 1, q, stride, turned, stride)
    column_sizes(n, turned, sizes)
    column_products(n, q, turned, values)
    limit = 0.0
    for j in range(n):
        limit = larger(load(sizes, j), limit)
    limit *= real(n) * ULP
    order_of(n, values, order)
    for k in range(n):
        j = int(load(order, k))
        source = q if load(sizes, j) <= limit else turned
        for i in range(n):
            store(sorted_columns, i * stride + k, load(source, i * stride + j))
    orthonormal_columns(n, sorted_columns, turned, values)
    for k in range(n):
        j = int(load(order, k))
        for i in range(n):
            store(q, i * stride + j, load(turned, i * stride + k))


@kernel
def average(count: Int, keep: Real, part: Real, g: Reals, mu: Reals) -> None:
    """mu = keep mu + part g."""
    for i in range(count):
        store(mu, i, fma(keep, load(mu, i), part * load(g, i)))


@kernel
def normalize(count: Int, keep: Real, part: Real, eps: Real, g: Reals, nu: Reals, u: Reals) -> None:
    """nu = keep nu + part g^2; u = u / (sqrt(nu) + eps)."""
    for i in range(count):
        moment = fma(keep, load(nu, i), part * load(g, i) * load(g, i))
        store(nu, i, moment)
        store(u, i, load(u, i) / (sqrt(moment) + eps))


def soap_extra(rows: int, columns: int, kind: int) -> int:
    """Return what SOAP keeps of a matrix: moments and eigenvectors of both sides."""
    return 2 * square(columns) + 2 * square(rows) if kind == WEIGHT else 0


def soap_scratch(rows: int, columns: int, kind: int) -> int:
    """Return the scratch of SOAP: four matrices of g's shape, three of its transpose's, the room of a factorization."""
    matrices = 4 * rows * wide(columns) + 3 * columns * wide(rows)
    return matrices + factor_room(max(rows, columns)) + 16 if kind == WEIGHT else rows * columns


@layerwise(
    "L = b L + (1 - b) g g^T, R likewise, Q their eigenvectors; Adam in the basis Q: v = EMA((Q_L^T g Q_R)^2), "
    "W -= eta Q_L (Q_L^T m^ Q_R / (sqrt(v^) + eps)) Q_R^T; Adam of vectors", "Vyas et al. 2024, arXiv:2409.11321, "
    "algorithms 3 and 4", state=("mu", "nu"), parts=(one_minus_power,), extra=soap_extra, extra_scratch=soap_scratch,
    b1=0.95, b2=0.95, shampoo_beta=0.95, eps=1e-8, precondition_frequency=10,
)  # fmt: skip
def soap(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """SOAP: Adam in the eigenbasis of Shampoo's moments, which a step of power iteration turns every few steps.

    As in the authors' code the first step only sets the basis, eps is added to the uncorrected sqrt(v), moments are
    updated after the parameters, and columns are orthonormalized by falling eigenvalue. Their sign plays no part: m is
    kept in the space of g. The basis of a null space, which the paper leaves to rounding, is fixed (`first_basis`).
    """
    b1, b2, b = load(settings, 0), load(settings, 1), load(settings, 2)
    eps, every, size, second = real(load(settings, 3)), int(load(settings, 4)), rows * columns, offset(state, count)
    keep1, part1, keep2, part2 = real(b1), real(1.0 - b1), real(b2), real(1.0 - b2)
    rate = real(0.0)
    if step > 1:
        rate = real(-learning_rate * sqrt(one_minus_power(b2, step - 1)) / one_minus_power(b1, step - 1))
        average(size, keep1, part1, grads, state)
    if kind != WEIGHT:
        if step > 1:
            set_scaled(size, real(1.0), state, scratch)
            normalize(size, keep2, part2, eps, grads, second, scratch)
            add_scaled(size, rate, scratch, params)
        return
    across, down = wide(columns), wide(rows)
    tall, flat = rows * across, columns * down
    g, half, seen, moved = scratch, offset(scratch, tall), offset(scratch, 2 * tall), offset(scratch, 3 * tall)
    turned = offset(scratch, 4 * tall)
    half_turned, update, room = offset(turned, flat), offset(turned, 2 * flat), offset(turned, 3 * flat)
    right, right_basis = extra, offset(extra, columns * across)
    left = offset(extra, 2 * columns * across)
    left_basis = offset(left, rows * down)
    spread(rows, columns, grads, g)
    fill(flat, real(0.0), turned)
    transpose(rows, columns, g, across, turned, down)
    if step > 1:
        product(rows, rows, columns, left_basis, 1, down, g, across, half, across)
        product(rows, columns, columns, half, across, 1, right_basis, across, seen, across)
        spread(rows, columns, state, moved)
        product(rows, rows, columns, left_basis, 1, down, moved, across, half, across)
        product(rows, columns, columns, half, across, 1, right_basis, across, moved, across)
        for i in range(rows):
            place = i * across
            normalize(
                columns, keep2, part2, eps, offset(seen, place), offset(second, i * columns), offset(moved, place)
            )  # fmt: skip
        product(rows, rows, columns, left_basis, down, 1, moved, across, half, across)
        transpose(rows, columns, half, across, half_turned, down)
        product(columns, columns, rows, right_basis, across, 1, half_turned, down, update, down)
        transpose(columns, rows, update, down, half, across)
        for i in range(rows):
            add_scaled(columns, rate, offset(half, i * across), offset(params, i * columns))
    average_gram(columns, rows, real(b), real(1.0 - b), turned, g, right, room)
    average_gram(rows, columns, real(b), real(1.0 - b), g, turned, left, room)
    if step == 1:
        first_basis(columns, right, right_basis, room)
        first_basis(rows, left, left_basis, room)
    elif (step - 1) % every == 0:
        turn_basis(columns, right, right_basis, room)
        turn_basis(rows, left, left_basis, room)
