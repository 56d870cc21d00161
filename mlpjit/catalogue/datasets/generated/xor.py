"""Exclusive or: four clouds, opposite ones of a class. What a single layer cannot learn."""

from __future__ import annotations

import numpy as np

from mlpjit.catalogue.datasets.records import NO_SCALING, Raw, Shape, check_sampling, dataset, even_counts

# Of each cloud: its centre; the first two are class 0, the signs' product 1.
CENTRES = ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0))


def shape(samples: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("xor", samples, noise, data_seed)
    first, second, third, fourth = even_counts(samples, 4)
    return Shape(samples, 2, 2, (first + second, third + fourth))


@dataset(
    task="classification",
    scaling=NO_SCALING,
    shape=shape,
    formula="(+-1, +-1) plus N(0, noise^2); class 1 where the signs differ",
    citation="Minsky & Papert 1969, Perceptrons; Rumelhart, Hinton & Williams 1986, Nature 323, 533-536",
)
def xor(samples: int = 1000, noise: float = 0.3, data_seed: int = 0) -> Raw:
    """Four Gaussian clouds on the corners of a square, opposite corners alike, 2 inputs, 2 classes."""
    from mlpjit.kernels.arithmetic.random import normals

    clouds = np.repeat(np.arange(4), even_counts(samples, 4))
    draws = normals(data_seed, "data", 2 * samples).reshape(samples, 2)
    return Raw(np.array(CENTRES)[clouds] + noise * draws, (clouds >= 2).astype(np.int64), ("same", "different"))
