"""What every side is given: data, first weights, order of samples and settings, in one NPZ file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.measure.peers.cells import RATES, Cell

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig

# Plain Adam as every peer has it: epsilon outside the root.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd"},
    "adam": {"name": "adam", "b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0},
}


@dataclass(frozen=True)
class Task:
    """One cell's training runs, for the seeds 0, 1, ...; the first is what single runs train.

    x (samples, inputs) and y (samples, outputs, one-hot) float32; weights[l] (runs, fan_in, fan_out) and biases[l]
    (runs, fan_out); order (runs, epochs, samples) int32.
    """

    cell: Cell
    learning_rate: float
    epochs: int
    x: np.ndarray
    y: np.ndarray
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    order: np.ndarray

    @property
    def steps(self) -> int:
        """The training steps of one run."""
        return self.epochs * -(-len(self.x) // self.cell.batch)

    def save(self, path: Path) -> None:
        """Write the task as NPZ."""
        tensors = {f"w{i}": w for i, w in enumerate(self.weights)} | {f"b{i}": b for i, b in enumerate(self.biases)}
        text = json.dumps({"cell": asdict(self.cell), "learning_rate": self.learning_rate, "epochs": self.epochs})
        np.savez(path, x=self.x, y=self.y, order=self.order, text=np.array(text), **tensors)  # type: ignore[arg-type]


def load(path: Path) -> Task:
    """Read a task."""
    with np.load(path) as held:
        text, layers = json.loads(str(held["text"])), sum(name.startswith("w") for name in held.files)
        tensors = [[held[f"{kind}{i}"] for i in range(layers)] for kind in "wb"]
        return Task(Cell(**text.pop("cell")), **text, x=held["x"], y=held["y"], weights=tensors[0], biases=tensors[1],
                    order=held["order"])  # fmt: skip


def config(cell: Cell, epochs: int, seed: int = 0) -> RunConfig:
    """Return mlpjit's run of a cell: the first evaluation apart, nothing is evaluated before the end."""
    from mlpjit.config.run_config import RunConfig

    return RunConfig(
        dataset="digits", depth=cell.depth, width=cell.width, activation=cell.activation, init="he_normal",
        optimizer=OPTIMIZERS[cell.optimizer], learning_rate=RATES[cell.optimizer], batch_size=cell.batch,
        epochs=epochs, evaluate_every=epochs, seed=seed, split_seed=0,
    )  # fmt: skip


def make(cell: Cell, runs: int) -> Task:
    """Return the task of a cell, first weights and orders taken from mlpjit."""
    from mlpjit.catalogue.datasets import split
    from mlpjit.kernels.arithmetic.random import permutation
    from mlpjit.training import shape
    from mlpjit.training.first_parameters import initial_params

    data = split({"name": "digits"}, 0, "float32")
    epochs = cell.epochs(len(data.x_train))
    settings = [config(cell, epochs, seed) for seed in range(runs)]
    layers, names = shape.config_layers(settings[0]), shape.layer_activations(settings[0])
    packed = [initial_params(layers, dict(each.init), each.seed, "float32", names) for each in settings]
    tensors = [shape.views(layers, params) for params in packed]
    stacked = {key: [np.stack([run[i][key] for run in tensors]) for i in range(len(layers))] for key in "Wb"}
    order = [[permutation(s.seed, "order", len(data.x_train), e) for e in range(epochs)] for s in settings]
    return Task(cell, RATES[cell.optimizer], epochs, data.x_train, data.y_train, stacked["W"], stacked["b"],
                np.array(order, np.int32))  # fmt: skip
