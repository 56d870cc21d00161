"""Products of a single row against float64, and against the panels' bits where they promise the same."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.kernels.arithmetic import matmul, one_row
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.language import Kernel

DTYPES = ("float32", "float64")
SIZES = [(1, 1), (2, 3), (3, 17), (4, 16), (7, 5), (16, 33), (37, 37), (64, 10), (65, 128)]
POISON = 1e30


def call(record: Kernel, dtype: str, *arguments: int | np.ndarray) -> None:
    """Call a kernel, arrays passed by address."""
    passed = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    jit.load(record, dtype).call(*passed)


def drawn(*shape: int, dtype: str) -> np.ndarray:
    """Return normal numbers that depend on the shape alone."""
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(dtype)


def guarded(count: int, dtype: str) -> np.ndarray:
    """Return room for so many numbers, with poison behind them."""
    return np.full(count + 32, POISON, dtype)


def assert_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("inner", "columns"), SIZES)
def test_a_row_forward_has_the_bits_of_the_panels(inner, columns, dtype):
    a, w, bias = drawn(inner, dtype=dtype), drawn(inner, columns, dtype=dtype), drawn(columns, dtype=dtype)
    stride = -(-columns // 16) * 16
    panels, ends = np.zeros(inner * stride, dtype), np.zeros(stride, dtype)
    ends[:columns] = bias
    lanes = 16 if dtype == "float32" else 8
    call(matmul.pack_panels, dtype, inner, columns, w, panels)
    wanted, found = np.zeros(stride, dtype), guarded(columns, dtype)
    call(matmul.forward_product, dtype, 1, inner, columns, a, inner, panels, inner, lanes, ends, wanted, stride)
    call(one_row.forward_row, dtype, inner, columns, a, w, bias, found)
    assert_bits(found[:columns], wanted[:columns])
    np.testing.assert_allclose(found[:columns], a.astype(np.float64) @ w + bias, rtol=0, atol=1e-5)
    assert (found[columns:] == np.array(POISON, dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("inner", "columns"), SIZES)
def test_the_input_gradient_of_a_row_is_that_of_float64(inner, columns, dtype):
    delta, w, scale = drawn(inner, dtype=dtype), drawn(columns, inner, dtype=dtype), drawn(columns, dtype=dtype)
    exact, allowed = w.astype(np.float64) @ delta, (inner + 2) * float(np.finfo(dtype).eps) * np.sqrt(inner) * 4
    found = guarded(columns, dtype)
    found[:columns] = scale  # in place, as the backward pass uses it
    call(one_row.input_gradient_row, dtype, inner, columns, delta, w, found, found)
    np.testing.assert_allclose(found[:columns], exact * scale, rtol=allowed, atol=allowed)
    plain = guarded(columns, dtype)
    call(one_row.plain_gradient_row, dtype, inner, columns, delta, w, plain)
    np.testing.assert_allclose(plain[:columns], exact, rtol=allowed, atol=allowed)
    assert (found[columns:] == plain[columns:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_input_gradient_sums_in_its_documented_order(dtype):
    """16 lanes, one fused multiply-add each, folded by halves; then the rest in order."""
    delta, w = np.ones(35, dtype), drawn(35, dtype=dtype)  # products with 1 are exact
    lanes = (w[:16] + w[16:32]).astype(dtype)
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    wanted = lanes[0]
    for last in w[32:]:
        wanted = wanted + last
    found = np.zeros(1, dtype)
    call(one_row.plain_gradient_row, dtype, 35, 1, delta, w, found)
    assert found[0] == wanted
    assert found[0] != np.cumsum(w)[-1], "the case must tell orders apart"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_the_outer_product_has_the_bits_of_the_panels(rows, columns, dtype):
    a, delta = drawn(rows, dtype=dtype), np.zeros(-(-columns // 16) * 16 + 16, dtype)
    delta[:columns] = drawn(columns, dtype=dtype)
    a[0], delta[0] = -0.0, 1.0  # gives +0, as 0 + -0 does
    wanted, found = guarded(rows * columns, dtype), guarded(rows * columns, dtype)
    call(matmul.weight_gradient, dtype, rows, 1, columns, a, rows, delta, len(delta), wanted)
    call(one_row.outer_product, dtype, rows, columns, a, delta, found)
    assert_bits(found, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [{}, {"normalization": "layer"}, {"normalization": "weight"}, {"residual": "pre"}, {"activation": "prelu"}],
)
def test_the_gradient_of_one_sample_is_that_of_the_sample_twice(options, dtype):
    """A batch of two goes through the panels; its mean gradient is the same to rounding."""
    net = mj.Network([5, 19, 19, 3], dtype=dtype, **options)
    rng = np.random.default_rng(2)
    params = (net.init("xavier_normal", seed=1) + 0.3 * rng.normal(size=net.parameter_count)).astype(dtype)
    x, y = rng.normal(size=(1, 5)).astype(dtype), rng.random((1, 3)).astype(dtype)
    value, gradient = net.loss_and_grad(params, x, y)
    twice, wanted = net.loss_and_grad(params, np.repeat(x, 2, 0), np.repeat(y, 2, 0))
    allowed = 50 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(value, twice, rtol=allowed)
    np.testing.assert_allclose(gradient, wanted, rtol=allowed, atol=allowed)
