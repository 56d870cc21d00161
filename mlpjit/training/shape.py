"""The shape of a network: the packed parameter buffer and its views, and what a run of it costs. No Numba."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from mlpjit.catalogue.registries import activations, normalizations

if TYPE_CHECKING:
    import numpy as np

    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.values import RunValues

    Described = RunConfig | RunValues

VECTOR = {"float32": 16, "float64": 8}
ITEM_BYTES = {"float32": 4, "float64": 8}
EVALUATION_ROWS = 64


@dataclass(frozen=True)
class Layer:
    """One weight layer, what acts in it, and where its tensors begin in the packed buffer; None: it has none."""

    fan_in: int
    fan_out: int
    weight_at: int
    bias_at: int
    gamma_at: int | None = None
    beta_at: int | None = None
    alpha_at: int | None = None
    normalization: str = "none"
    residual: str = "none"

    def tensors(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Return name -> (offset, shape), in the order of the buffer."""
        return self._tensors

    @cached_property
    def _tensors(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        vector = (self.fan_out,)
        found: dict[str, tuple[int, tuple[int, ...]]] = {
            "W": (self.weight_at, (self.fan_in, self.fan_out)), "b": (self.bias_at, vector)
        }  # fmt: skip
        optional = {"gamma": self.gamma_at, "beta": self.beta_at, "alpha": self.alpha_at}
        return found | {name: (at, vector) for name, at in optional.items() if at is not None}


def is_learned(activation: str) -> bool:
    """Say whether an activation has a parameter that is learned, one for each unit."""
    return activation != "softmax" and activations[activation].by_parameter is not None


def layers_of(
    sizes: Sequence[int], normalization: str = "none", names: Sequence[str] = (), residual: str = "none"
) -> tuple[Layer, ...]:
    """Return the layers of a network with these sizes (inputs, hidden..., outputs).

    normalization: of the hidden layers. names: the activation of each layer, where some are learned. residual: of
    hidden layers as wide as the hidden layer below.
    """
    layers: list[Layer] = []
    at, last = 0, len(sizes) - 2
    for place, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        own = normalization if place < last else "none"
        skip = residual if 0 < place < last and fan_in == fan_out else "none"
        learned = ("alpha",) if place < len(names) and is_learned(names[place]) else ()
        bias = at + fan_in * fan_out
        vectors = ("b", *normalizations[own].tensors, *learned)
        places = {f"{name}_at": bias + number * fan_out for number, name in enumerate(vectors) if number}
        layers.append(Layer(fan_in, fan_out, at, bias, **places, normalization=own, residual=skip))
        at = bias + len(vectors) * fan_out
    return tuple(layers)


def parameters_of(layers: Sequence[Layer]) -> int:
    """Return the length of the packed buffer."""
    return sum(math.prod(shape) for layer in layers for _, shape in layer.tensors().values())


def views(layers: Sequence[Layer], packed: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Return a dict of named views for each layer: W (fan_in, fan_out), b, and what else it has."""

    def view(at: int, shape: tuple[int, ...]) -> np.ndarray:
        size = shape[0] * (shape[1] if len(shape) == 2 else 1)
        return packed[at : at + size].reshape(shape)

    return [{name: view(at, shape) for name, (at, shape) in layer.tensors().items()} for layer in layers]


def padded(width: int, dtype: str) -> int:
    """Return the row stride of a matrix of the workspace: whole vectors, and no stride that one cache set serves.

    Rows 512 bytes apart (128 float32) fall on few sets of a 32 KiB cache and evict each other.
    """
    lanes = VECTOR[dtype]
    whole = -(-width // lanes) * lanes
    return whole + lanes if whole * ITEM_BYTES[dtype] % 512 == 0 else whole


def sizes(config: Described) -> list[int]:
    """Return inputs, hidden widths and outputs."""
    info = config.data
    return [info.inputs, *config.hidden, info.outputs]


def config_layers(config: Described) -> tuple[Layer, ...]:
    """Return the layers of a run's network."""
    return layers_of(sizes(config), config.normalization, layer_activations(config), config.residual)


def layer_activations(config: Described) -> list[str]:
    """Return the activation of each weight layer, the output's last."""
    hidden = config.activation
    names = [hidden] * len(config.hidden) if isinstance(hidden, str) else list(hidden)
    return [*names, config.output_activation]


def parameter_count(config: Described) -> int:
    """Return the number of trainable parameters."""
    return parameters_of(config_layers(config))


def batch_rows(config: Described) -> int:
    """Return the batch size, at most the training set."""
    rows: int = config.data.train_samples
    return rows if config.batch_size == "full" else min(int(config.batch_size), rows)


def steps_per_epoch(config: Described) -> int:
    """Return the steps of an epoch; a remainder of one sample joins the batch before it where statistics need more."""
    rows, batch = config.data.train_samples, batch_rows(config)
    alone = rows % batch == 1 and batch > 1 and normalizations[config.normalization].running
    return max(1, -(-rows // batch) - (1 if alone else 0))


def total_steps(config: Described) -> int:
    """Return the training steps of the whole run."""
    return steps_per_epoch(config) * config.epochs


def evaluations(config: Described) -> int:
    """Return the rows of the history: epoch 0, every `evaluate_every` epochs, and the last epoch in any case."""
    return 1 + -(-config.epochs // config.evaluate_every)
