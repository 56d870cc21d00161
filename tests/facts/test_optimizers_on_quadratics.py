"""Facts A14 and A17: where each optimizer stops being stable on h x^2 / 2, and how long its steps are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import mlpjit as mj

CURVATURE = 3.0
# The largest stable rate over 1 / h (Polyak 1964; Nesterov by the roots of its recursion), b the momentum.
THRESHOLDS: dict[str, Callable[[float], float]] = {
    "sgd": lambda b: 2.0,
    "momentum": lambda b: 2.0 * (1.0 + b),
    "nesterov": lambda b: (2.0 + 2.0 * b) / (1.0 + 2.0 * b),
}


def distance(name: str, b: float, rate: float, steps: int = 1500) -> float:
    """Return |x| after gradient descent on h x^2 / 2 from x = 1, at most 1e6."""
    optimizer = mj.optimizers[name] if name == "sgd" else mj.optimizers[name](momentum=b)
    x = np.ones(1)
    state = optimizer.init(x)
    for _ in range(steps):
        x, state = optimizer.update(x, CURVATURE * x, state, learning_rate=rate)
        if abs(x[0]) > 1e6:
            break
    return float(abs(x[0]))


@pytest.mark.parametrize("b", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", THRESHOLDS)
def test_stability_thresholds(name, b):
    limit = THRESHOLDS[name](b) / CURVATURE
    assert distance(name, b, 0.99 * limit) < 1.0
    assert distance(name, b, 1.01 * limit) > 1.0


@pytest.mark.parametrize(
    ("name", "settings", "size"),
    [
        ("adam", {"eps": 0.0, "eps_root": 0.0}, 1.0),
        ("rmsprop", {"rho": 0.9, "eps_root": 0.0}, math.sqrt(10.0)),
        ("rmsprop", {"rho": 0.99, "eps_root": 0.0}, 10.0),
        ("adam", {"eps_root": 1e-16}, 1.0),
    ],
)
def test_the_first_step_over_the_rate(name, settings, size):
    """Whatever the gradient's scale (Kingma & Ba 2015, section 2.1; Hinton 2012)."""
    optimizer = mj.optimizers[name](**settings)
    for g in (1e-3, 1.0, 1e3):
        moved = optimizer.update(np.zeros(1), np.full(1, g), optimizer.init(np.zeros(1)), learning_rate=0.01)[0]
        assert -moved[0] / 0.01 == pytest.approx(size, rel=1e-9)
