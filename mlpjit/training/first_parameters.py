"""The first parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from mlpjit.catalogue import registries
from mlpjit.catalogue.initialization import Draw, Initializer
from mlpjit.catalogue.initialization.mean_field import Response
from mlpjit.catalogue.registries import initializers
from mlpjit.errors import ConfigError
from mlpjit.registry import forgetting
from mlpjit.training import linking, shape
from mlpjit.training.forward import Forward
from mlpjit.training.workspace import aligned


@cache
def response(activation: str) -> Response:
    """Return z (n,) float64 -> f(z), f'(z) of an activation, by its own kernel."""
    call = linking.activation(activation, "float64", "evaluation").call

    def evaluated(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, df, d2f = (np.empty_like(z) for _ in range(3))
        call(z.size, z.ctypes.data, f.ctypes.data, df.ctypes.data, d2f.ctypes.data)
        return f, df

    return evaluated


forgetting.append(response.cache_clear)


def _lazily(activation: str) -> Response:
    """Return the response of an activation, compiled when it is first asked for."""
    return lambda z: response(activation)(z)


def initial_params(
    layers: Sequence[shape.Layer], init: dict[str, Any], seed: int, dtype: str, activations: Sequence[str],
    samples: np.ndarray | None = None, packed: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Return packed parameters: W and perhaps b from the initializer, otherwise b 0; beta 0, gamma 1, alpha as given.

    gamma of normalized weights is their length, so that the W which the products read is the initializer's.

    activations: the name for each layer. samples: (n, inputs), which a data-driven initializer looks at. packed: zeros
    that they are written to; new ones unless given. Raises ConfigError where an initializer lacks samples, or has no
    numbers for an activation.
    """
    record = initializers[init["name"]]
    settings = {name: init.get(name, default) for name, default in record.defaults.items()}
    packed = aligned(shape.parameters_of(layers), dtype) if packed is None else packed
    for index, tensors in enumerate(shape.views(layers, packed)):
        made = record.function(draw_of(layers, activations, index, seed), **settings)
        weights, tensors["b"][...] = made if isinstance(made, tuple) else (made, 0.0)
        tensors["W"][...] = weights
        if record.rescale:
            z = _outputs(record, layers[: index + 1], activations, packed, samples, settings["samples"], dtype)
            tensors["W"][...] = weights * record.rescale(z)
        if "alpha" in tensors:
            tensors["alpha"][...] = registries.activations[activations[index]].settings
        if "gamma" in tensors:
            tensors["gamma"][...] = 1.0 if "beta" in tensors else _lengths(tensors["W"])
    return packed


def _lengths(w: np.ndarray) -> np.ndarray:
    """Return the length of each column of W, by the kernel that runs use."""
    from mlpjit.kernels.compiler import jit
    from mlpjit.kernels.network.normalizations.weights import column_lengths

    found = np.empty((2, w.shape[1]), w.dtype)
    jit.load(column_lengths, str(w.dtype)).call(*w.shape, w.ctypes.data, found.ctypes.data, found[1:].ctypes.data)
    return found[0]


def draw_of(layers: Sequence[shape.Layer], activations: Sequence[str], index: int, seed: int) -> Draw:
    """Return what an initializer is told of a layer."""
    layer, last = layers[index], index == len(layers) - 1
    if index == 0:
        return Draw(seed, index, layer.fan_in, layer.fan_out, last=last)
    reads = activations[index - 1]
    return Draw(seed, index, layer.fan_in, layer.fan_out, reads, _lazily(reads), last)


def _outputs(
    record: Initializer, layers: Sequence[shape.Layer], activations: Sequence[str], packed: np.ndarray,
    samples: np.ndarray | None, count: int, dtype: str,
) -> np.ndarray:  # fmt: skip
    """Return z of the last of these layers on the first `count` samples, before any normalization of it."""
    if samples is None:
        raise ConfigError(f"initializer {record.name!r} looks at data: give x, the training samples")
    used, last = shape.parameters_of(layers), layers[-1]
    last = replace(last, gamma_at=None, beta_at=None, alpha_at=None, normalization="none", residual="none")
    names = [*activations[: len(layers) - 1], "identity"]
    work = Forward([*layers[:-1], last], names, packed[:used], samples[:count], dtype)
    work.forward()
    return work.outputs()[:, : last.fan_out].copy()
