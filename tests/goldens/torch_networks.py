"""Multi-layer perceptrons in torch: outputs, loss, gradient and Hessian-vector product, packed as ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from goldens.records import Arrays

ROWS = 9
SHAPES = ([5, 7, 3], [6, 17, 17, 17, 1, 4])
MOST = 1000


def inputs() -> Arrays:
    """Return samples, targets, parameters and a direction: a network takes the first of them."""
    rng = np.random.default_rng(2029)
    return {
        "x": rng.normal(size=(ROWS, 8)), "y": rng.normal(size=(ROWS, 8)), "theta": 0.6 * rng.normal(size=MOST),
        "direction": rng.normal(size=MOST),
    }  # fmt: skip


INPUTS = inputs()


@dataclass
class Reader:
    """Takes tensors from a packed array, one after the other."""

    packed: Any
    at: int = 0

    def take(self, *shape: int) -> Any:
        """Return the next tensor."""
        size = int(np.prod(shape))
        self.at += size
        return self.packed[self.at - size : self.at].reshape(shape)


# (W (fan_in, fan_out), b, rest of the packed array, inputs) -> z, normalized.
Layer = Callable[[Any, Any, Reader, Any], Any]


def plain(w: Any, b: Any, rest: Reader, a: Any) -> Any:
    """torch.nn.Linear."""
    import torch

    return torch.nn.functional.linear(a, w.T, b)


# (z, a below, rest of the packed array, layer) -> a.
After = Callable[[Any, Any, Reader, int], Any]


def loss_of(theta: Any, sizes: list[int], hidden: Layer, after: After | None) -> tuple[Any, Any, int]:
    """Return outputs, mean loss, and how many parameters were taken."""
    import torch

    x, y = (torch.tensor(INPUTS[name][:, :size]) for name, size in (("x", sizes[0]), ("y", sizes[-1])))
    reader, a = Reader(theta), x
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes[:-1])):
        z = hidden(reader.take(fan_in, fan_out), reader.take(fan_out), reader, a)
        a = torch.tanh(z) if after is None else after(z, a, reader, layer)
    a = plain(reader.take(sizes[-2], sizes[-1]), reader.take(sizes[-1]), reader, a)
    return a, ((a - y) ** 2).sum() / ROWS, reader.at


def values(sizes: list[int], hidden: Layer, after: After | None = None, twice: Layer | None = None) -> Arrays:
    """Return what torch makes of a network with these hidden layers, tanh unless `after` is given.

    twice: the same layers for the product, where torch cannot differentiate the former twice.
    """
    import torch

    theta = torch.tensor(INPUTS["theta"], requires_grad=True)
    predicted, loss, count = loss_of(theta, sizes, hidden, after)
    (gradient,) = torch.autograd.grad(loss, theta)
    bent = loss_of(theta, sizes, twice or hidden, after)[1]
    (slope,) = torch.autograd.grad(bent, theta, create_graph=True)
    moved = torch.tensor(INPUTS["direction"])
    moved[count:] = 0.0
    (product,) = torch.autograd.grad((slope * moved).sum(), theta)
    return {
        "outputs": predicted.detach().numpy(), "loss": np.array(loss.item()),
        "gradient": gradient.detach().numpy()[:count], "product": product.numpy()[:count],
    }  # fmt: skip
