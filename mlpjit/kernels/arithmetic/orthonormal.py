"""Linear algebra with the same bits on every CPU."""

from __future__ import annotations

import numpy as np

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.language import Float64s, Int, dot, fma, kernel, load, offset, sqrt, store


@kernel
def orthonormalize_rows(rows: Int, columns: Int, matrix: Float64s) -> None:
    """Gram-Schmidt on the rows in place, each projected twice ("twice is enough", Giraud et al. 2005)."""
    for i in range(rows):
        row = offset(matrix, i * columns)
        for _ in range(2):
            for k in range(i):
                other = offset(matrix, k * columns)
                overlap = dot(other, row, columns)
                for j in range(columns):
                    store(row, j, fma(-overlap, load(other, j), load(row, j)))
        scale = 1.0 / sqrt(dot(row, row, columns))
        for j in range(columns):
            store(row, j, load(row, j) * scale)


def orthonormal_rows(matrix: np.ndarray) -> np.ndarray:
    """Return rows spanning the same space, orthonormal; (rows, columns) float64 with rows <= columns.

    The rows keep their direction (QR with a positive diagonal), so normal rows give the uniform distribution.
    """
    made = np.array(matrix, np.float64, order="C")
    rows, columns = made.shape
    if rows > columns:
        raise ValueError(f"{rows} rows cannot be orthonormal in {columns} dimensions")
    jit.load(orthonormalize_rows, "float64").call(rows, columns, made.ctypes.data)
    return made
