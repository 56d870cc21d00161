"""Optimizers that use the gradient's sign, or a momentum's: every entry moves by the same step or stays."""

from __future__ import annotations

from mlpjit.extending import elementwise, fma, select, sign


@elementwise(
    formula="theta -= eta sign(g)",
    citation="Bernstein et al. 2018, arXiv:1802.04434, algorithm 1",
)  # fmt: skip
def sign_sgd(g, learning_rate):
    """The gradient's sign; 0 stays 0."""
    return learning_rate * sign(g)


def signum_scalars(step, learning_rate, momentum):
    """The rate, the weights of the average."""
    return learning_rate, momentum, 1.0 - momentum


@elementwise(
    scalars=signum_scalars, formula="m = b m + (1 - b) g; theta -= eta sign(m)",
    citation="Bernstein et al. 2018, arXiv:1802.04434, algorithm 2", state=("mu",), momentum=0.9,
)  # fmt: skip
def signum(g, mu, rate, b, rest):
    """The sign of the momentum."""
    mu = fma(b, mu, rest * g)
    return rate * sign(mu), mu


def lion_scalars(step, learning_rate, b1, b2):
    """The rate, the weights of both averages."""
    return learning_rate, b1, 1.0 - b1, b2, 1.0 - b2


@elementwise(
    scalars=lion_scalars, formula="theta -= eta sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g",
    citation="Chen et al. 2023, arXiv:2302.06675, algorithm 2", state=("mu",), b1=0.9, b2=0.99,
)  # fmt: skip
def lion(g, mu, rate, b1, rest1, b2, rest2):
    """Evolved sign momentum. Its decoupled decay is the run's weight_decay."""
    return rate * sign(fma(b1, mu, rest1 * g)), fma(b2, mu, rest2 * g)


@elementwise(
    formula="step *= 1.2 where sign(g) stays, 0.5 where it changes; theta -= step sign(g)",
    citation="Riedmiller & Braun 1993", state=("step_size", "last_sign"), eta_minus=0.5, eta_plus=1.2, min_step=1e-6,
    max_step=50.0, backtracking=True,
)  # fmt: skip
def rprop(g, step_size, last_sign, learning_rate, eta_minus, eta_plus, min_step, max_step, backtracking):
    """Resilient backpropagation, for full batches: each entry has its own step, begun at the learning rate.

    Where the sign changes the paper takes the last step back; backtracking=False leaves theta as it is there, as
    torch does (iRprop-). Either way the next step does not adapt. A schedule changes nothing after the first step.
    """
    size = select(step_size == 0.0, learning_rate, step_size)
    now = sign(g)
    agreement = now * last_sign
    changed = agreement < 0.0
    grown = size * select(agreement > 0.0, eta_plus, select(changed, eta_minus, 1.0))
    grown = select(grown < min_step, min_step, grown)
    grown = select(grown > max_step, max_step, grown)
    update = select(changed, -backtracking * size * last_sign, grown * now)
    return update, grown, select(changed, 0.0, now)
