"""Optimizers in NumPy, line by line from their papers: theta before, a list of gradients, theta after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from oracles import adaptive_optimizers as adaptive

Gradients = Sequence[np.ndarray]
Path = Iterator[np.ndarray]


def sgd(theta: np.ndarray, gradients: Gradients, eta: float) -> Path:
    """Source, section 5."""
    for g in gradients:
        theta = theta - eta * g
        yield theta


def momentum(
    theta: np.ndarray, gradients: Gradients, eta: float, momentum: float, dampening: float, ema: bool, rate_inside: bool
) -> Path:
    """Polyak 1964, with the rate outside or inside the velocity."""
    u = np.zeros_like(theta)
    for t, g in enumerate(gradients):
        weight = 1 - momentum if ema else 1 if t == 0 else 1 - dampening
        u = momentum * u + weight * g * (eta if rate_inside else 1)
        theta = theta - u * (1 if rate_inside else eta)
        yield theta


def nesterov(
    theta: np.ndarray, gradients: Gradients, eta: float, momentum: float, ema: bool, rate_inside: bool
) -> Path:
    """Sutskever et al. 2013, eq. 3-4, at the shifted point: theta here is their theta + mu v. eta is constant here."""
    v = np.zeros_like(theta)
    unshifted = theta
    for g in gradients:
        v = momentum * v - eta * g * (1 - momentum if ema else 1)
        unshifted = unshifted + v
        yield unshifted + momentum * v


def sign_sgd(theta: np.ndarray, gradients: Gradients, eta: float) -> Path:
    """Bernstein et al. 2018, algorithm 1."""
    for g in gradients:
        theta = theta - eta * np.sign(g)
        yield theta


def signum(theta: np.ndarray, gradients: Gradients, eta: float, momentum: float) -> Path:
    """Bernstein et al. 2018, algorithm 2."""
    m = np.zeros_like(theta)
    for g in gradients:
        m = momentum * m + (1 - momentum) * g
        theta = theta - eta * np.sign(m)
        yield theta


def lion(theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float) -> Path:
    """Chen et al. 2023, algorithm 2, without decay."""
    m = np.zeros_like(theta)
    for g in gradients:
        c = b1 * m + (1 - b1) * g
        theta = theta - eta * np.sign(c)
        m = b2 * m + (1 - b2) * g
        yield theta


def rprop(
    theta: np.ndarray, gradients: Gradients, eta: float, eta_minus: float, eta_plus: float, min_step: float,
    max_step: float, backtracking: bool,
) -> Path:  # fmt: skip
    """Riedmiller & Braun 1993, eq. 4-6, weight by weight; their Delta w is kept as it was written."""
    theta = theta.copy()
    size, before, moved = np.full_like(theta, eta), np.zeros_like(theta), np.zeros_like(theta)
    for g in gradients:
        g = g.copy()
        for i in range(len(theta)):
            if before[i] * g[i] > 0:
                size[i] = min(size[i] * eta_plus, max_step)
            elif before[i] * g[i] < 0:
                size[i] = max(size[i] * eta_minus, min_step)
                moved[i] = -moved[i] if backtracking else 0.0
                g[i] = 0.0
                theta[i] += moved[i]
                continue
            moved[i] = -np.sign(g[i]) * size[i]
            theta[i] += moved[i]
        before = g
        yield theta.copy()


def adagrad(
    theta: np.ndarray, gradients: Gradients, eta: float, eps: float, eps_root: float, initial_accumulator: float
) -> Path:
    """Duchi et al. 2011, figure 1, primal-dual with the diagonal."""
    seen: list[np.ndarray] = []
    for g in gradients:
        seen.append(g)
        norm = np.sqrt(initial_accumulator + np.sum(np.square(seen), axis=0) + eps_root)
        theta = theta - eta * g / (norm + eps)
        yield theta


def adadelta(theta: np.ndarray, gradients: Gradients, eta: float, rho: float, eps: float) -> Path:
    """Zeiler 2012, algorithm 1."""
    squares, changes = np.zeros_like(theta), np.zeros_like(theta)
    for g in gradients:
        squares = rho * squares + (1 - rho) * g**2
        change = -np.sqrt(changes + eps) / np.sqrt(squares + eps) * g
        changes = rho * changes + (1 - rho) * change**2
        theta = theta + eta * change
        yield theta


def rmsprop(theta: np.ndarray, gradients: Gradients, eta: float, rho: float, eps: float, eps_root: float) -> Path:
    """Source, section 6.1, with both epsilons."""
    v = np.zeros_like(theta)
    for g in gradients:
        v = rho * v + (1 - rho) * g**2
        theta = theta - eta / (np.sqrt(v + eps_root) + eps) * g
        yield theta


def centered_rmsprop(
    theta: np.ndarray, gradients: Gradients, eta: float, rho: float, momentum: float, eps: float, eps_root: float,
    centered: bool, rate_inside: bool,
) -> Path:  # fmt: skip
    """Graves 2013, eq. 38-45; the rate is constant here, so inside and outside are one."""
    n, mean, change = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for g in gradients:
        n = rho * n + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        variance = n - mean**2 if centered else n
        change = momentum * change - eta * g / (np.sqrt(variance + eps_root) + eps)
        theta = theta + change
        yield theta


def madgrad(
    theta: np.ndarray, gradients: Gradients, eta: float, momentum: float, eps: float, eps_in_rate: bool
) -> Path:
    """Defazio & Jelassi 2021, algorithm 1."""
    start, s, v = theta, np.zeros_like(theta), np.zeros_like(theta)
    for k, g in enumerate(gradients):
        weight = (eta + (eps if eps_in_rate else 0)) * np.sqrt(k + 1)
        s, v = s + weight * g, v + weight * g**2
        z = start - s / (np.cbrt(v) + eps)
        theta = momentum * theta + (1 - momentum) * z
        yield theta


OPTIMIZERS: dict[str, Callable[..., Path]] = {
    f.__name__: f
    for f in (
        sgd, momentum, nesterov, sign_sgd, signum, lion, rprop, adagrad, adadelta, rmsprop, centered_rmsprop, madgrad,
    )
} | adaptive.OPTIMIZERS  # fmt: skip
# Settings that each reach a term of the rule, beside the defaults of the catalogue.
SETTINGS: dict[str, list[dict[str, float]]] = {
    "sgd": [{}],
    "momentum": [{}, {"momentum": 0.0}, {"momentum": 0.99}, {"dampening": 0.4}, {"ema": True}, {"rate_inside": True}],
    "nesterov": [{}, {"momentum": 0.0}, {"momentum": 0.99}, {"ema": True}, {"rate_inside": True}],
    "sign_sgd": [{}],
    "signum": [{}, {"momentum": 0.0}],
    "lion": [{}, {"b1": 0.3, "b2": 0.6}],
    "rprop": [{}, {"backtracking": False}, {"eta_minus": 0.7, "eta_plus": 1.6, "min_step": 0.02, "max_step": 0.05}],
    "adagrad": [{}, {"eps": 0.3}, {"eps": 0.0, "eps_root": 0.3}, {"initial_accumulator": 0.1}],
    "adadelta": [{}, {"rho": 0.5, "eps": 0.1}],
    "rmsprop": [{}, {"eps": 1e-8, "eps_root": 0.0}, {"eps": 0.3, "eps_root": 0.0}, {"eps_root": 0.3},
                {"rho": 0.99, "eps": 0.1, "eps_root": 0.2}, {"rho": 0.0}],
    "centered_rmsprop": [{}, {"centered": False}, {"rate_inside": False}, {"rho": 0.5, "momentum": 0.0, "eps": 0.1}],
    "madgrad": [{}, {"momentum": 0.0}, {"eps": 0.1}, {"eps": 0.1, "eps_in_rate": True}],
} | adaptive.SETTINGS  # fmt: skip
