"""Optimizers that find their own rate: from the distance travelled, or from the loss. Give them learning_rate = 1."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    Float64,
    at_least,
    copysign,
    device,
    dot,
    fma,
    joint,
    load,
    one_minus_power,
    real,
    sqrt,
    store,
)

LONGEST = 1e30


@device
def squared_distance(count, x, y, scratch):
    """|x - y|^2; leaves x - y in the scratch."""
    for i in range(count):
        store(scratch, i, load(x, i) - load(y, i))
    return dot(scratch, scratch, count)


@device
def descend(count, rate, grads, params):
    """params -= rate grads."""
    for i in range(count):
        store(params, i, fma(-rate, load(grads, i), load(params, i)))


@joint(
    formula="r = max(r, |theta - theta_0|); G += |g|^2; theta -= eta r / sqrt(G + eps) g",
    citation="Ivgi, Hinder & Carmon 2023, arXiv:2302.12022, eq. DoG", state=("start",), initial={"start": "params"},
    extra=2, scratch=1, initial_distance=1e-6, eps=1e-8, limits={"eps": DIVISOR},
)  # fmt: skip
def dog(
    step, count, params, grads, start, extra, scratch, learning_rate: Float64, initial_distance: Float64, eps: Float64,
):  # fmt: skip
    """Distance over gradients. r begins at initial_distance (1 + |theta_0|)."""
    gone = sqrt(squared_distance(count, params, start, scratch))
    first = initial_distance * (1.0 + sqrt(dot(start, start, count)))
    before = load(extra, 0) if step > 1 else real(first)
    farthest = real(gone) if gone > before else before
    total = real(load(extra, 1) + dot(grads, grads, count))
    store(extra, 0, farthest)
    store(extra, 1, total)
    descend(count, real(learning_rate * farthest / sqrt(total + eps)), grads, params)


@joint(
    formula="r = max(r, |theta - theta_0|); V += r^2 |g|^2; theta -= eta r^2 / (sqrt V + eps) g",
    citation="Khaled, Mishchenko & Jin 2023, arXiv:2305.16284, algorithm 1", state=("start",),
    initial={"start": "params"}, extra=2, scratch=1, initial_distance=0.01, eps=1e-4, limits={"eps": DIVISOR},
)  # fmt: skip
def dowg(
    step, count, params, grads, start, extra, scratch, learning_rate: Float64, initial_distance: Float64, eps: Float64,
):  # fmt: skip
    """Distance over weighted gradients; eps outside the root as in optax, the paper has none."""
    gone = squared_distance(count, params, start, scratch)
    before = load(extra, 0) if step > 1 else real(initial_distance * initial_distance)
    farthest = real(gone) if gone > before else before
    total = real(load(extra, 1) + farthest * dot(grads, grads, count))
    store(extra, 0, farthest)
    store(extra, 1, total)
    descend(count, real(learning_rate * farthest / (sqrt(total) + eps)), grads, params)


@device
def absolute_sum(count, x, scratch):
    """The sum of |x|, as x times its signs."""
    for i in range(count):
        store(scratch, i, copysign(real(1.0), load(x, i)))
    return dot(x, scratch, count)


@device
def bias_correction(step, b1, b2):
    """sqrt(1 - b2^t) / (1 - b1^t)."""
    return sqrt(one_minus_power(b2, step)) / one_minus_power(b1, step)


@joint(
    formula="Adam on d g; s = b3 s + gamma d^2 / d0 g; d = max(d, c sum gamma d^2 / d0 <g, theta_0 - theta> / |s|_1)",
    citation="Mishchenko & Defazio 2023, arXiv:2306.06101, the version for Adam", state=("mu", "nu", "sum", "start"),
    initial={"start": "params"}, extra=2, scratch=1, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0,
    initial_distance=1e-6, growth=1.0, limits={"eps": DIVISOR},
)  # fmt: skip
def prodigy(
    step, count, params, grads, mu, nu, sum, start, extra, scratch, learning_rate: Float64, b1: Float64, b2: Float64,
    eps: Float64, weight_decay: Float64, initial_distance: Float64, growth: Float64,
):  # fmt: skip
    """Prodigy: Adam whose rate grows with the estimated distance d to the solution. b3 = sqrt(b2)."""
    b3, d = sqrt(b2), load(extra, 0) * 1.0 if step > 1 else real(initial_distance)
    distance = d + 0.0 * initial_distance
    rate = distance * learning_rate * bias_correction(step, b1, b2)
    squared_distance(count, start, params, scratch)
    towards = dot(grads, scratch, count)
    weight1, weight2 = real((1.0 - b1) * distance), real((1.0 - b2) * distance * distance)
    keep1, keep2, keep3, weight3 = real(b1), real(b2), real(b3), real(rate * distance / initial_distance)
    for i in range(count):
        g = load(grads, i)
        store(mu, i, fma(keep1, load(mu, i), weight1 * g))
        store(nu, i, fma(keep2, load(nu, i), weight2 * g * g))
        store(sum, i, fma(keep3, load(sum, i), weight3 * g))
    numerator = b3 * load(extra, 1) + (distance / initial_distance) * rate * towards
    below = absolute_sum(count, sum, scratch)
    guess = growth * numerator / below if below > 0.0 else distance
    grown = guess if guess > distance else distance
    store(extra, 0, real(grown))
    store(extra, 1, real(numerator))
    floor, scale, decay = real(eps * grown), real(rate), real(weight_decay * rate)
    for i in range(count):
        theta = load(params, i)
        store(params, i, theta - decay * theta - scale * load(mu, i) / (sqrt(load(nu, i)) + floor))


@joint(
    formula="Adam at rate d; s = b3 s + (1 - b3) d g; d = max(d, sum d <g, s / sqrt v> / |s|_1)",
    citation="Defazio & Mishchenko 2023, arXiv:2301.07733, the version for Adam", state=("mu", "nu", "sum"), extra=2,
    scratch=1, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0, initial_distance=1e-6,
    limits={"eps": DIVISOR, "b1": at_least(0, 0.99999)},
)  # fmt: skip
def d_adaptation(
    step, count, params, grads, mu, nu, sum, extra, scratch, learning_rate: Float64, b1: Float64, b2: Float64, eps,
    weight_decay: Float64, initial_distance: Float64,
):  # fmt: skip
    """D-adaptation of Adam: the distance d to the solution, estimated from below, sets the rate. b3 = sqrt(b2)."""
    b3, d = sqrt(b2), load(extra, 0) if step > 1 else real(initial_distance)
    distance = d + 0.0 * b2
    rate = distance * learning_rate * bias_correction(step, b1, b2)
    for i in range(count):
        store(scratch, i, load(sum, i) / (sqrt(load(nu, i)) + eps))
    along = dot(grads, scratch, count)
    keep1, keep2, keep3 = real(b1), real(b2), real(b3)
    weight1, weight2, weight3 = real((1.0 - b1) * rate), real(1.0 - b2), real((1.0 - b3) * rate)
    for i in range(count):
        g = load(grads, i)
        store(mu, i, fma(keep1, load(mu, i), weight1 * g))
        store(nu, i, fma(keep2, load(nu, i), weight2 * g * g))
        store(sum, i, fma(keep3, load(sum, i), weight3 * g))
    numerator = b3 * load(extra, 1) + (1.0 - b3) * rate * along
    below = (1.0 - b3) * absolute_sum(count, sum, scratch)
    guess = numerator / below if below > 0.0 else distance
    store(extra, 0, real(guess if guess > distance else distance))
    store(extra, 1, real(numerator))
    decay = real(weight_decay * rate)
    for i in range(count):
        theta = load(params, i)
        store(params, i, theta - decay * theta - load(mu, i) / (sqrt(load(nu, i)) + eps))


@joint(
    formula="theta -= min((L - lowest) / (|g|^2 + eps), eta) g",
    citation="Polyak 1987; Loizou et al. 2021, arXiv:2002.10542, SPS_max", lowest=0.0, eps=0.0,
)  # fmt: skip
def polyak_step(count, params, grads, learning_rate: Float64, loss: Float64, lowest: Float64, eps: Float64):
    """Polyak's step size from the loss itself, at most learning_rate; `lowest` bounds the loss from below."""
    square = dot(grads, grads, count) + eps
    gap = loss - lowest
    wanted = gap / square if square != 0.0 else 0.0
    # Of a loss below `lowest` and a gradient near 0 it has no end.
    wanted = -LONGEST if wanted < -LONGEST else wanted
    descend(count, real(learning_rate if wanted > learning_rate else wanted), grads, params)


