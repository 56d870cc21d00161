"""The first parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlpjit import network
from mlpjit.initialization import Draw
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
