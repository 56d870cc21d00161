"""Wrappers in NumPy, from their papers, around any step theta, g, loss -> theta of a base optimizer.

A wrapper is a function of its settings; it returns step(t, theta, g, loss, take, gradient), t counted from 1.
take(theta, g, loss) -> (theta from which the base began, theta behind it): it decays before it steps.
gradient(theta) -> (loss, g). slices: where the tensors stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Gradient = Callable[[np.ndarray], tuple[float, np.ndarray]]
Take = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
Step = Callable[[int, np.ndarray, np.ndarray, float, Take, Gradient], np.ndarray]
Slices = Sequence[slice]


def lookahead(start: np.ndarray, slices: Slices, k: int, alpha: float) -> Step:
    """Zhang et al. 2019, algorithm 1."""
    slow = start.copy()

    def step(t, theta, g, loss, take, gradient):
        nonlocal slow
        theta = take(theta, g, loss)[1]
        if t % k == 0:
            theta = slow = slow + alpha * (theta - slow)
        return theta

    return step


def sam(start: np.ndarray, slices: Slices, rho: float) -> Step:
    """Foret et al. 2021, algorithm 1."""

    def step(t, theta, g, loss, take, gradient):
        loss, g = gradient(theta + rho * g / np.linalg.norm(g))
        return take(theta, g, loss)[1]

    return step


def asam(start: np.ndarray, slices: Slices, rho: float, eta: float) -> Step:
    """Kwon et al. 2021, algorithm 1, with T = |theta| + eta."""

    def step(t, theta, g, loss, take, gradient):
        scale = np.abs(theta) + eta
        loss, g = gradient(theta + rho * scale**2 * g / np.linalg.norm(scale * g))
        return take(theta, g, loss)[1]

    return step


def cautious(start: np.ndarray, slices: Slices, xi: float) -> Step:
    """Liang et al. 2024, algorithm 1 with the scale of eq. 5; the decay before the base's step is not masked."""

    def step(t, theta, g, loss, take, gradient):
        before, after = take(theta, g, loss)
        made = before.copy()
        for part in slices:
            update = (before - after)[part]
            kept = update * g[part] > 0
            made[part] -= update * kept * len(kept) / (kept.sum() + xi)
        return made

    return step


def mars(start: np.ndarray, slices: Slices, gamma: float, b1: float) -> Step:
    """Yuan et al. 2024, algorithm 2: c = g + gamma b1 / (1 - b1) (g - g_before), each tensor shrunk to length 1."""
    last = np.zeros_like(start)

    def step(t, theta, g, loss, take, gradient):
        nonlocal last
        c, last = g + gamma * b1 / (1 - b1) * (g - last), g
        for part in slices:
            c[part] /= max(1.0, float(np.linalg.norm(c[part])))
        return take(theta, c, loss)[1]

    return step


def mechanic(start: np.ndarray, slices: Slices, weight_decay: float, eps: float, initial_scale: float) -> Step:
    """Cutkosky, Defazio & Mehta 2023, algorithm 1, with optax's clipped bets and Delta worked out from theta."""
    beta, first = 1 - 0.1 ** np.arange(1, 7), initial_scale
    m, v, r, s = np.zeros(6), np.zeros(6), np.zeros(6), np.full(6, first)

    def step(t, theta, g, loss, take, gradient):
        nonlocal m, v, r, s
        delta = (start - theta) / (s.sum() + eps)
        pulled = g + weight_decay * s.sum() * np.linalg.norm(g) / (np.linalg.norm(theta) + eps) * theta
        bet = float(pulled @ delta)
        held = np.clip(bet, -m, m)
        m = np.maximum(beta * m, abs(bet) + eps)
        v, r = beta**2 * v + bet**2, beta * r + held * s
        s = (first / 6 * m + np.maximum(r, 0)) / (np.sqrt(v) + eps)
        return start - s.sum() * (delta + theta - take(theta, g, loss)[1])

    return step


WRAPPERS: dict[str, Callable[..., Step]] = {f.__name__: f for f in (lookahead, sam, asam, cautious, mars, mechanic)}
