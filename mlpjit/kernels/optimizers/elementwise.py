"""Elementwise optimizers: an update from one gradient entry, its state, and scalars computed once a step.

Write `name_scalars(step, learning_rate, <defaults in order>)` in float64 and `name(g, *state, *scalars)`, which
returns the update (subtracted from the parameter) and the new state. All else follows.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels.rules import Function, Stage, device, device_float64, fma, sqrt
from mlpjit.registry import Registry

optimizers: Registry[Stage] = Registry("optimizer")


def elementwise(
    scalars: Function, formula: str, citation: str, state: tuple[str, ...] = (), uses_params: bool = False,
    decays: bool = False, initial: dict[str, float | str] | None = None, **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register an elementwise optimizer; the defaults are its hyperparameters in the order `scalars` takes them.

    What uses_params, decays and initial mean stands at `Stage`.
    """

    def register(function: Function) -> Stage:
        record = Stage(
            function.__name__, device(function), formula, citation, defaults, (device_float64(scalars),),
            "elementwise", state, 0, scalars, uses_params, decays, initial or {},
        )  # fmt: skip
        return optimizers.register(record)

    return register


@device_float64
def one_minus_power(base, exponent):
    """1 - base^exponent for a whole exponent of at least 1, by repeated squaring: same bits everywhere."""
    result, square, rest = 1.0, base, exponent
    while rest > 0:
        if rest & 1:
            result *= square
        square *= square
        rest >>= 1
    return 1.0 - result


def sgd_scalars(step, learning_rate):
    """The rate as it is."""
    return (learning_rate,)


@elementwise(sgd_scalars, "theta -= eta g", "source 5; Robbins & Monro 1951")
def sgd(g, rate):
    """Gradient descent: on one sample, a mini-batch or the whole set."""
    return rate * g


def momentum_scalars(step, learning_rate, momentum):
    """The rate and the momentum."""
    return learning_rate, momentum


@elementwise(momentum_scalars, "u = b u + g; theta -= eta u", "Polyak 1964", state=("velocity",), momentum=0.9)
def momentum(g, velocity, rate, b):
    """Heavy-ball momentum, with the rate outside the velocity."""
    velocity = fma(b, velocity, g)
    return rate * velocity, velocity


@elementwise(
    momentum_scalars, "u = b u + g; theta -= eta (g + b u)", "Nesterov 1983; Sutskever et al. 2013",
    state=("velocity",), momentum=0.9,
)  # fmt: skip
def nesterov(g, velocity, rate, b):
    """Nesterov's momentum in the form that evaluates the gradient at the parameters."""
    velocity = fma(b, velocity, g)
    return rate * fma(b, velocity, g), velocity


def rmsprop_scalars(step, learning_rate, rho, eps, eps_root):
    """The rate, both weights of the average, both epsilons."""
    return learning_rate, rho, 1.0 - rho, eps, eps_root


@elementwise(
    rmsprop_scalars, "v = rho v + (1 - rho) g^2; theta -= eta g / (sqrt(v + eps_root) + eps)",
    "source 6.1; Hinton 2012, lecture 6e", state=("nu",), rho=0.9, eps=0.0, eps_root=1e-16,
)  # fmt: skip
def rmsprop(g, nu, rate, rho, rest, eps, eps_root):
    """Gradients over their running root mean square; the source's epsilon is eps_root."""
    nu = fma(rho, nu, rest * g * g)
    return rate * g / (sqrt(nu + eps_root) + eps), nu


def adam_scalars(step, learning_rate, b1, b2, eps, eps_root):
    """The rate over the first bias correction, the weights, one over the second bias correction, both epsilons."""
    rate = learning_rate / one_minus_power(b1, step)
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root


@elementwise(
    adam_scalars, "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; theta -= eta m^ / (sqrt(v^ + eps_root) + eps)",
    "source 6.2; Kingma & Ba 2015, arXiv:1412.6980, algorithm 1", state=("mu", "nu"),
    b1=0.9, b2=0.999, eps=0.0, eps_root=1e-16,
)  # fmt: skip
def adam(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root):
    """Adam with both bias corrections; the source's epsilon is eps_root, the paper's is eps = 1e-8."""
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return rate * mu / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu
