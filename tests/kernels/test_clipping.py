"""Clipping by global norm and by value."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit import compiled
from mlpjit.kernels.optimizers.stages import DONE, WEIGHT
from mlpjit.registries import clippings
from mlpjit.stages import tensor_table

DTYPES = ["float32", "float64"]


def clip(name: str, gradient: np.ndarray, limit: float) -> np.ndarray:
    """Return the clipped gradient; the parameters must not have changed."""
    grads, params = gradient.copy(), np.ones_like(gradient)
    settings, tensors = np.array([limit]), tensor_table(None, [(1, len(grads), WEIGHT)])
    where = [a.ctypes.data for a in (params, grads, params, params, settings)]
    call = compiled.clipping(name, str(grads.dtype)).call
    assert call(0, 1, 64, len(grads), *where, 0.1, np.nan, tensors.ctypes.data, 1) == DONE
    assert (params == 1.0).all()
    return grads


ORACLES = {
    "global_norm": lambda g, limit: g * min(1.0, limit / np.linalg.norm(g)),
    "value": lambda g, limit: np.clip(g, -limit, limit),
}


def test_every_clipping_has_an_oracle():
    assert set(clippings) == set(ORACLES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 7, 16, 65, 1000])
@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("name", list(clippings))
def test_against_numpy(name, limit, size, dtype):
    g = (np.random.default_rng(size).normal(size=size) * 2).astype(dtype)
    expected = ORACLES[name](g.astype(np.float64), limit)
    np.testing.assert_allclose(clip(name, g, limit), expected, rtol=4 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(clippings))
def test_a_small_gradient_keeps_its_bits(name, dtype):
    g = np.array([0.1, -0.2, 0.3, 0.0, -0.0], dtype)
    assert clip(name, g, 1.0).tobytes() == g.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(clippings))
def test_not_a_number_stays(name, dtype):
    g = np.full(35, 5.0, dtype)
    g[[2, 33]] = np.nan
    assert np.isnan(clip(name, g, 1.0)[[2, 33]]).all()


@pytest.mark.parametrize(("size", "limit"), [(1e-30, 1e-31), (1e30, 1.0)])
def test_the_norm_of_float32_neither_underflows_nor_overflows(size, limit):
    """Squares in float32 would be 0 or infinite."""
    g = np.full(20, size, np.float32)
    np.testing.assert_allclose(clip("global_norm", g, limit), np.full(20, limit / np.sqrt(20)), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_infinite_gradient_does_not_become_a_small_one(dtype):
    g = np.array([np.inf, 1.0], dtype)
    assert not np.isfinite(clip("global_norm", g, 1.0)[0])
