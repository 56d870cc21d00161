"""Golden initial parameters from torch, jax and the authors' own code of LSUV and muP (packages lsuv and mup).

Run in an environment that has them: `PYTHONPATH=tests:. python -m goldens.make_initializers`. Random generators are
replaced: every code is given the same standard numbers, which are stored, and what it makes of them is its rule.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
from goldens.ours import STREAM_ROWS
from goldens.records import Arrays, Golden, golden, save

LONGEST, LAYERS = 80, 3
PAIRS = ([7, 5], [5, 8])
DEEP = [6, 8, 7, 3]


def inputs() -> Arrays:
    """Return standard numbers, a row for each stream and layer, and samples x; the same ones on every call."""
    rng = np.random.default_rng(2026)
    rows = len(STREAM_ROWS) * LAYERS
    return {
        "normals": rng.normal(size=(rows, LONGEST)),
        "uniforms": 1.0 - rng.random((rows, LONGEST)),
        "x": rng.normal(size=(20, DEEP[0])) + 0.3,
    }


INPUTS = inputs()


class Drawn:
    """The numbers that weights and biases are given, in the order in which a code asks for them."""

    def __init__(self, sizes: list[int], orders: tuple[str, ...] = ("init", "bias"), turned: bool = True) -> None:
        layers = list(enumerate(pairwise(sizes)))
        self.queue = [(layer, stream, shape) for layer, shape in layers for stream in orders]
        self.turned = turned

    def next(self, kind: str, count: int) -> np.ndarray:
        """Return the numbers of the next tensor that has `count` entries, W as (fan_out, fan_in)."""
        while True:
            layer, stream, shape = self.queue.pop(0)
            size = shape[0] * shape[1] if stream == "init" else shape[1]
            if size == count:
                break
        drawn = INPUTS[kind][STREAM_ROWS[stream] * LAYERS + layer][:size]
        if stream == "bias":
            return drawn
        return drawn.reshape(shape).T if self.turned else drawn.reshape(shape)


@contextmanager
def torch_given(drawn: Drawn) -> Iterator[None]:
    """Let torch fill tensors with the given numbers, scaled as it would scale its own."""
    import torch

    def normal(tensor: Any, mean: float = 0, std: float = 1, **_: Any) -> Any:
        return tensor.copy_(torch.tensor(mean + std * drawn.next("normals", tensor.numel())))

    def uniform(tensor: Any, low: float = 0, high: float = 1, **_: Any) -> Any:
        return tensor.copy_(torch.tensor(low + (high - low) * drawn.next("uniforms", tensor.numel())))

    with patch.object(torch.Tensor, "normal_", normal), patch.object(torch.Tensor, "uniform_", uniform):
        yield


def case(entry: str, settings: dict[str, Any], oracle: str, arrays: Arrays, sizes: list[int], **rest: Any) -> Golden:
    """Return a case: arrays W0, b0, ... in our orientation."""
    given = {"sizes": sizes, "activation": rest.pop("activation", "relu")}
    return golden(entry, settings, oracle, arrays, given=given, **rest)


def torch_case(entry: str, settings: dict[str, Any], name: str, **theirs: Any) -> Iterator[Golden]:
    """Yield a case for each shape of a function of torch.nn.init over one matrix."""
    import torch

    for sizes in PAIRS:
        weight = torch.empty(sizes[1], sizes[0], dtype=torch.float64)
        with torch_given(Drawn(sizes)):
            getattr(torch.nn.init, name)(weight, **theirs)
        shown = ", ".join(f"{key}={value}" for key, value in theirs.items())
        yield case(entry, settings, f"torch.nn.init.{name}({shown})", {"W0": weight.numpy().T}, sizes)


def torch_cases() -> Iterator[Golden]:
    """All that torch has."""
    yield from torch_case("zeros", {}, "zeros_")
    yield from torch_case("constant", {"value": 0.3}, "constant_", val=0.3)
    yield from torch_case("normal", {"std": 0.02}, "normal_", std=0.02)
    yield from torch_case("uniform", {"limit": 0.07}, "uniform_", a=-0.07, b=0.07)
    yield from torch_case("identity", {}, "eye_")
    for gain in (1.0, 1.5):
        yield from torch_case("orthogonal", {"gain": gain}, "orthogonal_", gain=gain)
        yield from torch_case("xavier_normal", {"gain": gain}, "xavier_normal_", gain=gain)
        yield from torch_case("xavier_uniform", {"gain": gain}, "xavier_uniform_", gain=gain)
    for law in ("normal", "uniform"):
        for mode in ("fan_in", "fan_out"):
            yield from torch_case(f"he_{law}", {"mode": mode}, f"kaiming_{law}_", mode=mode, nonlinearity="relu")
        yield from torch_gains(law)
    yield from torch_sparse()
    yield from torch_linear()


def torch_gains(law: str) -> Iterator[Golden]:
    """Gains by activation: the second layer's, which reads it."""
    import torch

    sizes = [4, 7, 5]
    for activation in ("tanh", "sigmoid", "leaky_relu"):
        drawn, weight = Drawn(sizes), torch.empty(5, 7, dtype=torch.float64)
        with torch_given(drawn):
            getattr(torch.nn.init, f"kaiming_{law}_")(weight, a=0.01, nonlinearity=activation)
        oracle = f"torch.nn.init.kaiming_{law}_(nonlinearity={activation})"
        arrays = {"W1": weight.numpy().T}
        yield case(f"he_{law}", {"gain": "torch"}, oracle, arrays, sizes, activation=activation)


