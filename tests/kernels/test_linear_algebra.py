"""Products, Newton-Schulz and factorizations against NumPy in float64: odd sizes, zeros, tiny, huge, NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpjit.kernels import jit
from mlpjit.kernels.linear_algebra_products import FIFTH, FIRST, THIRD, newton_schulz, product, squares, wide
from mlpjit.workspace import aligned

DTYPES = ["float32", "float64"]
ROUNDING = {"float32": 1e-5, "float64": 1e-13}
SIZES = [(1, 1), (2, 1), (3, 3), (7, 5), (16, 16), (17, 16), (33, 18)]


def call(kernel: Any, dtype: str, *arguments: Any) -> Any:
    passed = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    return jit.load(kernel, dtype).call(*passed)


def spread(matrix: np.ndarray, dtype: str, rows: int = 0) -> np.ndarray:
    """Return the matrix in rows of `wide` numbers, NaN beyond its edge, at least `rows` of them."""
    stride = wide(matrix.shape[1])
    made = aligned(max(rows, len(matrix)) * stride, dtype).reshape(-1, stride)
    made[:] = np.nan
    made[: len(matrix), : matrix.shape[1]] = matrix
    return made


def drawn(rows: int, columns: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(rows * 100 + columns).normal(size=(rows, columns)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_products_read_either_way(size, dtype):
    a, b = drawn(*size, dtype), drawn(*size, dtype) + 1.0
    (rows, columns), stride, out = size, wide(size[1]), spread(np.zeros((size[1], size[1])), dtype)
    call(product, dtype, columns, rows, columns, spread(a, dtype), 1, stride, spread(b, dtype), stride, out, stride)
    exact = a.astype(float).T @ b.astype(float)
    np.testing.assert_allclose(out[:, :columns], exact, rtol=ROUNDING[dtype], atol=20 * ROUNDING[dtype])
    total = call(squares, dtype, rows, columns, spread(a, dtype), stride)
    assert total == pytest.approx(np.sum(a.astype(float) ** 2), rel=1e-14)


def iterated(x: np.ndarray, steps: int) -> np.ndarray:
    """What the iteration does to the singular values, in NumPy."""
    u, s, vt = np.linalg.svd(x.astype(float), full_matrices=False)
    for _ in range(steps):
        s = FIRST * s + THIRD * s**3 + FIFTH * s**5
    return (u * s) @ vt


def orthogonalized(x: np.ndarray, steps: int, dtype: str) -> np.ndarray:
    (rows, columns), padded = x.shape, spread(x, dtype)
    room = np.full(wide(columns) * (rows + 2 * columns), np.nan, dtype)
    call(newton_schulz, dtype, rows, columns, steps, padded, room)
    return padded[:, :columns]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", [1, 5])
def test_newton_schulz_acts_on_singular_values(size, steps, dtype):
    x = drawn(*size, dtype)
    x /= np.linalg.norm(x)
    close = {"rtol": 0.0, "atol": 100 * ROUNDING[dtype]}
    np.testing.assert_allclose(orthogonalized(x, steps, dtype), iterated(x, steps), **close)


@pytest.mark.parametrize("dtype", DTYPES)
def test_newton_schulz_of_a_matrix_that_has_no_full_rank(dtype):
    x = np.outer(drawn(9, 1, dtype), drawn(1, 4, dtype))
    x /= np.linalg.norm(x)
    np.testing.assert_allclose(orthogonalized(x, 5, dtype), iterated(x, 5), atol=100 * ROUNDING[dtype])
    assert not orthogonalized(np.zeros((9, 4), dtype), 5, dtype).any()
    x[2, 1] = np.nan
    assert np.isnan(orthogonalized(x, 5, dtype)).all()
