"""Golden penalties: loss and gradient of a small network on iris, with L1 and L2 of its weight matrices, from torch.

Run where torch is: `PYTHONPATH=tests:. python -m goldens.make_penalties`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from goldens import ours
from goldens.records import Arrays, Golden, golden, save

SETTINGS = (
    ("l1", {"l1": 0.3}), ("l1", {"l1": 1e-3, "l2": 0.2}), ("l2", {"l2": 0.5}), ("l2", {"l1": 0.1, "l2": 1e-3}),
)  # fmt: skip


def inputs() -> Arrays:
    """Return the training samples, and parameters (4-3-3, W and b) of which some are zero."""
    data, rng = ours.iris_run({}).data, np.random.default_rng(2028)
    theta = rng.normal(size=27)
    theta[[0, 5, 20]] = 0.0
    return {"x": data.x_train, "y": data.y_train, "theta": theta}


INPUTS = inputs()


def values(l1: float = 0.0, l2: float = 0.0) -> Arrays:
    """Return the mean cross-entropy with the penalties, and its gradient."""
    import torch

    x, y, theta = (torch.tensor(INPUTS[name], dtype=torch.float64) for name in ("x", "y", "theta"))
    theta.requires_grad_()
    first, b, second, c = (part.reshape(shape) for part, shape in zip(
        torch.split(theta, [12, 3, 9, 3]), ((4, 3), (3,), (3, 3), (3,)), strict=True
    ))  # fmt: skip
    outputs = torch.tanh(x @ first + b) @ second + c
    value: Any = torch.nn.functional.cross_entropy(outputs, y)
    for weights in (first, second):
        value = value + l1 * torch.linalg.vector_norm(weights, 1) + l2 / 2 * torch.linalg.vector_norm(weights) ** 2
    (gradient,) = torch.autograd.grad(value, theta)
    return {"value": np.array(value.item()), "gradient": gradient.numpy()}


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    for entry, settings in SETTINGS:
        yield golden(entry, settings, "torch.autograd.grad(cross_entropy + penalties)", values(**settings))


if __name__ == "__main__":
    save("penalties", make(), INPUTS)
