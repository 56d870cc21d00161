"""Optimizers that divide by an estimate of the Hessian's diagonal, from random vectors or from drawn labels."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    DONE,
    NEED_FACTORS,
    NEED_HVP,
    STREAMS,
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    fill_signs,
    float64,
    fma,
    kernel,
    larger,
    load,
    offset,
    one_minus_power,
    power,
    real,
    select,
    sqrt,
    store,
    whole,
)

OPTIMIZER_STREAM = STREAMS["optimizer"]


@device
def seed_at(settings, place):
    """Return the seed from its two halves, which stand behind the settings."""
    return int(load(settings, place)) | (int(load(settings, place + 1)) << 32)


@whole(
    formula="D = z (H z), z of signs; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) D^2; "
    "theta -= eta m^ / (sqrt(v^ + eps_root)^k + eps)", citation="Yao et al. 2021, arXiv:2006.00719, algorithm 1",
    state=("mu", "nu"), extra_gradients=2, curvature=True, draws=True, b1=0.9, b2=0.999, eps=1e-4, eps_root=0.0,
    hessian_power=1.0, limits={"eps": DIVISOR},
)  # fmt: skip
def adahessian(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """AdaHessian: Adam, its second moment that of the Hessian's diagonal, by Hutchinson's estimator each step.

    As in the authors' code, matrices have no spatial averaging (blocks of 1), and eps is 1e-4; the paper names none.
    """
    if phase == 0:
        fill_signs(seed_at(settings, 5), OPTIMIZER_STREAM, step, count, scratch)
        return NEED_HVP
    product, second = offset(scratch, count), offset(state, count)
    b1, b2 = load(settings, 0), load(settings, 1)
    keep1, rest1, keep2, rest2 = real(b1), real(1.0 - b1), real(b2), real(1.0 - b2)
    eps, eps_root, exponent = real(load(settings, 2)), real(load(settings, 3)), real(load(settings, 4))
    unbias, rate = real(1.0 / one_minus_power(b2, step)), real(-learning_rate / one_minus_power(b1, step))
    for i in range(count):
        diagonal = load(scratch, i) * load(product, i)
        mu = fma(keep1, load(state, i), rest1 * load(grads, i))
        nu = fma(keep2, load(second, i), rest2 * diagonal * diagonal)
        store(state, i, mu)
        store(second, i, nu)
        # What is divided by comes first, and takes the product's place.
        store(product, i, sqrt(fma(nu, unbias, eps_root)))
    if exponent != real(1.0):
        for i in range(count):
            store(product, i, power(load(product, i), exponent))
    for i in range(count):
        store(params, i, fma(rate, load(state, i) / (load(product, i) + eps), load(params, i)))
    return DONE


@kernel
def average_products(count: Int, b: Float64, factor: Float64, x: Reals, y: Reals, mean: Reals) -> None:
    """mean = b mean + (1 - b) factor x y."""
    keep, rest = real(b), real((1.0 - b) * factor)
    for i in range(count):
        store(mean, i, fma(keep, load(mean, i), rest * load(x, i) * load(y, i)))


@device
def clipped(x, limit):
    """Return x within -limit and limit; NaN is returned."""
    return select(x > limit, limit, select(x < -limit, -limit, x))


@device
def sophia_step(count, step, settings, learning_rate, params, grads, state):
    """m = b1 m + (1 - b1) g; theta -= eta clip(m / max(gamma h, eps), threshold)."""
    hessian, b1 = offset(state, count), load(settings, 0)
    keep, rest, eps, limit = real(b1), real(1.0 - b1), real(load(settings, 2)), real(load(settings, 4))
    unbias = real(1.0 / one_minus_power(b1, step) if load(settings, 7) != 0.0 else 1.0)
    gamma, rate = real(load(settings, 3)), real(-learning_rate)
    for i in range(count):
        mu = fma(keep, load(state, i), rest * load(grads, i))
        store(state, i, mu)
        update = unbias * mu / larger(gamma * load(hessian, i), eps)
        store(params, i, fma(rate, clipped(update, limit), load(params, i)))


@whole(
    formula="m = b1 m + (1 - b1) g; every `interval` steps h = b2 h + (1 - b2) hhat, hhat = z (H z) or, with "
    "gauss_newton, " "B g^2 on drawn labels; theta -= eta clip(m / max(gamma h, eps), threshold)",
    citation="Liu et al. 2023, arXiv:2305.14342, algorithms 1 to 3", state=("mu", "hessian"), curvature=True,
    draws=True, samples="gauss_newton", b1=0.96, b2=0.99, eps=1e-12, gamma=0.01, threshold=1.0, interval=10,
    gauss_newton=False, corrected=False, late=False, limits={"eps": DIVISOR},
)  # fmt: skip
def sophia(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Sophia: momentum over the Hessian's diagonal, each entry clipped; the diagonal is estimated now and then.

    With `corrected` the momentum is bias-corrected, with `late` a new estimate counts from the next step on; optax has
    both. gamma is the paper's for Hutchinson's estimator; for gauss_newton it takes 0.05.
    """
    labels, due = load(settings, 6) != 0.0, (step - 1) % int(load(settings, 5)) == 0
    product, late = offset(scratch, count), load(settings, 8) != 0.0
    if phase == 0 and due:
        if not labels:
            fill_signs(seed_at(settings, 9), OPTIMIZER_STREAM, step, count, scratch)
            return NEED_HVP
        for i in range(count):
            store(product, i, load(grads, i))
        return NEED_FACTORS
    if due and labels:
        # The gradient on drawn labels and the batch's own change places.
        for i in range(count):
            drawn = load(grads, i)
            store(grads, i, load(product, i))
            store(product, i, drawn)
            store(scratch, i, drawn)
    b2, factor = load(settings, 1), float64(rows) if labels else float64(1)
    if due and not late:
        average_products(count, b2, factor, scratch, product, offset(state, count))
    sophia_step(count, step, settings, learning_rate, params, grads, state)
    if due and late:
        average_products(count, b2, factor, scratch, product, offset(state, count))
    return DONE
