"""Optimizers in NumPy, line by line from their papers: theta before, a list of gradients, theta after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

Gradients = Sequence[np.ndarray]
Path = Iterator[np.ndarray]


def sgd(theta: np.ndarray, gradients: Gradients, eta: float) -> Path:
    """Source, section 5."""
    for g in gradients:
        theta = theta - eta * g
        yield theta


def momentum(theta: np.ndarray, gradients: Gradients, eta: float, momentum: float) -> Path:
    """Polyak 1964, the rate outside the velocity: u = b u + g."""
    u = np.zeros_like(theta)
    for g in gradients:
        u = momentum * u + g
        theta = theta - eta * u
        yield theta


def nesterov(theta: np.ndarray, gradients: Gradients, eta: float, momentum: float) -> Path:
    """Sutskever et al. 2013, eq. 3-4, at the shifted point: theta here is their theta + mu v."""
    v = np.zeros_like(theta)
    unshifted = theta
    for g in gradients:
        v = momentum * v - eta * g
        unshifted = unshifted + v
        yield unshifted + momentum * v


def rmsprop(theta: np.ndarray, gradients: Gradients, eta: float, rho: float, eps: float, eps_root: float) -> Path:
    """Source, section 6.1, with both epsilons."""
    v = np.zeros_like(theta)
    for g in gradients:
        v = rho * v + (1 - rho) * g**2
        theta = theta - eta / (np.sqrt(v + eps_root) + eps) * g
        yield theta


def adam(
    theta: np.ndarray, gradients: Gradients, eta: float, b1: float, b2: float, eps: float, eps_root: float
) -> Path:
    """Kingma & Ba 2015, algorithm 1; source, section 6.2, with both epsilons."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        theta = theta - eta / (np.sqrt(v_hat + eps_root) + eps) * m_hat
        yield theta


OPTIMIZERS: dict[str, Callable[..., Path]] = {f.__name__: f for f in (sgd, momentum, nesterov, rmsprop, adam)}
# Settings that each reach a term of the rule, beside the defaults of the catalogue.
SETTINGS: dict[str, list[dict[str, float]]] = {
    "sgd": [{}],
    "momentum": [{}, {"momentum": 0.0}, {"momentum": 0.99}],
    "nesterov": [{}, {"momentum": 0.0}, {"momentum": 0.99}],
    "rmsprop": [{}, {"eps": 1e-8, "eps_root": 0.0}, {"eps": 0.3, "eps_root": 0.0}, {"eps_root": 0.3},
                {"rho": 0.99, "eps": 0.1, "eps_root": 0.2}, {"rho": 0.0}],
    "adam": [{}, {"eps": 1e-8, "eps_root": 0.0}, {"eps": 0.3, "eps_root": 0.0}, {"eps_root": 0.3},
             {"b1": 0.5, "b2": 0.9, "eps": 0.1, "eps_root": 0.2}, {"b1": 0.0, "b2": 0.0}],
}  # fmt: skip
