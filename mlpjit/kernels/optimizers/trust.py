"""Layerwise optimizers: norms of whole tensors, or of a matrix's rows and columns, scale the update."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    WEIGHT,
    Float64,
    above,
    device,
    dot,
    float64,
    fma,
    larger,
    layerwise,
    load,
    offset,
    one_minus_power,
    power_float64,
    real,
    select,
    sqrt,
    store,
)


@layerwise(
    formula="r = c |theta| / (|g| + wd |theta| + eps); u = b u + r (g + wd theta); theta -= eta u",
    citation="You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1", state=("velocity",), momentum=0.9,
    weight_decay=0.0, trust_coefficient=0.001, eps=0.0, limits={"trust_coefficient": above(0, 10)},
)  # fmt: skip
def lars(
    rows, columns, params, grads, velocity, learning_rate, momentum, weight_decay: Float64, trust_coefficient: Float64,
    eps: Float64,
):  # fmt: skip
    """LARS: momentum with a trust ratio for each tensor; 1 where the tensor or its gradient is zero."""
    size = rows * columns
    length, slope = sqrt(dot(params, params, size)), sqrt(dot(grads, grads, size))
    below = slope + weight_decay * length + eps
    ratio = trust_coefficient * length / below if length != 0.0 and slope != 0.0 else 1.0
    scale, shrink = real(ratio), real(weight_decay)
    for i in range(size):
        pulled = fma(shrink, load(params, i), load(grads, i))
        moved = fma(momentum, load(velocity, i), scale * pulled)
        store(velocity, i, moved)
        store(params, i, fma(-learning_rate, moved, load(params, i)))


@layerwise(
    formula="u = m^ / (sqrt(v^ + eps_root) + eps) + wd theta; theta -= eta |theta| / |u| u",
    citation="You et al. 2020, arXiv:1904.00962, algorithm 2", state=("mu", "nu"),
    extra_scratch=lambda rows, columns, kind: rows * columns, b1=0.9, b2=0.999, eps=1e-6, eps_root=0.0,
    weight_decay=0.0, divisors=("eps", "eps_root"),
)  # fmt: skip
def lamb(
    step, rows, columns, params, grads, mu, nu, scratch, learning_rate: Float64, b1: Float64, b2: Float64, eps,
    eps_root, weight_decay,
):  # fmt: skip
    """LAMB: Adam's step, scaled to each tensor's own length; unscaled where either is zero."""
    size, keep1, keep2 = rows * columns, real(b1), real(b2)
    rest1, rest2 = real(1.0 - b1), real(1.0 - b2)
    unbias1, unbias2 = real(1.0 / one_minus_power(b1, step)), real(1.0 / one_minus_power(b2, step))
    for i in range(size):
        g = load(grads, i)
        first, second = fma(keep1, load(mu, i), rest1 * g), fma(keep2, load(nu, i), rest2 * g * g)
        store(mu, i, first)
        store(nu, i, second)
        update = unbias1 * first / (sqrt(fma(second, unbias2, eps_root)) + eps)
        store(scratch, i, fma(weight_decay, load(params, i), update))
    length, stride = sqrt(dot(params, params, size)), sqrt(dot(scratch, scratch, size))
    ratio = length / stride if length != 0.0 and stride != 0.0 else 1.0
    rate = real(learning_rate * ratio)
    for i in range(size):
        store(params, i, fma(-rate, load(scratch, i), load(params, i)))


@layerwise(
    formula="v = b2 v + (1 - b2) |g|^2; m = b1 m + g / (sqrt(v + eps_root) + eps) + wd theta; theta -= eta m",
    citation="Ginsburg et al. 2019, arXiv:1905.11286, algorithm 1", state=("mu",), extra=lambda rows, columns, kind: 1,
    b1=0.95, b2=0.98, eps=1e-8, eps_root=0.0, weight_decay=0.0, divisors=("eps", "eps_root"),
)  # fmt: skip
def novograd(
    step, rows, columns, params, grads, mu, extra, learning_rate, b1, b2: Float64, eps, eps_root, weight_decay,
):  # fmt: skip
    """NovoGrad: one second moment for each tensor, which begins at the first gradient's squared norm."""
    size, square = rows * columns, dot(grads, grads, rows * columns)
    nu = real(b2 * load(extra, 0) + (1.0 - b2) * square if step > 1 else square)
    store(extra, 0, nu)
    below = sqrt(nu + eps_root) + eps
    for i in range(size):
        moved = fma(b1, load(mu, i), fma(weight_decay, load(params, i), load(grads, i) / below))
        store(mu, i, moved)
        store(params, i, fma(-learning_rate, moved, load(params, i)))


