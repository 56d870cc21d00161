"""Linear regression whose Hessian has the condition number that one asks for.

Over all samples (X^T X) / n = Q diag(lambda) Q^T exactly, lambda from 1 down to 1 / condition; the training part, 70 %
of them, is near. Without hidden layers the loss is quadratic, and the best one is known as for teacher_student.
"""

from __future__ import annotations

import math

import numpy as np

from mlpjit.catalogue.datasets.matrices import geometric, orthonormal_columns, product
from mlpjit.catalogue.datasets.records import NO_SCALING, Floats, Raw, Shape, check_sampling, dataset, require

SAMPLES, AXES, WEIGHTS, NOISE = range(4)  # which draws: places in the random stream


def shape(samples: int, inputs: int, condition: float, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("linear_regression", samples, noise, data_seed)
    require("linear_regression", "inputs", inputs, 1, min(samples, 1000))
    require("linear_regression", "condition", condition, 1, 1e12)
    return Shape(samples, inputs, 1)


def design(samples: int, inputs: int, condition: float, data_seed: int) -> Floats:
    """Return X (samples, inputs)."""
    scores = orthonormal_columns(data_seed, samples, inputs, SAMPLES) * math.sqrt(samples)
    deviations = np.sqrt(geometric(1.0, 1.0 / condition, inputs))
    return product(scores * deviations, orthonormal_columns(data_seed, inputs, inputs, AXES).T)


@dataset(
    task="regression",
    scaling=NO_SCALING,
    shape=shape,
    formula="y = X w + N(0, noise^2), X^T X / n with eigenvalues from 1 to 1 / condition",
    citation="Nesterov 2004, Introductory Lectures on Convex Optimization, section 2.1",
)
def linear_regression(
    samples: int = 1000, inputs: int = 20, condition: float = 100.0, noise: float = 0.1, data_seed: int = 0
) -> Raw:  # fmt: skip
    """Linear regression with a chosen condition number; the best loss is known."""
    from mlpjit.kernels.arithmetic.random import normals

    x = design(samples, inputs, condition, data_seed)
    weights = normals(data_seed, "data", inputs, place=WEIGHTS).reshape(inputs, 1)
    return Raw(x, product(x, weights) + noise * normals(data_seed, "data", samples, place=NOISE).reshape(samples, 1))
