"""Matrices of known structure for generated data, with the same bits on every CPU."""

from __future__ import annotations

import numpy as np

from mlpjit.catalogue.datasets.records import Floats


def product(rows: Floats, matrix: Floats) -> Floats:
    """Return the matrix product, summed over k in order: `@` has other bits on other CPUs."""
    total = np.zeros((len(rows), matrix.shape[1]))
    for k in range(len(matrix)):
        total += rows[:, k, np.newaxis] * matrix[k]
    return total


def geometric(first: float, last: float, count: int) -> Floats:
    """Return `count` numbers from first to last, each the same multiple of the one before."""
    from mlpjit.kernels.arithmetic.mapping import evaluate

    ends = evaluate("log", np.array([first, last], dtype=np.float64))
    made = evaluate("exp", ends[0] + (ends[1] - ends[0]) * (np.arange(count) / max(count - 1, 1)))
    made[0], made[-1] = first, last if count > 1 else first
    return made


def orthonormal_columns(seed: int, rows: int, columns: int, place: int) -> Floats:
    """Return (rows, columns) with orthonormal columns, uniform over all such matrices; rows >= columns."""
    from mlpjit.kernels.arithmetic.orthonormal import orthonormal_rows
    from mlpjit.kernels.arithmetic.random import normals

    return orthonormal_rows(normals(seed, "data", rows * columns, place=place).reshape(columns, rows)).T


def hadamard(size: int) -> Floats:
    """Return Sylvester's orthonormal matrix: entries +-1 / sqrt(size); size is a power of two."""
    made = np.ones((1, 1))
    while len(made) < size:
        made = np.block([[made, made], [made, -made]])
    return made / np.sqrt(float(size))
