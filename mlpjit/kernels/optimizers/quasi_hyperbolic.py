"""Quasi-hyperbolic optimizers: an average and what it averages, in fixed shares."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import at_least, elementwise, fma, one_minus_power, sqrt


def qhadam_scalars(step, learning_rate, b1, b2, nu1, nu2, eps):
    """The rates of average and gradient, the weights, the shares of the average and of the square, epsilon."""
    of_mu, of_g = learning_rate * nu1 / one_minus_power(b1, step), learning_rate * (1.0 - nu1)
    return of_mu, of_g, b1, 1.0 - b1, b2, 1.0 - b2, nu2 / one_minus_power(b2, step), 1.0 - nu2, eps


@elementwise(
    scalars=qhadam_scalars, formula="m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "
    "theta -= eta (nu1 m^ + (1 - nu1) g) / (sqrt(nu2 v^ + (1 - nu2) g^2) + eps)",
    citation="Ma & Yarats 2019, arXiv:1810.06801, section 4", state=("mu", "nu"),
    limits={"nu1": at_least(0, 1), "nu2": at_least(0, 1), "eps": DIVISOR}, b1=0.995, b2=0.999, nu1=0.7, nu2=1.0,
    eps=1e-8,
)  # fmt: skip
def qhadam(g, mu, nu, of_mu, of_g, b1, rest1, b2, rest2, of_nu, of_square, eps):
    """Adam whose momentum is long and whose step is partly the gradient's own; Adam itself at nu1 = nu2 = 1.

    nu1 and b1 are those that the authors' code recommends.
    """
    square = g * g
    mu, nu = fma(b1, mu, rest1 * g), fma(b2, nu, rest2 * square)
    return fma(of_mu, mu, of_g * g) / (sqrt(fma(of_nu, nu, of_square * square)) + eps), mu, nu
