"""Layerwise optimizers: norms of whole tensors, or of a matrix's rows and columns, scale the update."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.elementary import power_float64
from mlpjit.kernels.arithmetic.scalars import larger, one_minus_power
from mlpjit.kernels.language import device, dot, float64, fma, load, offset, real, select, sqrt, store
from mlpjit.kernels.stages.declare import layerwise
from mlpjit.kernels.tables import WEIGHT


@layerwise(
    "r = c |theta| / (|g| + wd |theta| + eps); u = b u + r (g + wd theta); theta -= eta u",
    "You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1", state=("velocity",), momentum=0.9, weight_decay=0.0,
    trust_coefficient=0.001, eps=0.0,
)  # fmt: skip
def lars(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """LARS: momentum with a trust ratio for each tensor; 1 where the tensor or its gradient is zero."""
    size = rows * columns
    length, slope = sqrt(dot(params, params, size)), sqrt(dot(grads, grads, size))
    decay = load(settings, 1)
    below = slope + decay * length + load(settings, 3)
    ratio = load(settings, 2) * length / below if length != 0.0 and slope != 0.0 else 1.0
    scale, shrink, b, rate = real(ratio), real(decay), real(load(settings, 0)), real(learning_rate)
    for i in range(size):
        pulled = fma(shrink, load(params, i), load(grads, i))
        velocity = fma(b, load(state, i), scale * pulled)
        store(state, i, velocity)
        store(params, i, fma(-rate, velocity, load(params, i)))


@layerwise(
    "u = m^ / (sqrt(v^ + eps_root) + eps) + wd theta; theta -= eta |theta| / |u| u",
    "You et al. 2020, arXiv:1904.00962, algorithm 2", state=("mu", "nu"), parts=(one_minus_power,),
    extra_scratch=lambda rows, columns, kind: rows * columns, b1=0.9, b2=0.999, eps=1e-6, eps_root=0.0,
    weight_decay=0.0,
)  # fmt: skip
def lamb(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """LAMB: Adam's step, scaled to each tensor's own length; unscaled where either is zero."""
    size, second = rows * columns, offset(state, count)
    b1, b2, decay = real(load(settings, 0)), real(load(settings, 1)), real(load(settings, 4))
    rest1, rest2 = real(1.0 - load(settings, 0)), real(1.0 - load(settings, 1))
    unbias1 = real(1.0 / one_minus_power(load(settings, 0), step))
    unbias2 = real(1.0 / one_minus_power(load(settings, 1), step))
    eps, eps_root = real(load(settings, 2)), real(load(settings, 3))
    for i in range(size):
        g = load(grads, i)
        mu, nu = fma(b1, load(state, i), rest1 * g), fma(b2, load(second, i), rest2 * g * g)
        store(state, i, mu)
        store(second, i, nu)
        update = unbias1 * mu / (sqrt(fma(nu, unbias2, eps_root)) + eps)
        store(scratch, i, fma(decay, load(params, i), update))
    length, stride = sqrt(dot(params, params, size)), sqrt(dot(scratch, scratch, size))
    ratio = length / stride if length != 0.0 and stride != 0.0 else 1.0
    rate = real(learning_rate * ratio)
    for i in range(size):
        store(params, i, fma(-rate, load(scratch, i), load(params, i)))


@layerwise(
    "v = b2 v + (1 - b2) |g|^2; m = b1 m + g / (sqrt(v + eps_root) + eps) + wd theta; theta -= eta m",
    "Ginsburg et al. 2019, arXiv:1905.11286, algorithm 1", state=("mu",), extra=lambda rows, columns, kind: 1,
    b1=0.95, b2=0.98, eps=1e-8, eps_root=0.0, weight_decay=0.0,
)  # fmt: skip
def novograd(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """NovoGrad: one second moment for each tensor, which begins at the first gradient's squared norm."""
    size, square = rows * columns, dot(grads, grads, rows * columns)
    b2 = load(settings, 1)
    nu = real(b2 * load(extra, 0) + (1.0 - b2) * square if step > 1 else square)
    store(extra, 0, nu)
    below = sqrt(nu + real(load(settings, 3))) + real(load(settings, 2))
    b1, decay, rate = real(load(settings, 0)), real(load(settings, 4)), real(learning_rate)
    for i in range(size):
        mu = fma(b1, load(state, i), fma(decay, load(params, i), load(grads, i) / below))
        store(state, i, mu)
        store(params, i, fma(-rate, mu, load(params, i)))


