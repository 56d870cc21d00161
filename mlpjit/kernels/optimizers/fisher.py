"""K-FAC: the Fisher information of a layer as the Kronecker product of what goes in and what comes back."""

from __future__ import annotations

from mlpjit.extending import (
    BIAS,
    DONE,
    NEED_FACTORS,
    TENSOR,
    WEIGHT,
    Float64,
    Float64s,
    Int,
    Ints,
    Real,
    Reals,
    cholesky,
    cholesky_solve,
    device,
    float64,
    fma,
    kernel,
    load,
    offset,
    product,
    real,
    sqrt,
    store,
    transpose,
    whole,
    wide,
)


@kernel
def average_factor(
    rows: Int, size: Int, ones: Int, keep: Float64, weight: Float64, x: Reals, stride: Int, fresh: Reals, mean: Reals
) -> None:
    """mean = keep mean + (1 - keep) weight x^T x over a batch of rows; with `ones` = 1 a column of ones joins x.

    mean, fresh: (size + ones) rows, `wide` of that apart. fresh is room for x^T x.
    """
    step, old, new = wide(size + ones), real(keep), real((1.0 - keep) * weight)
    product(size, rows, size, x, 1, stride, x, stride, fresh, step)
    if ones != 0:
        last = offset(fresh, size * step)
        for j in range(size):
            store(last, j, real(0.0))
        for k in range(rows):
            for j in range(size):
                store(last, j, load(last, j) + load(x, k * stride + j))
        for i in range(size):
            store(fresh, i * step + size, load(last, i))
        store(last, size, real(rows))
    for i in range(size + ones):
        for j in range(size + ones):
            at = i * step + j
            store(mean, at, fma(old, load(mean, at), new * load(fresh, at)))


@kernel
def mean_of_diagonal(size: Int, a: Reals) -> Float64:
    """Return tr(A) / size; rows are `wide(size)` apart."""
    total = 0.0 * float64(0)
    for i in range(size):
        total += float64(load(a, i * wide(size) + i))
    return total / size


@kernel
def damped_root(size: Int, damping: Real, a: Reals, root: Reals) -> None:
    """Write the Cholesky factor of A + damping I."""
    step = wide(size)
    for i in range(size):
        for j in range(i, size):
            store(root, i * step + j, load(a, i * step + j))
        store(root, i * step + i, load(a, i * step + i) + damping)
    cholesky(size, root, step, damping)


@kernel
def precondition(tall: Int, columns: Int, inputs_root: Reals, deltas_root: Reals, g: Reals, room: Reals) -> None:
    """g = A^-1 g S^-1 in place, packed (tall, columns), W's rows and then the bias; room for as many numbers."""
    cholesky_solve(tall, inputs_root, wide(tall), columns, g, columns)
    transpose(tall, columns, g, columns, room, tall)
    cholesky_solve(columns, deltas_root, wide(columns), tall, room, tall)
    transpose(columns, tall, room, tall, g, columns)


@kernel
def copy_numbers(count: Int, x: Reals, out: Reals) -> None:
    """out = x."""
    for i in range(count):
        store(out, i, load(x, i))


@kernel
def follow(count: Int, b: Float64, rate: Float64, direction: Reals, velocity: Reals, params: Reals) -> None:
    """u = b u + direction; theta -= rate u."""
    keep, down = real(b), real(-rate)
    for i in range(count):
        moved = fma(keep, load(velocity, i), load(direction, i))
        store(velocity, i, moved)
        store(params, i, fma(down, moved, load(params, i)))


@device
def has_bias(tensors, tensor_count, t):
    """Say whether the tensor behind a weight matrix is its bias: 1 or 0."""
    after = offset(tensors, (t + 1) * len(TENSOR))
    columns = load(offset(tensors, t * len(TENSOR)), TENSOR.columns)
    if t + 1 < tensor_count and load(after, TENSOR.kind) == BIAS and load(after, TENSOR.columns) == columns:
        return 1
    return 0


@device
def factors_of(state, tensor, tall):
    """Return where A, S and the roots of both, damped, stand in a weight matrix's own state."""
    a = offset(state, load(tensor, TENSOR.extra_at))
    columns, large = load(tensor, TENSOR.columns), tall * wide(tall)
    small = columns * wide(columns)
    s = offset(a, large)
    inputs_root = offset(s, small)
    return a, s, inputs_root, offset(inputs_root, large)


