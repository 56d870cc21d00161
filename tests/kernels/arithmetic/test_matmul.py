"""Matrix products at every size from 1 up: against float64, bit for bit against exact fma, and their padding."""

from __future__ import annotations

import ctypes
from typing import Any

import numba
import numpy as np
import pytest
from oracles.rounding import fused, total

from mlpjit.kernels.arithmetic import matmul
from mlpjit.kernels.compiler import jit, linking, tiles

LANES = {"float32": 16, "float64": 8}
DTYPES = list(LANES)
# All remainders of 8, 6, 4, 2 and 1 rows and of 16 and 8 lanes, and more than one of each.
ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 17, 24]
COLUMNS = [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33]
POISON = np.nan


def call(kernel: Any, dtype: str, *arguments: Any) -> None:
    passed = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    jit.load(kernel, dtype).call(*passed)


def whole(columns: int, dtype: str) -> int:
    return -(-columns // LANES[dtype]) * LANES[dtype]


def padded(matrix: np.ndarray, stride: int, fill: float) -> np.ndarray:
    """Return the matrix in rows of `stride`, something else beyond its edge."""
    made = np.full((len(matrix), stride), fill, matrix.dtype)
    made[:, : matrix.shape[1]] = matrix
    return made


def forward(a: np.ndarray, w: np.ndarray, bias: np.ndarray, packed: bool = True) -> np.ndarray:
    dtype, (rows, inner), columns = str(a.dtype), a.shape, w.shape[1]
    stride = whole(columns, dtype)
    z = np.full((rows + 1, stride), POISON, dtype)
    if packed:
        panels = np.full(inner * stride, POISON, dtype)
        call(matmul.pack_panels, dtype, inner, columns, w, panels)
        where, step, w_stride = panels, inner, LANES[dtype]
    else:
        where, step, w_stride = w, 1, columns
    # Only `inner` numbers of a row of a are read; the bias is read to its last whole vector.
    left = padded(a, inner + 3, POISON)
    ends = padded(bias[None], stride, 0.0)
    call(matmul.forward_product, dtype, rows, inner, columns, left, inner + 3, where, step, w_stride, ends, z, stride)
    assert np.isnan(z[rows]).all()  # nothing behind the last row was written
    return z[:rows]


def drawn(*shape: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def chain(a: np.ndarray, b: np.ndarray, start: float = 0.0) -> float:
    """Return the sum of a[k] b[k] as the kernels are documented to take it: k in order, one fma each."""
    sum_ = start
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        sum_ = fused(x, y, sum_, str(a.dtype))
    return sum_


def assert_close(found: np.ndarray, wanted: np.ndarray, inner: int) -> None:
    allowed = (inner + 2) * float(np.finfo(found.dtype).eps)
    np.testing.assert_allclose(found, wanted, rtol=allowed, atol=allowed * np.sqrt(inner) * 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", COLUMNS)
def test_forward_product(columns, dtype):
    for rows in ROWS:
        inner = 1 + (rows * columns) % 19
        a, w, bias = drawn(rows, inner, dtype=dtype), drawn(inner, columns, dtype=dtype), drawn(columns, dtype=dtype)
        z = forward(a, w, bias)
        assert_close(z[:, :columns], a.astype(np.float64) @ w + bias, inner)
        assert not z[:, columns:].any()  # lanes beyond the edge hold zeros


@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_weights_are_read_in_place_with_the_same_bits(dtype):
    a, w, bias = drawn(13, 9, dtype=dtype), drawn(9, 32, dtype=dtype), drawn(32, dtype=dtype)
    np.testing.assert_array_equal(forward(a, w, bias, packed=False), forward(a, w, bias))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", COLUMNS)
def test_input_gradient(columns, dtype):
    """out = (delta W^T) * scale; W is (columns, inner): from `inner` outputs back to `columns` inputs."""
    for rows in ROWS:
        inner = 1 + (rows * columns) % 19
        delta, w = drawn(rows, inner, dtype=dtype), drawn(columns, inner, dtype=dtype)
        stride = whole(columns, dtype)
        panels = np.full(inner * stride, POISON, dtype)
        call(matmul.pack_transposed_panels, dtype, columns, inner, w, panels)
        scale = padded(drawn(rows, columns, dtype=dtype), stride, 0.5)
        out = scale.copy()  # in place, as the backward pass uses it
        left = padded(delta, inner + 2, POISON)
        call(matmul.input_gradient, dtype, rows, inner, columns, left, inner + 2, panels, out, stride, out, stride)
        assert_close(out[:, :columns], (delta.astype(np.float64) @ w.T) * scale[:, :columns], inner)
        assert not out[:, columns:].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", COLUMNS)
def test_weight_gradient_is_written_to_its_exact_size(columns, dtype):
    """a^T delta; what pads the rows of a and delta may be anything, and nothing behind the gradient is touched."""
    for rows in ROWS:
        inner = 1 + (rows * columns) % 19
        a, delta = drawn(inner, rows, dtype=dtype), drawn(inner, columns, dtype=dtype)
        out = np.full(rows * columns + 16, 7.0, dtype)
        left, right = padded(a, rows + 5, POISON), padded(delta, whole(columns, dtype) + LANES[dtype], POISON)
        call(matmul.weight_gradient, dtype, rows, inner, columns, left, rows + 5, right, right.shape[1], out)
        assert_close(out[: rows * columns].reshape(rows, columns), a.T.astype(np.float64) @ delta, inner)
        assert (out[rows * columns :] == 7.0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 1, 1), (3, 5, 2), (7, 11, 9), (9, 6, 17)])
def test_bits_are_those_of_fma_in_order(rows, inner, columns, dtype):
    a, w, bias = drawn(rows, inner, dtype=dtype), drawn(inner, columns, dtype=dtype), drawn(columns, dtype=dtype)
    wanted = [[total(chain(a[i], w[:, j]), float(bias[j]), dtype) for j in range(columns)] for i in range(rows)]
    np.testing.assert_array_equal(forward(a, w, bias)[:, :columns], np.array(wanted, dtype))
    out, delta = np.zeros(inner * columns, dtype), drawn(rows, columns, dtype=dtype)
    right = padded(delta, whole(columns, dtype), POISON)
    call(matmul.weight_gradient, dtype, inner, rows, columns, a, inner, right, right.shape[1], out)
    sums = [[chain(a[:, i], delta[:, j]) for j in range(columns)] for i in range(inner)]
    np.testing.assert_array_equal(out.reshape(inner, columns), np.array(sums, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_the_same_bits_in_any_tile(dtype):
    """A sample's output does not depend on how many others are beside it."""
    a, w, bias = drawn(24, 10, dtype=dtype), drawn(10, 19, dtype=dtype), drawn(19, dtype=dtype)
    all_rows = forward(a, w, bias)
    for rows in ROWS:
        np.testing.assert_array_equal(forward(a[:rows], w, bias), all_rows[:rows])


@pytest.mark.parametrize("heights", [(8, 4, 2, 1), (6, 4, 2, 1), (1,)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_shape_of_tile_has_the_same_bits(heights, dtype, monkeypatch):
    """Those of AVX-512 too, which this machine may not have: compiled afresh with other heights."""
    a, delta, lanes = drawn(23, 21, dtype=dtype), drawn(23, 19, dtype=dtype), LANES[dtype]
    right = padded(delta, whole(19, dtype) + lanes, POISON)
    found = [np.zeros(21 * 19, dtype) for _ in range(2)]
    arguments = [21, 23, 19, a.ctypes.data, 21, right.ctypes.data, right.shape[1]]
    jit.load(matmul.weight_gradient, dtype).call(*arguments, found[0].ctypes.data)
    monkeypatch.setattr(tiles, "tile_rows", lambda: heights)
    record = matmul.weight_gradient
    made = numba.cfunc(linking.signature_of(record, dtype), **jit.OPTIONS)(jit.link(record.function, dtype))
    prototype = ctypes.CFUNCTYPE(None, *(jit._c_type(name, dtype) for name in record.parameters))
    prototype(made.address)(*arguments, found[1].ctypes.data)
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_not_a_number_stays_in_its_row(dtype):
    a, w, bias = drawn(9, 6, dtype=dtype), drawn(6, 5, dtype=dtype), drawn(5, dtype=dtype)
    a[4, 2] = np.nan
    found = np.isnan(forward(a, w, bias)[:, :5])
    assert found[4].all()
    assert found.sum() == 5
