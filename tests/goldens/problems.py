"""Problems for optimizers that ask for more than a gradient: what ours makes of a golden case, and what both are given.

`estimates`: stored gradients and one Hessian; `labels`: stored gradients on drawn labels beside them; `logistic`: a
loss with its gradient anywhere; `network`: inputs and deltas of a small network, layer by layer, in NumPy.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from goldens.records import Arrays, Golden

import mlpjit as mj

ROWS = 7
SIZES = (3, 5, 4)
LAYERS = ((3, 5), (5,), (5, 4), (4,))


def drawn_inputs(count: int, steps: int) -> Arrays:
    """Return what the problems share beside theta and gradients; the same numbers on every call."""
    rng = np.random.default_rng(1503)
    root = rng.normal(size=(count, count))
    features = rng.normal(size=(40, count))
    return {
        "hessian": root + root.T,
        "features": features, "labels": np.sign(rng.normal(size=40) + features[:, 0]),
        "network_theta": 0.5 * rng.normal(size=44), "network_x": rng.normal(size=(steps, ROWS, SIZES[0])),
        "network_classes": rng.integers(SIZES[-1], size=(steps, ROWS)),
    }  # fmt: skip


def logistic(theta: np.ndarray, shared: Arrays) -> tuple[float, np.ndarray]:
    """Return the logistic loss with a small square penalty, and its gradient."""
    x, y = shared["features"], shared["labels"]
    margins = y * (x @ theta)
    value = np.logaddexp(0.0, -margins).mean() + 0.005 * theta @ theta
    return float(value), x.T @ (-y / (1.0 + np.exp(margins))) / len(y) + 0.01 * theta


def split_layers(theta: np.ndarray) -> list[np.ndarray]:
    """Return W1, b1, W2, b2 of the network, W (fan_in, fan_out)."""
    ends = np.cumsum([int(np.prod(shape)) for shape in LAYERS])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends), LAYERS, strict=True)]


def network_factors(
    theta: np.ndarray, x: np.ndarray, classes: np.ndarray
) -> tuple[float, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return loss, packed gradient, and (inputs, deltas) of both layers: tanh, then softmax cross-entropy."""
    w1, b1, w2, b2 = split_layers(theta)
    a = np.tanh(x @ w1 + b1)
    z = a @ w2 + b2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    own = p[np.arange(len(x)), classes]
    last = (p - np.eye(SIZES[-1])[classes]) / len(x)
    first = last @ w2.T * (1.0 - a**2)
    parts = (x.T @ first, first.sum(axis=0), a.T @ last, last.sum(axis=0))
    return float(-np.log(own).mean()), np.concatenate([p.ravel() for p in parts]), [(x, first), (a, last)]


Step = Callable[[int, np.ndarray], dict[str, Any]]


def estimates(shared: Arrays) -> Step:
    """Curvature by one Hessian; the vector asked for must be the stored draw."""

    def at(step: int, theta: np.ndarray) -> dict[str, Any]:
        def curvature(params: np.ndarray, vector: np.ndarray) -> np.ndarray:
            np.testing.assert_array_equal(vector, shared["draws"][step])
            return shared["hessian"] @ vector

        return {"grads": shared["gradients"][step], "curvature": curvature}

    return at


def labels(shared: Arrays) -> Step:
    """The gradient on drawn labels is another stored one."""
    return lambda step, theta: {
        "grads": shared["gradients"][step], "factors": lambda params: (shared["gradients"][-1 - step], []),
        "rows": ROWS,
    }  # fmt: skip


def smooth(shared: Arrays) -> Step:
    """Loss and gradient of the logistic loss."""

    def at(step: int, theta: np.ndarray) -> dict[str, Any]:
        loss, grads = logistic(theta, shared)
        return {"grads": grads, "loss": loss, "gradient": lambda params: logistic(params, shared)}

    return at


def network(shared: Arrays) -> Step:
    """The network's own labels; another batch each step."""

    def at(step: int, theta: np.ndarray) -> dict[str, Any]:
        x, classes = shared["network_x"][step], shared["network_classes"][step]
        return {
            "grads": network_factors(theta, x, classes)[1],
            "factors": lambda params: network_factors(params, x, classes)[1:], "rows": len(x),
        }  # fmt: skip

    return at


PROBLEMS = {"estimates": estimates, "labels": labels, "logistic": smooth, "network": network}


def walk(case: Golden, shared: Arrays, rates: list[float]) -> list[np.ndarray]:
    """Return theta after every step of ours on the case's problem."""
    name = case.given["problem"]
    made, given = mj.optimizers[case.entry](**case.settings), PROBLEMS[name](shared)
    theta = shared["network_theta" if name == "network" else "theta"]
    state, path = made.init(theta, LAYERS if name == "network" else ast.literal_eval(str(shared["shapes"]))), []
    for step, rate in enumerate(rates):
        theta, state = made.update(theta, state=state, learning_rate=rate, **given(step, theta))
        path.append(theta)
    return path
