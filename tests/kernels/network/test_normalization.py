"""Batch normalization: running statistics as in PyTorch, evaluation by them, nothing written beyond the columns."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.normalizing.batch_values import normalize_batch, normalize_running

STRIDE = 16


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (9, 7), (65, 16)])
def test_running_statistics(rows, columns, dtype):
    """momentum 0.1; the batch's variance biased where it normalizes, unbiased where it is averaged."""
    rng = np.random.default_rng(rows)
    z = rng.normal(3.0, 2.0, (rows, STRIDE)).astype(dtype)
    gamma, beta = rng.normal(size=(2, columns)).astype(dtype)
    kept, inverse = np.zeros((rows, STRIDE), dtype), np.zeros(columns, dtype)
    running = np.concatenate([np.full(columns, 0.5), np.full(columns, 2.0)]).astype(dtype)
    given = z.astype(np.float64)[:, :columns]
    out = z.copy()
    where = [a.ctypes.data for a in (gamma, beta, kept, inverse, running)]
    jit.load(normalize_batch, dtype).call(rows, columns, out.ctypes.data, STRIDE, *where, 1e-5)
    allowed = {"rtol": 2e-5, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    wanted = gamma * (given - given.mean(0)) / np.sqrt(given.var(0) + 1e-5) + beta
    np.testing.assert_allclose(out[:, :columns], wanted, **allowed)
    np.testing.assert_allclose(running[:columns], 0.9 * 0.5 + 0.1 * given.mean(0), **allowed)
    np.testing.assert_allclose(running[columns:], 0.9 * 2.0 + 0.1 * given.var(0, ddof=1), **allowed)
    np.testing.assert_array_equal(out[:, columns:], z[:, columns:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_evaluation_uses_the_running_statistics(dtype):
    rng = np.random.default_rng(1)
    z, columns = rng.normal(size=(5, STRIDE)).astype(dtype), 7
    gamma, beta, mean = rng.normal(size=(3, columns)).astype(dtype)
    variance = rng.random(columns).astype(dtype)
    running, out = np.concatenate([mean, variance]), z.copy()
    arguments = (5, columns, out.ctypes.data, STRIDE, gamma.ctypes.data, beta.ctypes.data, running.ctypes.data, 1e-5)
    jit.load(normalize_running, dtype).call(*arguments)
    wanted = gamma * (z[:, :columns].astype(np.float64) - mean) / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(out[:, :columns], wanted, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    np.testing.assert_array_equal(out[:, columns:], z[:, columns:])