def torch_sparse() -> Iterator[Golden]:
    """A third of each unit's inputs; columns are units, as ours stores W."""
    import torch

    fan_in, fan_out, kept = sizes_and_kept = (8, 9, 3)
    keys = INPUTS["uniforms"][STREAM_ROWS["mask"] * LAYERS][: fan_in * fan_out].reshape(fan_in, fan_out)
    orders = [torch.tensor(np.argsort(-column)) for column in keys.T]
    weight = torch.empty(fan_in, fan_out, dtype=torch.float64)
    drawn = Drawn(list(sizes_and_kept[:2]), turned=False)
    with torch_given(drawn), patch.object(torch, "randperm", lambda rows: orders.pop(0)):
        torch.nn.init.sparse_(weight, sparsity=(fan_in - kept) / fan_in, std=0.5)
    settings, oracle = {"connections": kept, "std": 0.5}, "torch.nn.init.sparse_(sparsity=5/8, std=0.5)"
    yield case("sparse", settings, oracle, {"W0": weight.numpy()}, [fan_in, fan_out])


def torch_linear() -> Iterator[Golden]:
    """What torch.nn.Linear begins with, biases included."""
    import torch

    with torch_given(Drawn(DEEP)):
        layers = [torch.nn.Linear(*pair, dtype=torch.float64) for pair in pairwise(DEEP)]
    yield case("torch_default", {}, "torch.nn.Linear()", parameters(layers), DEEP)


def parameters(layers: Any) -> Arrays:
    """Return W0, b0, W1, ... of torch's linear layers, W as (fan_in, fan_out)."""
    arrays: Arrays = {}
    for index, layer in enumerate(layers):
        arrays |= {f"W{index}": layer.weight.detach().numpy().T, f"b{index}": layer.bias.detach().numpy()}
    return arrays


def jax_cases() -> Iterator[Golden]:
    """jax.nn.initializers.variance_scaling, of which Glorot's, He's and LeCun's are cases."""
    import jax

    for sizes in PAIRS:
        for law in ("normal", "uniform"):
            for entry, settings, scale, mode in (
                ("xavier", {}, 1.0, "fan_avg"),
                ("he", {}, 2.0, "fan_in"),
                ("he", {"mode": "average"}, 2.0, "fan_avg"),
                ("lecun", {}, 1.0, "fan_in"),
            ):
                with jax.enable_x64(True), jax_given(sizes):
                    rule = jax.nn.initializers.variance_scaling(scale, mode, law, dtype=jax.numpy.float64)
                    arrays = {"W0": np.asarray(rule(jax.random.key(0), sizes))}
                oracle = f"jax.nn.initializers.variance_scaling({scale}, {mode}, {law})"
                yield case(f"{entry}_{law}", settings, oracle, arrays, sizes)


@contextmanager
def jax_given(sizes: list[int]) -> Iterator[None]:
    """Let jax draw the given numbers."""
    from jax._src import random

    def numbers(kind: str) -> Callable[..., np.ndarray]:
        return lambda *_, **__: Drawn(sizes, turned=False).next(kind, sizes[0] * sizes[1])

    uniform = numbers("uniforms")
    with patch.object(random, "normal", numbers("normals")), \
            patch.object(random, "uniform", lambda *_, **__: 2.0 * uniform() - 1.0):  # fmt: skip
        yield


def lsuv_cases() -> Iterator[Golden]:
    """The authors' LSUV on three layers; it takes the unbiased deviation, and adds 1e-8 to it."""
    import lsuv
    import torch

    biased = torch.Tensor.std
    for name, activation in (("tanh", torch.nn.Tanh), ("relu", torch.nn.ReLU)):
        linear = [torch.nn.Linear(*pair, dtype=torch.float64) for pair in pairwise(DEEP)]
        model = torch.nn.Sequential(linear[0], activation(), linear[1], activation(), linear[2])
        with torch_given(Drawn(DEEP)), patch.object(torch.Tensor, "std", lambda t: biased(t, correction=0)):
            made = lsuv.lsuv_with_singlebatch(model, torch.tensor(INPUTS["x"]), std_tol=1e-6, verbose=False)
        note = "it adds 1e-8 to the deviation, here biased as in the paper"
        arrays = parameters(made[index] for index in (0, 2, 4))
        yield case("lsuv", {}, "lsuv.lsuv_with_singlebatch()", arrays, DEEP, activation=name, note=note, tolerance=1e-7)


def mup_cases() -> Iterator[Golden]:
    """The authors' muP: its output layer divides by the width, which ours has in the weights."""
    mup = importlib.import_module("mup")
    import torch

    def network(width: int) -> Any:
        return torch.nn.Sequential(
            torch.nn.Linear(6, width, dtype=torch.float64), torch.nn.Linear(width, width, dtype=torch.float64),
            mup.MuReadout(width, 3, dtype=torch.float64),
        )  # fmt: skip

    sizes, model = [6, 8, 8, 3], network(8)
    mup.set_base_shapes(model, network(2), delta=network(4))
    with torch_given(Drawn(sizes, ("init",))):
        for layer in model:
            mup.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            torch.nn.init.zeros_(layer.bias)
    arrays = parameters(model)
    arrays["W2"] = model[2](torch.eye(8, dtype=torch.float64)).detach().numpy()
    note = "the output layer with its factor 1 / width"
    yield case("mup", {"base_width": 2}, "mup.init.kaiming_normal_()", arrays, sizes, note=note)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    warnings.simplefilter("ignore", DeprecationWarning)
    yield from torch_cases()
    yield from jax_cases()
    yield from lsuv_cases()
    yield from mup_cases()


if __name__ == "__main__":
    save("initializers", make(), INPUTS)
