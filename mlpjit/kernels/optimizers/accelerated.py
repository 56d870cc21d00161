"""Gradient descent and its two momenta."""

from __future__ import annotations

from mlpjit.extending import elementwise, fma


@elementwise(formula="theta -= eta g", citation="Robbins & Monro 1951")
def sgd(g, learning_rate):
    """Gradient descent: on one sample, a mini-batch or the whole set."""
    return learning_rate * g


def momentum_scalars(step, learning_rate, momentum, dampening, ema, rate_inside):
    """The rate outside the velocity, the momentum, the weight of the gradient with the rate inside."""
    weight = 1.0 - momentum if ema != 0.0 else (1.0 - dampening if step > 1 else 1.0)
    if rate_inside != 0.0:
        return 1.0, momentum, weight * learning_rate
    return learning_rate, momentum, weight


@elementwise(
    scalars=momentum_scalars, formula="u = b u + g; theta -= eta u", citation="Polyak 1964", state=("velocity",),
    momentum=0.9, dampening=0.0, ema=False, rate_inside=False,
)  # fmt: skip
def momentum(g, velocity, rate, b, weight):
    """Heavy-ball momentum.

    dampening d: u = b u + (1 - d) g from the second step on, as in torch. ema: u = b u + (1 - b) g. rate_inside:
    u = b u + eta g, theta -= u, Polyak's own form; the two differ when the rate changes.
    """
    velocity = fma(b, velocity, weight * g)
    return rate * velocity, velocity


def nesterov_scalars(step, learning_rate, momentum, ema, rate_inside):
    """As for momentum, without dampening."""
    weight = 1.0 - momentum if ema != 0.0 else 1.0
    if rate_inside != 0.0:
        return 1.0, momentum, weight * learning_rate
    return learning_rate, momentum, weight


@elementwise(
    scalars=nesterov_scalars, formula="u = b u + g; theta -= eta (g + b u)",
    citation="Nesterov 1983; Sutskever et al. 2013", state=("velocity",), momentum=0.9, ema=False, rate_inside=False,
)  # fmt: skip
def nesterov(g, velocity, rate, b, weight):
    """Nesterov's momentum in the form that evaluates the gradient at the parameters.

    ema: g weighs 1 - b in both places. rate_inside: u = b u + eta g, as in Sutskever et al.
    """
    weighted = weight * g
    velocity = fma(b, velocity, weighted)
    return rate * fma(b, velocity, weighted), velocity