@layerwise(
    "v = g^2 + min(r_i, c_j); r_i = max_j v; c_j = max_i v; m = b1 m + (1 - b1) g / sqrt(v + eps); theta -= eta m",
    "Anil, Gupta, Koren & Singer 2019, arXiv:1901.11150, SM3-II", state=("mu",), parts=(larger,),
    extra=lambda rows, columns, kind: rows + columns, extra_scratch=lambda rows, columns, kind: rows + columns,
    b1=0.9, eps=1e-8,
)  # fmt: skip
def sm3(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """SM3: a matrix's second moments, bounded by one number for each row and column; a vector keeps each its own.

    The average of the updates is an EMA, as in optax; the paper's algorithm has none.
    """
    across, tallest, widest = offset(extra, rows), scratch, offset(scratch, rows)
    b1, rest, eps = real(load(settings, 0)), real(1.0 - load(settings, 0)), real(load(settings, 1))
    rate, nothing = real(learning_rate), real(0.0)
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
            mu = fma(b1, load(state, at), rest * update)
            store(state, at, mu)
            store(params, at, fma(-rate, mu, load(params, at)))
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
    "r, c = EMAs of row and column means of g^2 + eps, of weight t^-decay_rate; u = g / sqrt(r c / mean r); "
    "theta -= max(eps_scale, RMS theta) min(eta, 1 / sqrt t) u / max(1, RMS u / threshold)",
    "Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5", parts=(factor_squares,),
    extra=lambda rows, columns, kind: rows + columns if kind == WEIGHT else rows * columns,
    extra_scratch=lambda rows, columns, kind: rows * columns,
    decay_rate=0.8, eps=1e-30, eps_scale=1e-3, threshold=1.0, relative_step=True, scale_parameter=True,
)  # fmt: skip
def adafactor(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """Adafactor: Adam's second moment from one number for each row and column, no first moment; vectors keep all.

    Without relative_step the step is eta itself, without scale_parameter not relative to theta; as in optax.
    """
    size, rest = rows * columns, power_float64(float64(step), -load(settings, 0))
    eps, one = load(settings, 1), real(1.0)
    if kind == WEIGHT:
        middle = factor_squares(rows, columns, rest, eps, grads, extra)
        across = offset(extra, rows)
        for i in range(rows):
            factor = one / sqrt(load(extra, i) / middle)
            for j in range(columns):
                at = i * columns + j
                store(scratch, at, load(grads, at) * factor * (one / sqrt(load(across, j))))
    else:
        for i in range(size):
            g = load(grads, i)
            nu = fma(real(1.0 - rest), load(extra, i), real(rest) * fma(g, g, real(eps)))
            store(extra, i, nu)
            store(scratch, i, g / sqrt(nu))
    spread = sqrt(dot(scratch, scratch, size) / size) / load(settings, 3)
    rate, falling = learning_rate, 1.0 / sqrt(float64(step))
    if load(settings, 4) != 0.0 and falling < rate:
        rate = falling
    if load(settings, 5) != 0.0:
        length = sqrt(dot(params, params, size) / size)
        # Written so that NaN is kept.
        rate *= load(settings, 2) if length < load(settings, 2) else length
    rate = real(-(rate / spread) if spread > 1.0 else -rate)
    for i in range(size):
        store(params, i, fma(rate, load(scratch, i), load(params, i)))
