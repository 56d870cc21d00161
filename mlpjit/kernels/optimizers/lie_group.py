"""PSGD: a preconditioner fitted on the Lie group of Kronecker products of triangular matrices."""

from __future__ import annotations

from mlpjit.extending import (
    WEIGHT,
    Float64,
    Int,
    Real,
    Reals,
    add_scaled,
    fill,
    float64,
    fma,
    kernel,
    larger,
    largest_entry,
    layerwise,
    load,
    offset,
    one_minus_power,
    product,
    real,
    set_scaled,
    solve_right,
    solve_transposed,
    sqrt,
    squares,
    store,
    sum_of_products,
    transpose,
    wide,
)
from mlpjit.kernels.optimizers.kronecker import average, spread, square

# Steps between two balancings of the factors, which change neither Q_L kron Q_R nor its next steps.
BALANCE = 100
# Squares below 2^-60 are too small to divide by what is large; times 2^80 they are not.
SMALL, GROWTH = 2.0**-60, 2.0**40


@kernel
def norm_bound(n: Int, a: Reals, room: Reals) -> Real:
    """Return a lower bound of the largest |eigenvalue| of a symmetric matrix, at least 1 / sqrt(2) of it; a is scaled.

    |A A a| / |A a| for the row a of A of largest norm. room: 2 wide(n) numbers.
    """
    stride = wide(n)
    top = largest_entry(n, n, a, stride)
    if top == 0.0:
        return top
    longest, at = real(0.0), 0
    for i in range(n):
        row = offset(a, i * stride)
        set_scaled(n, real(1.0) / top, row, row)
        size = sum_of_products(n, row, row)
        at = i if size > longest else at
        longest = size if size > longest else longest
    x, y = room, offset(room, stride)
    product(1, n, n, offset(a, at * stride), 0, 1, a, stride, x, stride)
    set_scaled(n, real(1.0) / sqrt(sum_of_products(n, x, x)), x, x)
    product(1, n, n, x, 0, 1, a, stride, y, stride)
    return top * sqrt(sum_of_products(n, y, y))


@kernel
def fit_factor(
    n: Int, inner: Int, rate: Real, a: Reals, turned_a: Reals, b: Reals, turned_b: Reals, q: Reals, room: Reals
) -> None:
    """Q -= rate triu(A A^T - B B^T) Q / |A A^T + B B^T|; A, B are n x inner. room: 3 square(n) + 2 wide(n)."""
    stride, across = wide(n), wide(inner)
    slope, sums, moved = room, offset(room, n * stride), offset(room, 2 * n * stride)
    product(n, inner, n, a, across, 1, turned_a, stride, slope, stride)
    product(n, inner, n, b, across, 1, turned_b, stride, moved, stride)
    for i in range(n):
        here, there, both = offset(slope, i * stride), offset(moved, i * stride), offset(sums, i * stride)
        set_scaled(n, real(1.0), here, both)
        add_scaled(n, real(1.0), there, both)
        add_scaled(n, real(-1.0), there, here)
        fill(i, real(0.0), here)
    below = norm_bound(n, sums, offset(room, 3 * n * stride))
    product(n, n, n, slope, stride, 1, q, stride, moved, stride)
    for i in range(n):
        place = i * stride + i
        add_scaled(n - i, -(rate / below), offset(moved, place), offset(q, place))


@kernel
def fit_diagonal(count: Int, rate: Real, g: Reals, v: Reals, q: Reals) -> None:
    """Q -= rate (a^2 - b^2) q / max(a^2 + b^2) with a = q g, b = v / q; v is used up.

    Of small a and b, 1 / max(a^2 + b^2) overflows: they are multiplied by a power of two, which changes no digit.
    """
    top = real(0.0)
    for i in range(count):
        a, b = load(q, i) * load(g, i), load(v, i) / load(q, i)
        top = larger(fma(a, a, b * b), top)
    grown = real(GROWTH) if top < real(SMALL) else real(1.0)
    top *= grown * grown
    for i in range(count):
        a, b = grown * (load(q, i) * load(g, i)), grown * (load(v, i) / load(q, i))
        store(q, i, fma(-(rate / top) * load(q, i), fma(a, a, -(b * b)), load(q, i)))


@kernel
def balance(rows: Int, columns: Int, left: Reals, right: Reals) -> None:
    """Give both factors the same largest entry."""
    here, there = largest_entry(rows, rows, left, wide(rows)), largest_entry(columns, columns, right, wide(columns))
    share = sqrt(there / here)
    set_scaled(rows * wide(rows), share, left, left)
    set_scaled(columns * wide(columns), real(1.0) / share, right, right)


@kernel
def begin_factor(n: Int, scale: Real, q: Reals) -> None:
    """Q = scale."""
    for i in range(n):
        store(q, i * (wide(n) + 1), scale)


@kernel
def move_vector(count: Int, rate: Real, q: Reals, mu: Reals, params: Reals) -> None:
    """theta += rate q^2 mu."""
    for i in range(count):
        store(params, i, fma(rate * load(q, i), load(q, i) * load(mu, i), load(params, i)))


