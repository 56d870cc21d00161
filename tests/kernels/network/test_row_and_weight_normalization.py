"""Layer, RMS and weight normalization at the edges: one unit, zeros, huge and tiny numbers, NaN, the last column."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import normalizations
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.normalizations.weights import column_lengths
from mlpjit.kernels.network.normalizing.rowwise_values import normalize_rows, normalize_rows_back

DTYPES = ["float32", "float64"]
SHAPES = [(1, 1), (1, 7), (9, 16), (3, 65)]
WIDE = 96


def padded(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return rows of 96 numbers, 5 beyond the edge."""
    made = np.full((len(values), WIDE), 5.0, dtype)
    made[:, : values.shape[1]] = values
    return made


def normalized(z: np.ndarray, centred: int, dtype: str, gamma: float = 1.0, beta: float = 0.0) -> np.ndarray:
    """Return [y, zhat] (2, rows, columns); whatever lies beyond the columns must stay as it was."""
    rows, columns = z.shape
    out, kept, inverse = padded(z, dtype), padded(np.zeros(z.shape), dtype), np.zeros(rows, dtype)
    vectors = [np.full(columns, value, dtype) for value in (gamma, beta)]
    where = [a.ctypes.data for a in (*vectors, kept, inverse)]
    jit.load(normalize_rows, dtype).call(rows, columns, out.ctypes.data, WIDE, centred, *where, 1e-5)
    assert (out[:, columns:] == 5.0).all()
    assert (kept[:, columns:] == 5.0).all()
    return np.stack([out[:, :columns], kept[:, :columns]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_against_numpy(shape, centred, dtype):
    z = np.random.default_rng(1).normal(3.0, 2.0, shape).astype(dtype)
    exact = z.astype(np.float64) - (z.mean(1, keepdims=True, dtype=np.float64) if centred else 0.0)
    exact /= np.sqrt((exact**2).mean(1, keepdims=True) + 1e-5)
    y, zhat = normalized(z, centred, dtype, 1.5, -0.25)
    allowed = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(zhat, exact, rtol=allowed, atol=allowed)
    np.testing.assert_allclose(y, 1.5 * exact - 0.25, rtol=allowed, atol=allowed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_have_no_spread_become_beta(dtype):
    """One unit, equal numbers, zeros: with the mean taken away nothing is left."""
    for z in (np.array([[3.0], [-1e30]]), np.full((2, 16), 0.1), np.zeros((2, 7))):
        np.testing.assert_array_equal(normalized(z.astype(dtype), 1, dtype, 2.0, 0.5)[0], np.full(z.shape, 0.5))
    np.testing.assert_array_equal(normalized(np.zeros((2, 7)), 0, dtype, 2.0, 0.5)[0], np.full((2, 7), 0.5))


@pytest.mark.parametrize("centred", [0, 1])
def test_huge_and_tiny_rows(centred):
    """No square overflows: sums are double. What is small beside eps stays small, and keeps its digits."""
    z = np.random.default_rng(2).normal(size=(3, 33))
    usual = normalized(z.astype("float32"), centred, "float32")[1]
    huge = normalized((z * 1e30).astype("float32"), centred, "float32")[1]
    np.testing.assert_allclose(huge, usual, rtol=2e-5, atol=2e-5)
    tiny = normalized((z * 1e-30).astype("float32"), centred, "float32")[1]
    exact = z - (z.mean(1, keepdims=True) if centred else 0.0)
    np.testing.assert_allclose(tiny, exact * 1e-30 / np.sqrt(1e-5), rtol=1e-4, atol=1e-33)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_spoils_its_row_alone(bad, centred, dtype):
    z = np.random.default_rng(3).normal(size=(3, 20))
    clean = normalized(z, centred, dtype)[0]
    z[1, 4] = bad
    found = normalized(z, centred, dtype)[0]
    assert np.isnan(found[1, 4])
    np.testing.assert_array_equal(found[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_way_back_of_one_unit_is_zero(dtype):
    """The variance of one number is 0 wherever it lies."""
    rows, stride = 3, 16
    delta, kept, inverse = np.ones((rows, stride), dtype), np.zeros((rows, stride), dtype), np.full(rows, 316.0, dtype)
    gamma, gammas, betas = np.full(1, 2.0, dtype), np.empty(1, dtype), np.empty(1, dtype)
    places = [a.ctypes.data for a in (gamma, kept, inverse, gammas, betas)]
    jit.load(normalize_rows_back, dtype).call(rows, 1, delta.ctypes.data, stride, 1, *places)
    assert (delta[:, 0] == 0).all()
    assert (delta[:, 1:] == 1).all()
    assert (gammas[0], betas[0]) == (0.0, 3.0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths_of_columns(dtype):
    """Huge, tiny and zero columns; NaN stays in its own."""
    v = np.random.default_rng(4).normal(size=(17, 6))
    scales = np.array([1.0, 1e30, 1e-30, 0.0, 1.0, 1e-37])
    given = (v * scales).astype(dtype)
    given[3, 4] = np.nan
    found, spare = np.empty(6, dtype), np.empty(6, dtype)
    jit.load(column_lengths, dtype).call(17, 6, given.ctypes.data, found.ctypes.data, spare.ctypes.data)
    wanted = np.linalg.norm(v, axis=0) * scales
    kept = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(found[kept], wanted[kept], rtol=1e-5 if dtype == "float32" else 1e-14)
    assert np.isnan(found[4])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("initializer", ["he_normal", "orthogonal", "lsuv", "sparse", "zeros"])
def test_normalized_weights_begin_as_the_initializer_says(initializer, dtype):
    x = np.random.default_rng(5).normal(size=(9, 5))
    plain, net = (mj.Network([5, 17, 7, 3], "tanh", normalization=n, dtype=dtype) for n in ("none", "weight"))
    first, params = plain.init(initializer, 1, x), net.init(initializer, 1, x)
    allowed = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(net.predict(params, x), plain.predict(first, x), rtol=allowed, atol=allowed)
    for views in net.layers(params)[:-1]:
        np.testing.assert_allclose(views["gamma"], np.linalg.norm(views["W"], axis=0), rtol=allowed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_unit_without_weights_has_no_gradient_but_its_bias(dtype):
    net = mj.Network([5, 7, 3], "tanh", normalization="weight", dtype=dtype)
    rng = np.random.default_rng(6)
    params = net.init("he_normal", 1)
    net.layers(params)[0]["W"][:, 2] = 0.0
    loss, grads = net.loss_and_grad(params, rng.normal(size=(9, 5)), np.eye(3)[np.arange(9) % 3])
    first = net.layers(grads)[0]
    assert np.isfinite(loss)
    assert np.isfinite(grads).all()
    assert (first["W"][:, 2] == 0).all()
    assert first["gamma"][2] == 0
    assert first["W"][:, 1].all()


@pytest.mark.parametrize("name", ["layer", "rms", "weight"])
def test_evaluation_is_training_where_there_are_no_running_statistics(name):
    """And a sample's outputs have the same bits whatever samples stand beside it."""
    net = mj.Network([5, 17, 3], "tanh", normalization=name)
    params, x = net.init("he_normal", 1), np.random.default_rng(7).normal(size=(9, 5))
    np.testing.assert_array_equal(net.predict(params, x)[4:6], net.predict(params, x[4:6]))
    assert not normalizations[name].running


@pytest.mark.parametrize("scale", [4.0, 2.0**-4])
def test_layer_normalization_forgets_the_scale_of_the_weights(scale):
    """But for eps: Ba et al. 2016, table 1."""
    net = mj.Network([5, 17, 3], "tanh", normalization="layer", dtype="float64")
    params, x = net.init("he_normal", 1), 1e4 * np.random.default_rng(8).normal(size=(9, 5))
    before = net.predict(params, x)
    net.layers(params)[0]["W"][:] *= scale
    np.testing.assert_allclose(net.predict(params, x), before, rtol=1e-9)
