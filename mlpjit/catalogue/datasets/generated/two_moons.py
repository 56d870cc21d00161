"""Two interleaving half circles: the smallest problem that no linear classifier solves."""

from __future__ import annotations

import math

import numpy as np

from mlpjit.catalogue.datasets.records import STANDARDIZE, Raw, Shape, check_sampling, dataset, even_counts


def shape(samples: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("two_moons", samples, noise, data_seed)
    return Shape(samples, 2, 2, even_counts(samples, 2))


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    shape=shape,
    formula="(cos t, sin t) and (1 - cos t, 1/2 - sin t), t in [0, pi], plus N(0, noise^2)",
    citation="scikit-learn make_moons, Pedregosa et al. 2011, JMLR 12, 2825-2830",
)
def two_moons(samples: int = 1000, noise: float = 0.2, data_seed: int = 0) -> Raw:
    """Two interleaving half circles with Gaussian noise, 2 inputs, 2 classes."""
    from mlpjit.kernels.arithmetic.mapping import evaluate
    from mlpjit.kernels.arithmetic.random import normals

    upper, lower = even_counts(samples, 2)
    t = math.pi * np.concatenate([np.arange(n) / max(n - 1, 1) for n in (upper, lower)])
    labels = np.repeat(np.array([0, 1]), (upper, lower))
    cosine, sine = evaluate("cos", t), evaluate("sin", t)
    across = np.where(labels == 0, cosine, 1.0 - cosine)
    up = np.where(labels == 0, sine, 0.5 - sine)
    draws = normals(data_seed, "data", 2 * samples).reshape(samples, 2)
    return Raw(np.stack([across, up], axis=1) + noise * draws, labels, ("upper", "lower"))
