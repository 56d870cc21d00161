"""Addition modulo p, every pair once: networks memorize it first and generalize much later ("grokking")."""

from __future__ import annotations

import numpy as np

from mlpjit.catalogue.datasets.records import NO_SCALING, Raw, Shape, dataset, require


def shape(modulus: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    require("modular_addition", "modulus", modulus, 5, 128)
    return Shape(modulus * modulus, 2 * modulus, modulus, (modulus,) * modulus)


@dataset(
    task="classification",
    scaling=NO_SCALING,
    shape=shape,
    formula="one-hot (a, b) -> (a + b) mod modulus, all pairs",
    citation="Power et al. 2022, arXiv:2201.02177",
)
def modular_addition(modulus: int = 97) -> Raw:
    """The sum of two numbers modulo a third, all pairs, as one-hot inputs."""
    first, second = (grid.ravel() for grid in np.mgrid[:modulus, :modulus])
    eye = np.eye(modulus)
    x = np.concatenate([eye[first], eye[second]], axis=1)
    return Raw(x, (first + second) % modulus, tuple(map(str, range(modulus))))
