"""Optimizers that look at whole matrices: shapes, dtypes, zeros, NaN. Their paths are compared in test_goldens.py."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj

NAMES = ["adafactor", "muon"]
SHAPES = [(7, 3), (3,), (3, 18), (18,), (18, 1), (1,)]
COUNT = sum(int(np.prod(shape)) for shape in SHAPES)


def walk(name: str, dtype: str, gradients: list[np.ndarray], **settings: float) -> list[np.ndarray]:
    opt = mj.optimizers[name](**settings)
    theta, path = np.random.default_rng(1).normal(size=COUNT).astype(dtype), []
    state = opt.init(theta, SHAPES)
    for g in gradients:
        theta, state = opt.update(theta, g.astype(dtype), state, learning_rate=0.01)
        path.append(theta)
    return path


def drawn(steps: int) -> list[np.ndarray]:
    return list(np.random.default_rng(3).normal(size=(steps, COUNT)))


@pytest.mark.parametrize("name", NAMES)
def test_float32_follows_float64(name):
    small, exact = walk(name, "float32", drawn(12)), walk(name, "float64", drawn(12))
    assert all(a.dtype == np.float32 for a in small)
    np.testing.assert_allclose(small[-1], exact[-1], rtol=2e-4, atol=2e-4)
    assert np.abs(exact[-1] - exact[0]).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_zero_gradients_do_not_move_or_break(name, dtype):
    """From the start, and after others; rows and columns of zeros are those of dead units."""
    path = walk(name, dtype, [np.zeros(COUNT)] * 3)
    np.testing.assert_array_equal(path[-1], walk(name, dtype, [np.zeros(COUNT)])[0])
    dead = drawn(6)
    for g in dead:
        g[:21].reshape(7, 3)[[0, 4]] = 0.0
        g[24:78].reshape(3, 18)[:, [2, 3, 17]] = 0.0
        g[24:78].reshape(3, 18)[1] = 0.0
    assert np.isfinite(walk(name, dtype, [*dead, np.zeros(COUNT)])[-1]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("name", NAMES)
def test_tiny_and_huge_gradients_stay_finite(name, scale, dtype):
    assert np.isfinite(walk(name, dtype, [scale * g for g in drawn(4)])[-1]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_not_a_number_does_not_vanish(name, bad, dtype):
    """It spoils its own tensor and no other."""
    gradients = drawn(3)
    gradients[1][30] = bad
    found = walk(name, dtype, gradients)[-1]
    assert not np.isfinite(found[30])
    assert np.isfinite(found[:24]).all()
    assert np.isfinite(found[78:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_transposed_matrix_takes_the_transposed_path(name):
    """But for Muon's factor, which knows inputs from outputs."""
    made = {}
    for shape in ((4, 9), (9, 4)):
        opt = mj.optimizers[name]
        matrices = np.random.default_rng(5).normal(size=(4, 4, 9))
        flipped = matrices if shape == (4, 9) else matrices.transpose(0, 2, 1)
        start = np.ascontiguousarray(flipped[0]).ravel()
        state, theta = opt.init(start, [shape]), start
        for g in flipped[1:]:
            theta, state = opt.update(theta, np.ascontiguousarray(g).ravel(), state, learning_rate=0.01)
        moved = (theta - start).reshape(shape)
        made[shape] = moved if shape == (4, 9) else moved.T
    factor = np.sqrt(9 / 4) if name == "muon" else 1.0
    np.testing.assert_allclose(made[4, 9], factor * made[9, 4], rtol=1e-9, atol=1e-13)


def test_muon_makes_singular_values_alike():
    """One step from theta = 0 is -eta u: all singular values within Newton-Schulz's bounds, whatever the gradient's."""
    rng = np.random.default_rng(6)
    left, right = np.linalg.qr(rng.normal(size=(20, 8)))[0], np.linalg.qr(rng.normal(size=(8, 8)))[0]
    g = (left * np.logspace(0, -1.5, 8)) @ right.T
    opt, theta = mj.optimizers["muon"], np.zeros(160)
    moved, _ = opt.update(theta, g.ravel(), opt.init(theta, [(20, 8)]), learning_rate=1.0)
    u, s, vt = np.linalg.svd(-moved.reshape(20, 8))
    assert s.min() > 0.6
    assert s.max() < 1.3
    np.testing.assert_allclose(np.abs(u[:, :8].T @ left @ right.T @ vt.T), np.eye(8), atol=1e-6)
