"""Products, Newton-Schulz and factorizations against NumPy in float64: odd sizes, zeros, tiny, huge, NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpjit.kernels.arithmetic.matrix_factors import eigenvectors, orthonormal_columns, solve_right, solve_transposed
from mlpjit.kernels.arithmetic.matrix_products import FIFTH, FIRST, THIRD, newton_schulz, product, squares, wide
from mlpjit.kernels.compiler import jit
from mlpjit.training.workspace import aligned

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


def symmetric(kind: str, n: int) -> np.ndarray:
    """A symmetric matrix of a kind that is awkward for an eigensolver, float64."""
    drawn = np.random.default_rng(n).normal(size=(n, n))
    q = np.linalg.qr(drawn)[0]
    made = {
        "semidefinite": drawn @ drawn.T,
        "indefinite": drawn + drawn.T,
        "rank one": np.outer(drawn[0], drawn[0]),
        "zero": np.zeros((n, n)),
        "diagonal": np.diag(np.arange(n) % 3.0),
        "repeated": (q * np.where(np.arange(n) < n // 2, 3.0, 1.0)) @ q.T,
        "graded": (q * 10.0 ** -np.arange(n)) @ q.T,
        "nearly diagonal": np.eye(n) + (drawn + drawn.T) * 1e-21,
        "tiny": drawn @ drawn.T * 1e-30,
        "huge": drawn @ drawn.T * 1e30,
    }[kind]
    return (made + made.T) / 2


KINDS = [
    "semidefinite",
    "indefinite",
    "rank one",
    "zero",
    "diagonal",
    "repeated",
    "graded",
    "nearly diagonal",
    "tiny",
    "huge",
]
ULP = {"float32": 2.0**-23, "float64": 2.0**-52}


def factored(kernel: Any, matrix: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a vector and a square matrix that a kernel makes of a square one, through room that begins as NaN."""
    n, made = len(matrix), spread(np.zeros_like(matrix), dtype)
    values, room = (np.full(k * wide(n), np.nan, dtype) for k in (1, 3))
    where = (spread(matrix, dtype), *([values] if kernel is eigenvectors else []), made, room)
    call(kernel, dtype, n, *where)
    return values[:n].astype(float), made[:, :n].astype(float)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 33, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_eigenvectors(kind, n, dtype):
    """Backward stable: of the matrix's size, errors are n ulp at most; sorted from above; as NumPy finds them."""
    a = symmetric(kind, n).astype(dtype).astype(float)
    values, rows = factored(eigenvectors, a, dtype)
    size, limit = np.abs(a).max() or 1.0, 4 * max(n, 8) * ULP[dtype]
    np.testing.assert_allclose(rows @ rows.T, np.eye(n), atol=limit)
    np.testing.assert_allclose((rows.T * values) @ rows / size, a / size, atol=limit)
    np.testing.assert_allclose(values / size, np.linalg.eigvalsh(a)[::-1] / size, atol=limit)
    assert (np.diff(values) <= 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 33, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_orthonormal_columns(kind, n, dtype):
    """Q is orthonormal even of a matrix that has no full rank; Q^T a is upper triangular, column by column."""
    a = symmetric(kind, n).astype(dtype).astype(float)
    q, limit = factored(orthonormal_columns, a, dtype)[1], 8 * max(n, 8) * ULP[dtype]
    np.testing.assert_allclose(q.T @ q, np.eye(n), atol=limit)
    sizes = np.abs(a).max(axis=0)
    np.testing.assert_allclose(np.tril(q.T @ (a / np.where(sizes > 0, sizes, 1.0)), -1), 0.0, atol=limit)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_factorizations_of_what_is_not_finite_are_nan(bad, dtype):
    a = symmetric("indefinite", 9)
    a[2, 3] = a[3, 2] = bad
    values, rows = factored(eigenvectors, a, dtype)
    assert np.isnan(values).all()
    assert np.isnan(rows).all()
    # Columns before the first that holds it do not depend on it.
    assert np.isnan(factored(orthonormal_columns, a, dtype)[1]).any(axis=0).tolist() == [False] * 2 + [True] * 7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_triangular_systems(size, dtype):
    rows, n = size
    r = np.triu(drawn(n, n, dtype)) + 3 * np.eye(n)
    for kernel, given, wanted in (
        (solve_right, drawn(rows, n, dtype), lambda x: x @ np.linalg.inv(r)),
        (solve_transposed, drawn(n, rows, dtype), lambda x: np.linalg.inv(r).T @ x),
    ):
        x = spread(given, dtype)
        call(kernel, dtype, *given.shape, x, spread(r, dtype))
        exact = wanted(given.astype(float))
        np.testing.assert_allclose(x[:, : given.shape[1]], exact, atol=10 * ROUNDING[dtype] * np.abs(exact).max())
