"""L-BFGS: the inverse Hessian from the last few steps and changes of the gradient."""

from __future__ import annotations

from mlpjit.extending import (
    DONE,
    NEED_GRADIENT,
    TENSOR,
    Float64,
    Float64s,
    Int,
    Ints,
    Real,
    Reals,
    absolute,
    add_multiple,
    at_least,
    device,
    dot,
    float64,
    fma,
    kernel,
    load,
    offset,
    real,
    select,
    store,
    sum_of_sizes,
    whole,
)
from mlpjit.kernels.stages.line_search import FINAL, SEARCH_ROOM, T, begin_search, keep, kept, search_on

# Pairs (s, y) that can be kept. Behind them stand 1 / (s y) of each, how many there are, where the next goes, and
# gamma = s y / (y y) of the last.
MOST_PAIRS = 20
HELD, NEXT, SCALE, PAIR_NUMBERS = range(4)
# A pair with a smaller s y is dropped, as in torch.optim.LBFGS.
LEAST_PRODUCT = 1e-10


@device
def pair_at(memory, count, which, number):
    """Return where step s (which = 0) or change y (1) of a pair begins."""
    return offset(memory, (which * MOST_PAIRS + number) * count)


@device
def numbers_of(memory, count):
    """Return where 1 / (s y) of the pairs begin, then the numbers of all of them."""
    return offset(memory, 2 * MOST_PAIRS * count)


@kernel
def inner_product(count: Int, x: Reals, y: Reals) -> Float64:
    """Return the sum of x y."""
    return dot(x, y, count)


@kernel
def move_along(count: Int, start: Reals, t: Real, d: Reals, params: Reals) -> None:
    """theta = start + t d."""
    for i in range(count):
        store(params, i, fma(t, load(d, i), load(start, i)))


@kernel
def scale_into(count: Int, factor: Real, x: Reals, out: Reals) -> None:
    """out = factor x."""
    for i in range(count):
        store(out, i, factor * load(x, i))


@kernel
def difference_into(count: Int, x: Reals, y: Reals, out: Reals) -> None:
    """out = x - y."""
    for i in range(count):
        store(out, i, load(x, i) - load(y, i))


@kernel
def largest_size(count: Int, x: Reals) -> Real:
    """Return the largest |x|."""
    found = real(0.0)
    for i in range(count):
        found = select(absolute(load(x, i)) > found, absolute(load(x, i)), found)
    return found


@kernel
def newton_direction(count: Int, pairs: Int, g: Reals, memory: Reals, d: Reals, alphas: Reals) -> None:
    """d = -H g by two loops over the kept pairs, the newest first and then back; -g where there is none."""
    about = offset(numbers_of(memory, count), MOST_PAIRS)
    held, newest = int(load(about, HELD)), int(load(about, NEXT)) + pairs - 1
    scale_into(count, real(-1.0), g, d)
    for k in range(held):
        at = (newest - k) % pairs
        alpha = real(inner_product(count, pair_at(memory, count, 0, at), d)) * load(numbers_of(memory, count), at)
        store(alphas, at, alpha)
        add_multiple(count, -alpha, pair_at(memory, count, 1, at), d)
    if held > 0:
        scale_into(count, load(about, SCALE), d, d)
    for k in range(held - 1, -1, -1):
        at = (newest - k) % pairs
        beta = real(inner_product(count, pair_at(memory, count, 1, at), d)) * load(numbers_of(memory, count), at)
        add_multiple(count, load(alphas, at) - beta, pair_at(memory, count, 0, at), d)


@kernel
def keep_pair(count: Int, pairs: Int, t: Float64, d: Reals, g: Reals, before: Reals, memory: Reals) -> None:
    """Keep s = t d and y = g - before, in the place of the oldest where there are enough; forget all where t is 0."""
    about = offset(numbers_of(memory, count), MOST_PAIRS)
    held, at = int(load(about, HELD)), int(load(about, NEXT))
    if t == 0:
        store(about, HELD, real(0.0))
        return
    s, y = pair_at(memory, count, 0, at), pair_at(memory, count, 1, at)
    scale_into(count, real(t), d, s)
    difference_into(count, g, before, y)
    product = inner_product(count, s, y)
    if not (product <= LEAST_PRODUCT):
        store(numbers_of(memory, count), at, real(1.0 / product))
        store(about, SCALE, real(product / inner_product(count, y, y)))
        store(about, NEXT, real((at + 1) % pairs))
        store(about, HELD, real(min(held + 1, pairs)))


def memory_size(rows: int, columns: int, kind: int) -> int:
    """Return what is kept of a tensor: its part of the pairs, and once more than needed their numbers."""
    return 2 * MOST_PAIRS * rows * columns + MOST_PAIRS + PAIR_NUMBERS


@whole(
    formula="d = -H g, H from the last `memory` pairs s = theta' - theta, y = g' - g; theta += t d, t by a strong "
    "Wolfe search " "from eta", citation="Liu & Nocedal 1989, Mathematical Programming 45", extra=memory_size,
    scratch=3, extra_scratch=lambda rows, columns, kind: SEARCH_ROOM + MOST_PAIRS, extra_gradients=1, line_search=True,
    limits={"memory": at_least(1, MOST_PAIRS)}, memory=10, c1=1e-4, c2=0.9, most_trials=25, tolerance=1e-9,
)  # fmt: skip
def lbfgs(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """L-BFGS, for full batches: a quasi-Newton step, its length searched for; every trial costs a gradient.

    As in torch.optim.LBFGS with its strong Wolfe search and one iteration a step: the first trial is eta, before there
    is a pair eta min(1, 1 / |g|_1) where the paper has 1 / |g|. The change of the gradient is taken on the batch that
    the search was on. A search that finds nothing lower moves nothing and forgets the pairs.
    """
    start, d, before = scratch, offset(scratch, count), offset(scratch, 2 * count)
    search = offset(scratch, 3 * count)
    alphas, memory = offset(search, SEARCH_ROOM), offset(state, load(tensors, TENSOR.extra_at))
    pairs, tolerance = int(load(settings, 0)), load(settings, 4)
    if phase == 0:
        newton_direction(count, pairs, grads, memory, d, alphas)
        scale_into(count, real(1.0), params, start)
        scale_into(count, real(1.0), grads, before)
        slope, t = inner_product(count, grads, d), learning_rate
        if slope > -tolerance:
            return DONE
        if slope - slope != 0:
            # A gradient that is not finite is no line to search on, and must show.
            move_along(count, start, real(1.0), d, params)
            return DONE
        if load(offset(numbers_of(memory, count), MOST_PAIRS), HELD) == 0:
            size = sum_of_sizes(count, grads)
            t = learning_rate / size if size > 1 else t
        begin_search(search, loss, slope, float64(largest_size(count, d)), t)
        move_along(count, start, real(t), d, params)
        return NEED_GRADIENT
    last = kept(search, T)
    if kept(search, FINAL) == 0:
        c1, c2, most = load(settings, 1), load(settings, 2), load(settings, 3)
        keep(search, FINAL, float64(search_on(search, loss, inner_product(count, grads, d), c1, c2, tolerance, most)))
    at, over = kept(search, T), kept(search, FINAL) != 0
    if at != last or not over:
        move_along(count, start, real(at), d, params)
    # The gradient where the search ends is needed too; where it began it is known.
    if not over or (at != last and at != 0):
        return NEED_GRADIENT
    keep_pair(count, pairs, at, d, grads, before, memory)
    scale_into(count, real(1.0), before, grads)
    return DONE
