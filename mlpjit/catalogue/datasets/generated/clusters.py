"""Gaussian clusters: one cloud for each class, as far apart as one likes."""

from __future__ import annotations

import numpy as np

from mlpjit.catalogue.datasets.records import STANDARDIZE, Raw, Shape, check_sampling, dataset, even_counts, require

CENTRES, NOISE = range(2)  # which draws: places in the random stream


def shape(samples: int, inputs: int, classes: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("clusters", samples, noise, data_seed)
    require("clusters", "inputs", inputs, 1, 10_000)
    require("clusters", "classes", classes, 2, 1000)
    return Shape(samples, inputs, classes, even_counts(samples, classes))


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    shape=shape,
    formula="c + N(0, noise^2), a centre c ~ N(0, 1) for each class",
    citation="scikit-learn make_blobs, Pedregosa et al. 2011, JMLR 12, 2825-2830",
)
def clusters(
    samples: int = 2000, inputs: int = 10, classes: int = 5, noise: float = 1.0, data_seed: int = 0
) -> Raw:  # fmt: skip
    """Gaussian clouds around random centres, one for each class."""
    from mlpjit.kernels.arithmetic.random import normals

    labels = np.repeat(np.arange(classes), even_counts(samples, classes))
    centres = normals(data_seed, "data", classes * inputs, place=CENTRES).reshape(classes, inputs)
    draws = normals(data_seed, "data", samples * inputs, place=NOISE).reshape(samples, inputs)
    return Raw(centres[labels] + noise * draws, labels, tuple(map(str, range(classes))))
