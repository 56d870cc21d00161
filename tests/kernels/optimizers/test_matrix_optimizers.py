"""Optimizers that look at whole matrices: shapes, dtypes, zeros, NaN. Their paths are compared in test_goldens.py."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj

NAMES = ["adafactor", "muon", "shampoo", "soap", "psgd_kron"]
# PSGD draws its numbers by place, and a place moves when a matrix is transposed.
SYMMETRIC = ["adafactor", "muon", "shampoo", "soap"]
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


@pytest.mark.parametrize("name", SYMMETRIC)
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


def test_shampoo_of_a_vector_is_full_adagrad():
    """theta -= eta (eps + sum of g g^T)^-1/2 g, by numpy.linalg.eigh."""
    gradients, opt, theta = np.random.default_rng(7).normal(size=(5, 9)), mj.optimizers["shampoo"](eps=0.5), np.zeros(9)
    state, wanted, total = opt.init(theta, [(9,)]), np.zeros(9), 0.5 * np.eye(9)
    for g in gradients:
        theta, state = opt.update(theta, g, state, learning_rate=0.1)
        total += np.outer(g, g)
        values, vectors = np.linalg.eigh(total)
        wanted -= 0.1 * (vectors / np.sqrt(values)) @ vectors.T @ g
    np.testing.assert_allclose(theta, wanted, rtol=1e-12)


def kept_matrices(state: mj.single_step.OptimizerState, sizes: list[int]) -> list[np.ndarray]:
    """Return the square matrices that an optimizer keeps of one tensor, one behind the other."""
    wide = [-(-n // 16) * 16 for n in sizes]
    ends = np.cumsum([0, *(n * w for n, w in zip(sizes, wide, strict=True))])
    kept = state.values["extra"]
    return [kept[a : a + n * w].reshape(n, w)[:, :n] for a, n, w in zip(ends, sizes, wide, strict=False)]


def steps_of(name: str, steps: int, shape: tuple[int, int], **settings: float) -> mj.single_step.OptimizerState:
    opt, theta = mj.optimizers[name](**settings), np.zeros(shape[0] * shape[1])
    state = opt.init(theta, [shape])
    for g in np.random.default_rng(8).normal(size=(steps, theta.size)):
        theta, state = opt.update(theta, g, state, learning_rate=0.01)
    return state


@pytest.mark.parametrize("steps", [1, 5, 25])
def test_soap_keeps_orthonormal_bases_of_its_moments(steps):
    """Turned at every step, they come to diagonalize; of the null space at the first step they are a basis too."""
    right, right_basis, left, left_basis = kept_matrices(
        steps_of("soap", steps, (7, 3), precondition_frequency=1, shampoo_beta=0.999), [3, 3, 7, 7]
    )
    for moments, basis in ((right, right_basis), (left, left_basis)):
        np.testing.assert_allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-13)
        turned = basis.T @ moments @ basis
        off = np.abs(turned - np.diag(np.diag(turned))).max() / np.abs(moments).max()
        assert off < (1e-13 if steps == 1 else 0.35)


def test_psgd_whitens_the_gradient():
    """Of gradients A z B with normal z, Q_L^T Q_L comes near (A A^T)^-1/2 up to scale: P g is white (Li 2018)."""
    rng = np.random.default_rng(9)
    a, b = np.diag([4.0, 1.0, 0.25]), np.diag([1.0, 3.0])
    opt, theta = mj.optimizers["psgd_kron"](momentum=0.0), np.zeros(6)
    state, moved = opt.init(theta, [(3, 2)]), []
    for _ in range(3000):
        after, state = opt.update(theta, (a @ rng.normal(size=(3, 2)) @ b).ravel(), state, learning_rate=1.0)
        moved.append(after - theta)
    spread = np.std(moved[1000:], axis=0)
    assert spread.max() / spread.min() < 1.5
    assert 0.5 < spread.mean() < 1.5


def test_the_seed_decides_the_draws():
    paths = {}
    for seed in (0, 1, 2**40):
        opt, theta = mj.optimizers["psgd_kron"], np.zeros(20)
        state = opt.init(theta, [(5, 4)], seed=seed)
        for g in np.random.default_rng(3).normal(size=(4, 20)):
            theta, state = opt.update(theta, g, state, learning_rate=0.01)
        assert state.seed == seed
        paths[seed] = theta
    assert not np.array_equal(paths[0], paths[1])
    assert not np.array_equal(paths[0], paths[2**40])
    given = {"dataset": "iris", "hidden": [5], "epochs": 1, "optimizer": "psgd_kron", "init_seed": 1, "order_seed": 1}
    runs = [mj.train(mj.RunConfig(**given, split_seed=1, seed=seed)).params for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