@kernel
def move_matrix(
    rows: Int, columns: Int, rate: Real, left: Reals, right: Reals, right_turned: Reals, m: Reals, room: Reals,
    params: Reals,
) -> None:  # fmt: skip
    """W += rate Q_L^T Q_L m Q_R^T Q_R; m, spread, is used up. room: as long."""
    across, down = wide(columns), wide(rows)
    product(rows, rows, columns, left, down, 1, m, across, room, across)
    product(rows, rows, columns, left, 1, down, room, across, m, across)
    product(rows, columns, columns, m, across, 1, right_turned, across, room, across)
    product(rows, columns, columns, room, across, 1, right, across, m, across)
    for i in range(rows):
        add_scaled(columns, rate, offset(m, i * across), offset(params, i * columns))


@kernel
def fit_factors(
    rows: Int, columns: Int, rate: Real, g: Reals, v: Reals, right_turned: Reals, left: Reals, right: Reals, room: Reals
) -> None:  # fmt: skip
    """Fit both factors to the pair (v, g): A = Q_L g Q_R^T, B = Q_L^-T v Q_R^-1; v, spread as g, is used up."""
    across, down = wide(columns), wide(rows)
    half, a = room, offset(room, rows * across)
    a_turned = offset(room, 2 * rows * across)
    b_turned = offset(a_turned, columns * down)
    rest = offset(b_turned, columns * down)
    product(rows, rows, columns, left, down, 1, g, across, half, across)
    product(rows, columns, columns, half, across, 1, right_turned, across, a, across)
    solve_right(rows, columns, v, right)
    solve_transposed(rows, columns, v, left)
    transpose(rows, columns, a, across, a_turned, down)
    transpose(rows, columns, v, across, b_turned, down)
    fit_factor(rows, columns, rate, a, a_turned, v, b_turned, left, rest)
    fit_factor(columns, rows, rate, a_turned, a, b_turned, v, right, rest)


def kron_extra(rows: int, columns: int, kind: int) -> int:
    """Return what PSGD keeps of a tensor: its factors, and whether they have begun."""
    return 1 + (square(rows) + square(columns) if kind == WEIGHT else rows * columns)


def kron_scratch(rows: int, columns: int, kind: int) -> int:
    """Return the scratch of PSGD: the draws, packed and spread; g; Q_R^T; and the room of a fit."""
    n = max(rows, columns)
    fit = 2 * rows * wide(columns) + 2 * columns * wide(rows) + 3 * square(n) + 2 * wide(n)
    matrix = 2 * rows * wide(columns) + square(columns) + fit + 32
    return rows * columns + (matrix if kind == WEIGHT else 0)


@layerwise(
    formula="Q -= eta_Q triu(A A^T - B B^T) Q / |A A^T + B B^T|, A = Q g, B = Q^-T v, v normal, Q = Q_L kron Q_R; "
    "m = b m + (1 - b) g; theta -= eta Q^T Q m", citation="Li 2015, arXiv:1512.04202; Li 2018, arXiv:1809.10232",
    state=("mu",), extra=kron_extra, extra_scratch=kron_scratch, draws=True, momentum=0.0, preconditioner_rate=0.1,
    first_scale=0.0, precondition_frequency=1, corrected=False,
)  # fmt: skip
def psgd_kron(
    step, rows, columns, kind, params, grads, mu, extra, scratch, learning_rate: Float64, momentum: Float64,
    preconditioner_rate, first_scale: Float64, precondition_frequency, corrected,
):  # fmt: skip
    """PSGD with Kronecker factors of whitening type: Q^T Q is fitted to make preconditioned gradients white.

    Triangular factors of a matrix, a diagonal of a vector. As in the author's code: steps on the group are scaled by a
    bound of the second-order term; first_scale is that of Q, 0: (size / |g|^2)^1/4 of the first gradient that is not 0.
    A gradient of 0 fits nothing: Q would grow without end. corrected: m is divided by 1 - b^t.
    """
    size, energy = rows * columns, squares(1, rows * columns, grads, 0)
    rate, every, matrix = preconditioner_rate, int(precondition_frequency), kind == WEIGHT
    average(size, real(momentum), real(1.0 - momentum), grads, mu)
    correction = one_minus_power(momentum, step) if corrected != 0.0 else 1.0
    stride = real(-learning_rate / correction)
    across, down = wide(columns), wide(rows)
    right, left = extra, offset(extra, columns * across)
    begun = offset(extra, rows * down + columns * across if matrix else size)
    if load(begun, 0) == 0.0 and energy != 0.0:
        scale = first_scale if first_scale != 0.0 else sqrt(sqrt(float64(size) / energy))
        store(begun, 0, 1.0)
        if matrix:
            begin_factor(columns, real(sqrt(scale)), right)
            begin_factor(rows, real(sqrt(scale)), left)
        else:
            fill(size, real(scale), extra)
    fits = energy != 0.0 and (step - 1) % every == 0
    if not matrix:
        if fits:
            fit_diagonal(size, rate, grads, scratch, extra)
        move_vector(size, stride, extra, mu, params)
        return
    g = offset(scratch, size)
    v, right_turned = offset(g, rows * across), offset(g, 2 * rows * across)
    room = offset(right_turned, columns * across)
    fill(columns * across, real(0.0), right_turned)
    if fits:
        if step % BALANCE == 0:
            balance(rows, columns, left, right)
        spread(rows, columns, grads, g)
        spread(rows, columns, scratch, v)
        transpose(columns, columns, right, across, right_turned, across)
        fit_factors(rows, columns, rate, g, v, right_turned, left, right, room)
    transpose(columns, columns, right, across, right_turned, across)
    spread(rows, columns, mu, g)
    move_matrix(rows, columns, stride, left, right, right_turned, g, v, params)
