"""SOAP: Adam in the eigenbasis of Shampoo's moments. For sides and names see `kronecker`."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    ULP,
    WEIGHT,
    Float64,
    Int,
    Real,
    Reals,
    add_scaled,
    column_sizes,
    eigenvectors,
    fill,
    fma,
    kernel,
    larger,
    layerwise,
    load,
    offset,
    one_minus_power,
    orthonormal_columns,
    product,
    real,
    set_scaled,
    sqrt,
    store,
    transpose,
    wide,
)
from mlpjit.kernels.optimizers.kronecker import average, average_gram, factor_room, spread, square


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
    formula="L = b L + (1 - b) g g^T, R likewise, Q their eigenvectors; Adam in the basis Q: v = EMA((Q_L^T g Q_R)^2), "
    "W -= eta Q_L (Q_L^T m^ Q_R / (sqrt(v^) + eps)) Q_R^T; Adam of vectors",
    citation="Vyas et al. 2024, arXiv:2409.11321, " "algorithms 3 and 4", state=("mu", "nu"), extra=soap_extra,
    extra_scratch=soap_scratch, b1=0.95, b2=0.95, shampoo_beta=0.95, eps=1e-8, precondition_frequency=10,
    limits={"eps": DIVISOR},
)  # fmt: skip
def soap(
    step, rows, columns, kind, params, grads, mu, nu, extra, scratch, learning_rate: Float64, b1: Float64, b2: Float64,
    shampoo_beta: Float64, eps, precondition_frequency,
):  # fmt: skip
    """SOAP: Adam in the eigenbasis of Shampoo's moments, which a step of power iteration turns every few steps.

    As in the authors' code the first step only sets the basis, eps is added to the uncorrected sqrt(v), moments are
    updated after the parameters, and columns are orthonormalized by falling eigenvalue. Their sign plays no part: m is
    kept in the space of g. The basis of a null space, which the paper leaves to rounding, is fixed (`first_basis`).
    """
    every, size, rate = int(precondition_frequency), rows * columns, real(0.0)
    keep1, part1, keep2, part2 = real(b1), real(1.0 - b1), real(b2), real(1.0 - b2)
    if step > 1:
        rate = real(-learning_rate * sqrt(one_minus_power(b2, step - 1)) / one_minus_power(b1, step - 1))
        average(size, keep1, part1, grads, mu)
    if kind != WEIGHT:
        if step > 1:
            set_scaled(size, real(1.0), mu, scratch)
            normalize(size, keep2, part2, eps, grads, nu, scratch)
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
        spread(rows, columns, mu, moved)
        product(rows, rows, columns, left_basis, 1, down, moved, across, half, across)
        product(rows, columns, columns, half, across, 1, right_basis, across, moved, across)
        for i in range(rows):
            place = i * across
            normalize(columns, keep2, part2, eps, offset(seen, place), offset(nu, i * columns), offset(moved, place))
        product(rows, rows, columns, left_basis, down, 1, moved, across, half, across)
        transpose(rows, columns, half, across, half_turned, down)
        product(columns, columns, rows, right_basis, across, 1, half_turned, down, update, down)
        transpose(columns, rows, update, down, half, across)
        for i in range(rows):
            add_scaled(columns, rate, offset(half, i * across), offset(params, i * columns))
    keep, part = real(shampoo_beta), real(1.0 - shampoo_beta)
    average_gram(columns, rows, keep, part, turned, g, right, room)
    average_gram(rows, columns, keep, part, g, turned, left, room)
    if step == 1:
        first_basis(columns, right, right_basis, room)
        first_basis(rows, left, left_basis, room)
    elif (step - 1) % every == 0:
        turn_basis(columns, right, right_basis, room)
        turn_basis(rows, left, left_basis, room)