@layerwise(
    formula="v = g^2 + min(r_i, c_j); r_i = max_j v; c_j = max_i v; m = b1 m + (1 - b1) g / sqrt(v + eps); theta -= "
    "eta m", citation="Anil, Gupta, Koren & Singer 2019, arXiv:1901.11150, SM3-II", state=("mu",),
    extra=lambda rows, columns, kind: rows + columns, extra_scratch=lambda rows, columns, kind: rows + columns, b1=0.9,
    eps=1e-8,
)  # fmt: skip
def sm3(rows, columns, kind, params, grads, mu, extra, scratch, learning_rate, b1: Float64, eps):
    """SM3: a matrix's second moments, bounded by one number for each row and column; a vector keeps each its own.

    The average of the updates is an EMA, as in optax; the paper's algorithm has none.
    """
    across, tallest, widest = offset(extra, rows), scratch, offset(scratch, rows)
    keep, rest, nothing = real(b1), real(1.0 - b1), real(0.0)
    for k in range(rows + columns):
        store(scratch, k, nothing)
    for i in range(rows):
        row = load(extra, i)
        for j in range(columns):
            at, column = i * columns + j, load(across, j)
            g = load(grads, at)
            bound = select((column < row) | (kind != WEIGHT), column, row)
            nu = fma(g, g, bound)
            store(tallest, i, larger(nu, load(tallest, i)))
            store(widest, j, larger(nu, load(widest, j)))
            update = select(nu > nothing, g / sqrt(nu + eps), nu)
            moved = fma(keep, load(mu, at), rest * update)
            store(mu, at, moved)
            store(params, at, fma(-learning_rate, moved, load(params, at)))
    for k in range(rows + columns):
        store(extra, k, load(scratch, k))


@device
def factor_squares(rows, columns, rest, eps, grads, extra):
    """Average the mean of g^2 + eps of each row, then of each column; return the mean of the rows' averages."""
    across, keep, added = offset(extra, rows), real(1.0 - rest), real(rest * eps)
    per_row, per_column, total = real(rest / columns), real(rest / rows), real(0.0)
    for j in range(columns):
        store(across, j, fma(keep, load(across, j), added))
    for i in range(rows):
        row = offset(grads, i * columns)
        mean = fma(keep, load(extra, i), fma(per_row, real(dot(row, row, columns)), added))
        store(extra, i, mean)
        total += mean
        for j in range(columns):
            g = load(row, j)
            store(across, j, fma(per_column * g, g, load(across, j)))
    return total / real(rows)


@layerwise(
    formula="r, c = EMAs of row and column means of g^2 + eps, of weight t^-decay_rate; u = g / sqrt(r c / mean r); "
    "theta -= max(eps_scale, RMS theta) min(eta, 1 / sqrt t) u / max(1, RMS u / threshold)",
    citation="Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5",
    extra=lambda rows, columns, kind: rows + columns if kind == WEIGHT else rows * columns,
    extra_scratch=lambda rows, columns, kind: rows * columns, decay_rate=0.8, eps=1e-30, eps_scale=1e-3, threshold=1.0,
    relative_step=True, scale_parameter=True, limits={"eps": DIVISOR},
)  # fmt: skip
def adafactor(
    step, rows, columns, kind, params, grads, extra, scratch, learning_rate: Float64, decay_rate: Float64, eps: Float64,
    eps_scale: Float64, threshold: Float64, relative_step, scale_parameter,
):  # fmt: skip
    """Adafactor: Adam's second moment from one number for each row and column, no first moment; vectors keep all.

    Without relative_step the step is eta itself, without scale_parameter not relative to theta; as in optax.
    """
    size, rest, one = rows * columns, power_float64(float64(step), -decay_rate), real(1.0)
    if kind == WEIGHT:
        middle = factor_squares(rows, columns, rest, eps, grads, extra)
        across = offset(extra, rows)
        for i in range(rows):
            share = load(extra, i) / middle
            # A row of zeros beside large ones: its share may round to 0.
            factor = sqrt(middle) / sqrt(load(extra, i)) if share == 0.0 else one / sqrt(share)
            for j in range(columns):
                at = i * columns + j
                store(scratch, at, load(grads, at) * factor * (one / sqrt(load(across, j))))
    else:
        keep, part, added = real(1.0 - rest), real(rest), real(eps)
        for i in range(size):
            g = load(grads, i)
            nu = fma(keep, load(extra, i), part * fma(g, g, added))
            store(extra, i, nu)
            store(scratch, i, g / sqrt(nu))
    spread = sqrt(dot(scratch, scratch, size) / size) / threshold
    rate, falling = learning_rate, 1.0 / sqrt(float64(step))
    if relative_step != 0.0 and falling < rate:
        rate = falling
    if scale_parameter != 0.0:
        length = sqrt(dot(params, params, size) / size)
        # Written so that NaN is kept.
        rate *= eps_scale if length < eps_scale else length
    rate = real(-(rate / spread) if spread > 1.0 else -rate)
    for i in range(size):
        store(params, i, fma(rate, load(scratch, i), load(params, i)))
