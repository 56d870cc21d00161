"""The reference sweep as its peers run it: what it consists of, its inputs, and the results of its runs.

Study: `reference_sweep.toml`. Data, first weights and orders come from mlpjit, so that each run of a peer is a run
of mlpjit; a peer is spared making them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

BATCH, EPOCHS, WIDTH = 64, 10, 64
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid")
DEPTHS, INITS, SEEDS = (8, 4, 2), ("lecun_normal", "he_normal"), (0, 1)
RATES = tuple(float(rate) for rate in np.logspace(-3.5, -0.5, 6))
LANES = tuple(product(INITS, RATES, SEEDS))
PARTS = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")
MEASURES = ("train_loss", "validation_loss", "validation_score", "test_loss", "test_score")


@dataclass(frozen=True)
class Program:
    """Runs that differ in numbers only: initialization, rate and seed."""

    optimizer: str
    activation: str
    depth: int

    @property
    def key(self) -> str:
        """A name for files."""
        return f"{self.optimizer}-{self.activation}-{self.depth}"


def programs(part: int = 0, parts: int = 1) -> list[Program]:
    """Return the programs of one of `parts` processes, the deepest first: each gets as much work as the others."""
    return [
        Program(optimizer, activation, depth)
        for depth in DEPTHS
        for i, optimizer in enumerate(OPTIMIZERS)
        for j, activation in enumerate(ACTIVATIONS)
        if (i + j) % parts == part
    ]


def write_inputs(path: Path) -> None:
    """Write data, orders (seed, epoch, sample) and first weights (init, seed, ...) of every depth as NPZ."""
    from mlpjit.catalogue.datasets import split
    from mlpjit.kernels.arithmetic.random import permutation
    from mlpjit.training import shape
    from mlpjit.training.first_parameters import initial_params

    data = split({"name": "digits"}, 0, "float32")
    arrays: dict[str, Any] = {name: getattr(data, name) for name in PARTS}
    rows = len(data.x_train)
    arrays["order"] = np.array([[permutation(s, "order", rows, e) for e in range(EPOCHS)] for s in SEEDS], np.int32)
    for depth in DEPTHS:
        layers = shape.layers_of([data.x_train.shape[1], *[WIDTH] * depth, data.y_train.shape[1]])
        names = ["tanh"] * depth + ["identity"]
        made = [[shape.views(layers, initial_params(layers, {"name": init}, seed, "float32", names))
                 for seed in SEEDS] for init in INITS]  # fmt: skip
        for layer in range(len(layers)):
            arrays[f"w{depth}_{layer}"] = np.array([[run[layer]["W"] for run in seeds] for seeds in made])
    np.savez(path, **arrays)


def first_weights(inputs: Any, depth: int) -> list[np.ndarray]:
    """Return each layer's weights (init, seed, fan_in, fan_out); biases begin at 0."""
    return [inputs[f"w{depth}_{layer}"] for layer in range(depth + 1)]