@device
def refresh_factors(tall, ones, rows, keep, damping, tensor, state, scratch, room):
    """Average A = mean(a a^T) and S = mean(delta delta^T) of a layer, and take the roots of both, damped.

    A + pi sqrt(lambda) I and S + sqrt(lambda) / pi I with pi^2 = mean eigenvalue of A over that of S, 1 where one is 0.
    """
    a, s, inputs_root, deltas_root = factors_of(state, tensor, tall)
    inputs, deltas = offset(scratch, load(tensor, TENSOR.inputs_at)), offset(scratch, load(tensor, TENSOR.deltas_at))
    columns, one = load(tensor, TENSOR.columns), float64(1)
    average_factor(rows, tall - ones, ones, keep, one / rows, inputs, load(tensor, TENSOR.inputs_stride), room, a)
    # Deltas are those of the mean loss, 1 / rows of a sample's own.
    average_factor(rows, columns, 0, keep, float64(rows), deltas, load(tensor, TENSOR.deltas_stride), room, s)
    above, below = mean_of_diagonal(tall, a), mean_of_diagonal(columns, s)
    pi = one if above == 0.0 or below == 0.0 else sqrt(above / below)
    damped_root(tall, real(pi * sqrt(damping)), a, inputs_root)
    damped_root(columns, real(sqrt(damping) / pi), s, deltas_root)


def kfac_size(rows: int, columns: int, kind: int) -> int:
    """Return what is kept of a weight matrix: A, of inputs and a one, S, and a root of each."""
    return 2 * ((rows + 1) * wide(rows + 1) + columns * wide(columns)) if kind == WEIGHT else 0


def kfac_scratch(rows: int, columns: int, kind: int) -> int:
    """Return room for a gradient twice, or for one of the two factors."""
    largest = max(rows + 1, columns)
    return max(2 * (rows + 1) * columns, largest * wide(largest)) + 16 if kind == WEIGHT else 0


@whole(
    formula="A, S = EMAs of a a^T, delta delta^T of weight min(1 - 1/t, decay); u = b u + (A + pi sqrt(lambda) I)^-1 g "
    "(S + sqrt(lambda) / pi I)^-1, pi^2 = mean eigenvalue of A over that of S; theta -= eta u",
    citation="Martens & Grosse 2015, arXiv:1503.05671, sections 3, 4.2, 5, 6.3", state=("velocity",), extra=kfac_size,
    scratch=1, extra_scratch=kfac_scratch, extra_gradients=1, factors=True, samples="sampled", damping=1e-2, decay=0.95,
    momentum=0.9, interval=1, sampled=True,
)  # fmt: skip
def kfac(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """K-FAC: a natural gradient, the Fisher information of each layer a Kronecker product; deltas of drawn labels.

    W and b are one matrix, its input a with a one behind it. Deviations: eta and a momentum stand in the place of the
    paper's rescaling by the exact Fisher (section 6.4, 7), lambda is fixed; blocks are diagonal. `interval`: steps
    between two looks at the factors (section 8). Not `sampled`: deltas of the batch's own labels. gamma and beta of a
    normalization take their gradient as it is.
    """
    due, sampled = (step - 1) % int(load(settings, 3)) == 0, load(settings, 4) != 0.0
    if phase == 0 and due and sampled:
        copy_numbers(count, grads, scratch)
        return NEED_FACTORS
    if phase != 0:
        copy_numbers(count, scratch, grads)
    looks = float64((step - 1) // int(load(settings, 3)) + 1)
    keep, most = 1.0 - 1.0 / looks, load(settings, 1)
    keep = most if keep > most else keep
    room, t = offset(scratch, count), 0
    while t < tensor_count:
        tensor = offset(tensors, t * len(TENSOR))
        at, columns = load(tensor, TENSOR.at), load(tensor, TENSOR.columns)
        size = load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)
        direction = offset(grads, at)
        if load(tensor, TENSOR.kind) == WEIGHT:
            ones = has_bias(tensors, tensor_count, t)
            tall = load(tensor, TENSOR.rows) + ones
            if due:
                refresh_factors(tall, ones, rows, keep, load(settings, 0), tensor, state, scratch, room)
            _, _, inputs_root, deltas_root = factors_of(state, tensor, tall)
            size, t = tall * columns, t + ones
            # W and its bias stand together in the packed gradient too.
            copy_numbers(size, direction, room)
            direction = room
            precondition(tall, columns, inputs_root, deltas_root, direction, offset(room, size))
        follow(size, load(settings, 2), learning_rate, direction, offset(state, at), offset(params, at))
        t += 1
    return DONE
