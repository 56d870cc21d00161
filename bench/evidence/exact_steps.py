"""The steps of small runs made anew in plain NumPy, by no kernel of the package: how large do numbers become?

Layers without normalization, the cross-entropy of a softmax, and rules as their papers have them. In float64 it is what
a run in float32 stands for. The dtype is that of the parameters. Of the run come the parameters it begins with, its
data, the order of its samples, and its rate, which does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import optimizers
from mlpjit.kernels.tables import DIVERGENCE_FACTOR
from mlpjit.training.run import Run
from mlpjit.training.shape import steps_per_epoch, views

Array = np.ndarray
Layers = list[dict[str, Array]]
Tops = dict[str, float]
Activation = Callable[[Array], tuple[Array, Array]]
# (t from 1, theta, gradient, rate, momentum, what is kept) -> the next theta, and the point to report.
Rule = Callable[[int, Array, Array, Any, Any, dict[str, Array]], tuple[Array, Array]]


def identity(z: Array) -> tuple[Array, Array]:
    """Return z, and its slope."""
    return z, np.ones_like(z)


def relu_squared(z: Array) -> tuple[Array, Array]:
    """Return max(0, z)^2, and its slope."""
    above = np.maximum(z, 0)
    return above * above, 2 * above


def snake(z: Array) -> tuple[Array, Array]:
    """Return z + sin^2 z, and its slope (Ziyin, Hartwig & Ueda 2020, a = 1)."""
    return z + np.sin(z) ** 2, 1 + np.sin(2 * z)


def nesterov(t: int, theta: Array, g: Array, rate: Any, mu: Any, kept: dict[str, Array]) -> tuple[Array, Array]:
    """Sutskever et al. 2013, equations 3-4. theta is their theta + mu v, where gradients are taken."""
    before = kept.get("v", np.zeros_like(theta))
    kept["v"] = mu * before - rate * g
    after = theta - mu * before + kept["v"] + mu * kept["v"]
    return after, after


def schedule_free_sgd(
    t: int, theta: Array, g: Array, rate: Any, beta: Any, kept: dict[str, Array]
) -> tuple[Array, Array]:
    """Defazio et al. 2024, algorithm 1, at a constant rate: c = 1 / t. theta is their y, and x the point to report."""
    z = kept.get("z", theta) - rate * g
    share = theta.dtype.type(1 / t)
    x = (1 - share) * kept.get("x", theta) + share * z
    kept |= {"z": z, "x": x}
    return (1 - beta) * z + beta * x, x


ACTIVATIONS: dict[str, Activation] = {f.__name__: f for f in (identity, relu_squared, snake)}
RULES: dict[str, tuple[Rule, str]] = {
    "nesterov": (nesterov, "momentum"),
    "schedule_free_sgd": (schedule_free_sgd, "b1"),
}


def largest(*arrays: Any) -> float:
    """Return the largest magnitude; infinity where a number is NaN."""
    found = max(np.nan_to_num(np.abs(each), nan=np.inf, posinf=np.inf).max() for each in arrays)
    return float(found)


def forward(layers: Layers, activation: Activation, x: Array) -> tuple[Array, list[Array], list[Array], float]:
    """Return the logits, the inputs of layers, the slopes of hidden ones, and the largest of all z and a."""
    inputs, slopes, top, last = [x], [], 0.0, len(layers) - 1
    for number, layer in enumerate(layers):
        z = inputs[-1] @ layer["W"] + layer["b"]
        top = max(top, largest(z))
        if number < last:
            a, slope = activation(z)
            inputs.append(a)
            slopes.append(slope)
            top = max(top, largest(a, slope))
    return z, inputs, slopes, top


def cross_entropy(logits: Array, y: Array) -> tuple[float, Array]:
    """Return the mean loss, and its slope by the logits."""
    shifted = logits - logits.max(1, keepdims=True)
    grown = np.exp(shifted)
    mass = grown.sum(1, keepdims=True)
    each = np.log(mass[:, 0]) - np.where(y > 0, shifted, 0).sum(1)
    return float(each.mean()), (grown / mass - y) / logits.dtype.type(len(y))


def gradient(layers: Layers, activation: Activation, x: Array, y: Array) -> tuple[Array, Tops]:
    """Return the gradient, packed as the parameters are, and how large numbers became on the way."""
    logits, inputs, slopes, top = forward(layers, activation, x)
    loss, delta = cross_entropy(logits, y)
    packed = [(inputs[-1].T @ delta).ravel(), delta.sum(0)]
    for place in range(len(slopes) - 1, -1, -1):
        delta = (delta @ layers[place + 1]["W"].T) * slopes[place]
        packed = [(inputs[place].T @ delta).ravel(), delta.sum(0), *packed]
    made = np.concatenate(packed)
    return made, {"activations": top, "loss": largest(loss), "gradients": largest(made)}


class ExactRun:
    """A run beside a Run of the package, which tells the order of samples, and the parameters where no rule here does.

    over: how many evaluations running the loss is over the factor times that of the start.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.data, config = run, run.data, run.config
        self.theta = self.point = run.params.copy()
        self.activation = ACTIVATIONS[str(config.activation)]
        self.name, self.kept, self.over = config.optimizer["name"], {}, 0
        self.rate = self.theta.dtype.type(config.learning_rate)
        self.per_epoch = steps_per_epoch(run.values)
        self.start = self.evaluate()["loss"]

    def evaluate(self) -> Tops:
        """Return how large numbers become on the validation set, at the point to report."""
        logits, _, _, top = forward(views(self.run.layers, self.point), self.activation, self.data.x_validation)
        return {"activations": top, "loss": largest(cross_entropy(logits, self.data.y_validation)[0])}

    def batch(self, step: int) -> Array:
        """Return which samples a step sees; the last of an epoch takes what is left."""
        number, size = (step - 1) % self.per_epoch, self.run.values.batch_size
        rows = len(self.data.x_train) if size == "full" else int(size)
        end = None if number == self.per_epoch - 1 else (number + 1) * rows
        return self.run.order[: len(self.data.x_train)][number * rows : end]

    def steps(self) -> Iterator[Tops]:
        """Take step by step; yield how large numbers became in each, its evaluation included."""
        for step in range(1, self.run.steps + 1):
            self.run.advance(step)
            rows = self.batch(step)
            layers = views(self.run.layers, self.theta)
            g, tops = gradient(layers, self.activation, self.data.x_train[rows], self.data.y_train[rows])
            self.move(step, g)
            yield self.judged(step, tops | {"parameters": largest(self.theta, self.point, *self.kept.values())})

    def move(self, step: int, g: Array) -> None:
        """Set the next parameters: by the rule of this module, else those of the run."""
        if self.name in RULES:
            rule, setting = RULES[self.name]
            factor = self.theta.dtype.type(optimizers[self.name].defaults[setting])
            self.theta, self.point = rule(step, self.theta, g, self.rate, factor, self.kept)
        else:
            self.theta, self.point = self.run.params.copy(), self.run.point()

    def judged(self, step: int, tops: Tops) -> Tops:
        """Return what a step came to together with its evaluation, if there is one; count those over the factor."""
        if step % self.per_epoch:
            return tops
        found = self.evaluate()
        self.over = self.over + 1 if found["loss"] > DIVERGENCE_FACTOR * self.start else 0
        return {name: max(top, found.get(name, 0.0)) for name, top in tops.items()}
