"""Golden losses: value, gradient and Hessian-vector product from torch and optax.

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_losses`. Each is made a mean over
samples of a sum over outputs, as ours are. Targets are numbers, one-hot classes, or soft (rows that sum to 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from goldens.records import Arrays, Golden, golden, save

ROWS, OUTPUTS = 9, 5


def inputs() -> Arrays:
    """Return outputs (9, 5), a direction for the product, and three kinds of targets."""
    rng = np.random.default_rng(2027)
    soft = rng.random((ROWS, OUTPUTS)) ** 3
    return {
        "outputs": 3.0 * rng.normal(size=(ROWS, OUTPUTS)), "direction": rng.normal(size=(ROWS, OUTPUTS)),
        "numbers": 2.0 * rng.normal(size=(ROWS, OUTPUTS)), "classes": np.eye(OUTPUTS)[rng.integers(0, OUTPUTS, ROWS)],
        "soft": soft / soft.sum(1, keepdims=True),
    }  # fmt: skip


INPUTS = inputs()


def torch_values(loss: Callable[[Any, Any], Any], targets: str) -> Arrays:
    """loss(outputs, targets) -> one number for each output or row."""
    import torch

    z = torch.tensor(INPUTS["outputs"], requires_grad=True)
    value = loss(z, torch.tensor(INPUTS[targets])).sum() / ROWS
    (gradient,) = torch.autograd.grad(value, z, create_graph=True)
    product = torch.zeros_like(z)
    if gradient.requires_grad:
        (product,) = torch.autograd.grad((gradient * torch.tensor(INPUTS["direction"])).sum(), z)
    return {
        "value": np.array(value.item()),
        "gradient": gradient.detach().numpy(),
        "product": product.numpy(force=True),
    }


def optax_values(loss: Callable[[Any, Any], Any], targets: str) -> Arrays:
    """The same from a function of jax arrays, in float64."""
    import jax

    with jax.enable_x64(True):
        y = jax.numpy.array(INPUTS[targets])

        def mean(z: Any) -> Any:
            return loss(z, y).sum() / ROWS

        point, direction = (jax.numpy.array(INPUTS[name]) for name in ("outputs", "direction"))
        gradient, product = jax.jvp(jax.grad(mean), (point,), (direction,))
        return {"value": np.asarray(mean(point)), "gradient": np.asarray(gradient), "product": np.asarray(product)}


def case(entry: str, settings: dict[str, float], oracle: str, targets: str, arrays: Arrays, **rest: Any) -> Golden:
    """Return a case with one of the three kinds of targets."""
    return golden(entry, settings, oracle, arrays, given={"targets": targets}, **rest)


def torch_cases() -> Iterator[Golden]:
    """The losses of torch.nn."""
    import torch.nn as nn

    def each(entry: str, settings: dict[str, float], name: str, targets: str, **theirs: Any) -> Golden:
        made = getattr(nn, name)(reduction="none", **theirs)
        shown = ", ".join(f"{key}={value}" for key, value in theirs.items())
        return case(entry, settings, f"torch.nn.{name}({shown})", targets, torch_values(made, targets))

    for targets in ("numbers", "classes"):
        yield each("mse", {}, "MSELoss", targets)
        yield each("mae", {}, "L1Loss", targets)
    for delta in (1.0, 0.3):
        yield each("huber", {"delta": delta}, "HuberLoss", "numbers", delta=delta)
    for targets in ("classes", "soft"):
        yield each("binary_cross_entropy", {}, "BCEWithLogitsLoss", targets)
        for smoothing in (0.0, 0.1):
            settings = {"label_smoothing": smoothing}
            yield each("cross_entropy", settings, "CrossEntropyLoss", targets, label_smoothing=smoothing)
    # On t z with the label -1 it is max(0, 1 - t z).
    margin = nn.HingeEmbeddingLoss(margin=1.0, reduction="none")
    arrays = torch_values(lambda z, y: margin((2 * y - 1) * z, -y.new_ones(y.shape)), "classes")
    yield case("hinge", {}, "torch.nn.HingeEmbeddingLoss(margin=1)", "classes", arrays, note="of t z, with label -1")


def optax_cases() -> Iterator[Golden]:
    """The losses of optax.losses."""
    import optax.losses as given

    def each(entry: str, settings: dict[str, float], name: str, targets: str, loss: Any = None, **rest: Any) -> Golden:
        values = optax_values(loss or getattr(given, name), targets)
        return case(entry, settings, f"optax.losses.{name}", targets, values, **rest)

    yield each("mse", {}, "squared_error", "numbers")
    for delta in (1.0, 0.3):
        settings = {"delta": delta}
        yield each("huber", settings, "huber_loss", "numbers", lambda z, y, d=delta: given.huber_loss(z, y, delta=d))
    yield each("log_cosh", {}, "log_cosh", "numbers")
    for targets in ("classes", "soft"):
        yield each("binary_cross_entropy", {}, "sigmoid_binary_cross_entropy", targets)
        yield each("cross_entropy", {}, "softmax_cross_entropy", targets)
        yield each(
            "cross_entropy", {"label_smoothing": 0.1}, "softmax_cross_entropy", targets,
            lambda z, y: given.softmax_cross_entropy(z, given.smooth_labels(y, 0.1)), note="of smooth_labels(y, 0.1)",
        )  # fmt: skip
    yield each("hinge", {}, "hinge_loss", "classes", lambda z, y: given.hinge_loss(z, 2 * y - 1), note="of t = 2 y - 1")


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    yield from torch_cases()
    yield from optax_cases()


if __name__ == "__main__":
    save("losses", make(), INPUTS)