@joint(
    formula="d = EMA(g); h = EMA(L) - EMA(<g, theta>) + <d, theta>; theta -= min(eta, max(h - lowest, 0) / |d|^2) d",
    citation="Schaipp et al. 2023, arXiv:2305.07583, algorithm 1", state=("mu",), extra=2, momentum=0.9, lowest=0.0,
)  # fmt: skip
def momo(
    step, count, params, grads, mu, extra, learning_rate: Float64, loss: Float64, momentum: Float64, lowest: Float64,
):  # fmt: skip
    """MoMo: momentum with Polyak's step on the model that the averages make; at most learning_rate."""
    b = momentum if step > 1 else 0.0 * loss
    keep, rest = real(b), real(1.0 - b)
    for i in range(count):
        store(mu, i, fma(keep, load(mu, i), rest * load(grads, i)))
    value = b * load(extra, 0) + (1.0 - b) * loss
    gamma = b * load(extra, 1) + (1.0 - b) * dot(grads, params, count)
    store(extra, 0, real(value))
    store(extra, 1, real(gamma))
    height = value - lowest - gamma + dot(mu, params, count)
    square = dot(mu, mu, count)
    wanted = (height if height > 0.0 else 0.0) / square if square > 0.0 else 0.0
    descend(count, real(learning_rate if wanted > learning_rate else wanted), mu, params)
