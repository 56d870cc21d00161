"""The network of source section 2 in NumPy, layer by layer, with batch normalization and both losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Layers = Sequence[dict[str, np.ndarray]]


def normalized(z: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Ioffe & Szegedy 2015, algorithm 1: biased variance, eps 1e-5."""
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) + beta


def outputs(layers: Layers, x: np.ndarray, hidden: str, output: str) -> np.ndarray:
    """Return yhat for tanh or relu hidden layers and an identity or softmax output."""
    rule = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[hidden]
    a = x
    for number, layer in enumerate(layers, start=1):
        z = a @ layer["W"] + layer["b"]
        if "gamma" in layer:
            z = normalized(z, layer["gamma"], layer["beta"])
        a = rule(z) if number < len(layers) else z
    if output == "softmax":
        grown = np.exp(a - a.max(1, keepdims=True))
        a = grown / grown.sum(1, keepdims=True)
    return a


def mse(predicted: np.ndarray, y: np.ndarray) -> float:
    """Source 3.1: mean over samples, sum over outputs, no 1/2."""
    return float(np.mean(np.sum((predicted - y) ** 2, axis=1)))


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """Source 3.2 with softmax outputs, by log-sum-exp."""
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-np.mean(np.sum(y * logs, axis=1)))
