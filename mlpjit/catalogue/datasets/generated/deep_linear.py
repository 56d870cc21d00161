"""A linear map with chosen singular values, whitened inputs: what deep linear networks learn mode by mode.

Over all samples X^T X / n = 1 exactly, and outputs have equal variances (the right singular vectors are Hadamard's), so
that standardizing the targets divides all singular values by one number, up to sampling.
"""

from __future__ import annotations

import math

import numpy as np

from mlpjit.catalogue.datasets.matrices import geometric, hadamard, orthonormal_columns, product
from mlpjit.catalogue.datasets.records import NO_SCALING, Floats, Raw, Shape, check_sampling, dataset, require
from mlpjit.errors import DatasetError

SAMPLES, AXES, NOISE = range(3)  # which draws: places in the random stream


def shape(samples: int, inputs: int, outputs: int, condition: float, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("deep_linear", samples, noise, data_seed)
    require("deep_linear", "inputs", inputs, 1, min(samples, 1000))
    require("deep_linear", "outputs", outputs, 1, inputs)
    require("deep_linear", "condition", condition, 1, 1e12)
    if outputs & (outputs - 1):
        raise DatasetError(f"dataset 'deep_linear': outputs = {outputs}, allowed is a power of two")
    return Shape(samples, inputs, outputs)


def teacher(inputs: int, outputs: int, condition: float, data_seed: int) -> Floats:
    """Return the map (inputs, outputs), singular values from 1 to 1 / condition."""
    left = orthonormal_columns(data_seed, inputs, outputs, AXES)
    return product(left * geometric(1.0, 1.0 / condition, outputs), hadamard(outputs))


@dataset(
    task="regression",
    scaling=NO_SCALING,
    shape=shape,
    formula="y = U diag(s) V^T x + N(0, noise^2), X^T X / n = 1, s from 1 to 1 / condition",
    citation="Saxe, McClelland & Ganguli 2014, arXiv:1312.6120",
)
def deep_linear(
    samples: int = 1000, inputs: int = 16, outputs: int = 8, condition: float = 10.0, noise: float = 0.0,
    data_seed: int = 0,
) -> Raw:  # fmt: skip
    """A linear map with chosen singular values on whitened inputs, for deep linear networks."""
    from mlpjit.kernels.arithmetic.random import normals

    x = orthonormal_columns(data_seed, samples, inputs, SAMPLES) * math.sqrt(samples)
    draws = normals(data_seed, "data", samples * outputs, place=NOISE).reshape(samples, outputs)
    return Raw(np.ascontiguousarray(x), product(x, teacher(inputs, outputs, condition, data_seed)) + noise * draws)
