"""The first parameters of a network, and the state of an optimizer before its first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlpjit import network
from mlpjit.initialization import Draw
from mlpjit.kernels.rules import Stage
from mlpjit.registries import initializers
from mlpjit.workspace import aligned


def initial_params(layers: Sequence[network.Layer], init: dict[str, Any], seed: int, dtype: str) -> np.ndarray:
    """Return packed parameters: W from the initializer, b and beta 0, gamma 1."""
    record = initializers[init["name"]]
    settings = {name: init.get(name, default) for name, default in record.defaults.items()}
    packed = aligned(network.parameters_of(layers), dtype)
    for index, (layer, tensors) in enumerate(zip(layers, network.views(layers, packed), strict=True)):
        tensors["W"][...] = record.function(Draw(seed, index, layer.fan_in, layer.fan_out), **settings)
        if "gamma" in tensors:
            tensors["gamma"][...] = 1.0
    return packed


def initial_state(record: Stage, hyperparameters: Mapping[str, Any], params: np.ndarray) -> np.ndarray:
    """Return the state arrays one behind the other, each as long as the parameters and of their dtype."""
    count = len(params)
    packed = aligned(len(record.state) * count, str(params.dtype))
    for place, name in enumerate(record.state):
        given = record.initial.get(name, 0.0)
        number = float(hyperparameters[given]) if given in record.defaults else given
        packed[place * count : (place + 1) * count] = params if given == "params" else number
    return packed
