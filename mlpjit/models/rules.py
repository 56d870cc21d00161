"""Activations and normalizations in plain NumPy, as exported scripts hold them: their sources are written out.

They agree with the kernels to the rounding of the dtype; tests hold every one of the catalogue to that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

Array = np.ndarray
Arrays = Mapping[str, np.ndarray]


def identity(z: Array) -> Array:  # noqa: D103
    return z


def softmax(z: Array) -> Array:  # noqa: D103
    grown = np.exp(z - z.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def relu(z: Array) -> Array:  # noqa: D103
    return np.maximum(z, 0)


def leaky_relu(z: Array, slope: Array) -> Array:  # noqa: D103
    return np.where(z > 0, z, slope * z)


def prelu(z: Array, alpha: Array) -> Array:  # noqa: D103
    return np.where(z > 0, z, alpha * z)


def relu6(z: Array) -> Array:  # noqa: D103
    return np.clip(z, 0, 6)


def relu_squared(z: Array) -> Array:  # noqa: D103
    return np.maximum(z, 0) ** 2


def elu(z: Array, alpha: Array) -> Array:  # noqa: D103
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def celu(z: Array, alpha: Array) -> Array:  # noqa: D103
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0) / alpha))


def selu(z: Array) -> Array:  # noqa: D103
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))


def sigmoid(z: Array) -> Array:  # noqa: D103
    return 0.5 * (1 + np.tanh(0.5 * z))


def tanh(z: Array) -> Array:  # noqa: D103
    return np.tanh(z)


def lecun_tanh(z: Array) -> Array:  # noqa: D103
    return 1.7159 * np.tanh(2 / 3 * z)


def erf(z: Array) -> Array:  # noqa: D103
    return np.vectorize(math.erf, otypes=[z.dtype])(z)


def softsign(z: Array) -> Array:  # noqa: D103
    return z / (1 + np.abs(z))


def hard_tanh(z: Array) -> Array:  # noqa: D103
    return np.clip(z, -1, 1)


def hard_sigmoid(z: Array) -> Array:  # noqa: D103
    return np.clip(z + 3, 0, 6) / 6


def gelu(z: Array) -> Array:  # noqa: D103
    return z * np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), otypes=[z.dtype])(z)


def gelu_tanh(z: Array) -> Array:  # noqa: D103
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def silu(z: Array) -> Array:  # noqa: D103
    return z * 0.5 * (1 + np.tanh(0.5 * z))


def mish(z: Array) -> Array:  # noqa: D103
    return z * np.tanh(np.logaddexp(0, z))


def hard_swish(z: Array) -> Array:  # noqa: D103
    return z * np.clip(z + 3, 0, 6) / 6


def softplus(z: Array) -> Array:  # noqa: D103
    return np.logaddexp(0, z)


def sine(z: Array, frequency: Array) -> Array:  # noqa: D103
    return np.sin(frequency * z)


def snake(z: Array, frequency: Array) -> Array:  # noqa: D103
    return z + np.sin(frequency * z) ** 2 / frequency


def none(z: Array, model: Arrays, i: int) -> Array:  # noqa: D103
    return z


def batch(z: Array, model: Arrays, i: int) -> Array:  # noqa: D103
    z = (z - model[f"mean{i}"]) / np.sqrt(model[f"variance{i}"] + 1e-5)
    return model[f"gamma{i}"] * z + model[f"beta{i}"]


def layer(z: Array, model: Arrays, i: int) -> Array:  # noqa: D103
    z = (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
    return model[f"gamma{i}"] * z + model[f"beta{i}"]


def rms(z: Array, model: Arrays, i: int) -> Array:  # noqa: D103
    z = z / np.sqrt((z * z).mean(axis=1, keepdims=True) + 1e-5)
    return model[f"gamma{i}"] * z + model[f"beta{i}"]


ACTIVATIONS: dict[str, Callable[..., Array]] = {
    each.__name__: each
    for each in (
        identity, softmax, relu, leaky_relu, prelu, relu6, relu_squared, elu, celu, selu, sigmoid, tanh, lecun_tanh,
        erf, softsign, hard_tanh, hard_sigmoid, gelu, gelu_tanh, silu, mish, hard_swish, softplus, sine, snake,
    )
}  # fmt: skip
# Weight normalization is in the weights that are exported.
NORMALIZATIONS: dict[str, Callable[[Array, Arrays, int], Array]] = {
    each.__name__: each for each in (none, batch, layer, rms)
}
