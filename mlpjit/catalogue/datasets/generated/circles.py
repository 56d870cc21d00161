"""Two circles with one centre: no line separates them, one hidden layer does."""

from __future__ import annotations

import math

import numpy as np

from mlpjit.catalogue.datasets.records import STANDARDIZE, Raw, Shape, check_sampling, dataset, even_counts, require


def shape(samples: int, factor: float, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("circles", samples, noise, data_seed)
    require("circles", "factor", factor, 0, 1)
    return Shape(samples, 2, 2, even_counts(samples, 2))


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    shape=shape,
    formula="r (cos a, sin a), r = 1 or factor, plus N(0, noise^2)",
    citation="scikit-learn make_circles, Pedregosa et al. 2011, JMLR 12, 2825-2830",
)
def circles(samples: int = 1000, factor: float = 0.5, noise: float = 0.1, data_seed: int = 0) -> Raw:
    """An outer and an inner circle with Gaussian noise, 2 inputs, 2 classes."""
    from mlpjit.kernels.arithmetic.mapping import evaluate
    from mlpjit.kernels.arithmetic.random import normals

    counts = even_counts(samples, 2)
    labels = np.repeat(np.array([0, 1]), counts)
    angle = 2.0 * math.pi * np.concatenate([np.arange(n) / n for n in counts])
    radius = np.where(labels == 0, 1.0, factor)
    points = np.stack([radius * evaluate("cos", angle), radius * evaluate("sin", angle)], axis=1)
    draws = normals(data_seed, "data", 2 * samples).reshape(samples, 2)
    return Raw(points + noise * draws, labels, ("outer", "inner"))
