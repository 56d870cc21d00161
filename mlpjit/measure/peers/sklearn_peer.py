"""scikit-learn: MLPClassifier, an epoch a call of `partial_fit` on samples in the given order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.neural_network import MLPClassifier

from mlpjit.errors import ConfigError
from mlpjit.measure.peers.stopwatch import Once, Spent, clocked
from mlpjit.measure.peers.task import Task

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "identity": "identity"}


def variants(task: Task) -> dict[str, Callable[[], Once]]:
    """Return the one way of running a task."""
    if task.cell.activation not in ACTIVATIONS:
        raise ConfigError(f"it has no {task.cell.activation}")
    return {"partial_fit": partial(_prepared, task)}


def _begin(task: Task, labels: np.ndarray) -> MLPClassifier:
    """Return a classifier that holds the first weights: the first call of partial_fit, at rate 0, makes its arrays."""
    cell = task.cell
    model = MLPClassifier(
        (cell.width,) * cell.depth, activation=ACTIVATIONS[cell.activation], solver=cell.optimizer, alpha=0.0,
        batch_size=cell.batch, learning_rate_init=task.learning_rate, shuffle=False, momentum=0.0,
        nesterovs_momentum=False, random_state=0,
    )  # fmt: skip
    model.partial_fit(task.x[: 2 * cell.batch], labels[: 2 * cell.batch], classes=np.arange(task.y.shape[1]))
    for held, first in ((model.coefs_, task.weights), (model.intercepts_, task.biases)):
        for place, tensor in enumerate(first):
            held[place] = tensor[0].copy()
    del model._optimizer
    return model


def _prepared(task: Task) -> Once:
    labels = task.y.argmax(axis=1)
    epochs = [(np.ascontiguousarray(task.x[rows]), labels[rows]) for rows in task.order[0]]

    def once() -> tuple[Spent, list[float]]:
        model = _begin(task, labels)
        return clocked(lambda: [float(model.partial_fit(x, y).loss_) for x, y in epochs])

    return once
