"""Optimizers that use curvature: what a run serves them, against NumPy's dense linear algebra; edges; bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
from goldens.problems import drawn_inputs, logistic

import mlpjit as mj
from mlpjit.kernels.arithmetic.cholesky import cholesky, cholesky_solve
from mlpjit.kernels.arithmetic.random import signs, uniforms
from mlpjit.kernels.compiler import jit
from mlpjit.training.run import Run

NAMES = ["lbfgs", "adahessian", "sophia", "kfac"]
SPECS = [*NAMES, {"name": "sophia", "gauss_newton": True}, {"name": "kfac", "sampled": False}]
LINE = {
    "dataset": "diabetes", "hidden": [5], "activation": "tanh", "batch_size": "full", "dtype": "float64",
    "shuffle": False,
}  # fmt: skip
LAYERS = [(10, 5), (5,), (5, 1), (1,)]


def started(**given) -> tuple[Run, mj.Network]:
    run = Run(mj.RunConfig(**{**LINE, "init": "xavier_normal", **given}))
    return run, mj.Network([10, 5, 1], "tanh", loss="mse", dtype="float64")


def passed_back(theta: np.ndarray, x: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, list]:
    """Return gradient and (inputs, deltas) of the 10-5-1 tanh network where yhat - y is `residual` (None: y's own)."""
    w1, b1, w2 = theta[:50].reshape(10, 5), theta[50:55], theta[55:60].reshape(5, 1)
    a = np.tanh(x @ w1 + b1)
    last = 2.0 * (residual(a @ w2 + theta[60]) if callable(residual) else residual) / len(x)
    first = last @ w2.T * (1 - a**2)
    grads = np.concatenate([(x.T @ first).ravel(), first.sum(0), (a.T @ last).ravel(), last.sum(0)])
    return grads, [(x, first), (a, last)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_single_steps_are_the_runs_steps(spec):
    """With NumPy's inputs and deltas, exact products, and labels drawn by hand: y = yhat + n / sqrt 2."""
    name, options = (spec, {}) if isinstance(spec, str) else (spec["name"], {k: spec[k] for k in spec if k != "name"})
    run, net = started(optimizer=spec, learning_rate=0.01, epochs=12, seed=2**40 + 3)
    theta, x, y = run.params.copy(), run.data.x_train, run.data.y_train
    opt = mj.optimizers[name](**options)
    state = opt.init(theta, LAYERS, seed=2**40 + 3)
    labels = bool(opt.record.samples and opt.hyperparameters[opt.record.samples])
    for step in range(1, 13):
        # The first number of each block of two.
        normals = mj_normals(2**40 + 3, len(x), step)
        residual = -np.sqrt(0.5) * normals[:, None] if labels else (lambda predicted: predicted - y)
        loss, grads = net.loss_and_grad(theta, x, y)
        theta, state = opt.update(
            theta, grads, state, learning_rate=0.01, loss=loss, gradient=lambda p: net.loss_and_grad(p, x, y),
            curvature=lambda p, v: net.hessian_vector_product(p, v, x, y),
            factors=lambda p, r=residual: passed_back(p, x, r), rows=len(x),
        )  # fmt: skip
    run.advance()
    np.testing.assert_allclose(run.params, theta, rtol=1e-8, atol=1e-11)


def mj_normals(seed: int, count: int, step: int) -> np.ndarray:
    from mlpjit.kernels.arithmetic.random import normals

    return normals(seed, "optimizer", 2 * count, step)[::2]


COUNTED = {
    "adahessian": 3 * 8, "sophia": 8 + 2, "kfac": 2 * 8, "sophia(gauss_newton=True)": 8 + 1, "kfac(sampled=False)": 8,
}  # fmt: skip


@pytest.mark.parametrize("spec", SPECS[1:], ids=str)
def test_what_is_asked_for_is_counted(spec):
    """A product costs two gradients, labels one more; Sophia's estimate is due once in ten steps."""
    run, _ = started(optimizer=spec, learning_rate=1e-3, epochs=8)
    run.advance()
    assert run.result().counts == {"steps": 8, "gradients": COUNTED[run.config.factors()["optimizer"]]}


def test_a_searched_step_counts_its_trials():
    run, _ = started(optimizer="lbfgs", learning_rate=1.0, epochs=8)
    run.advance()
    assert 16 <= run.result().counts["gradients"] <= 40


def problem(kind: str):
    shared = drawn_inputs(36, 1)
    x, y = shared["features"], shared["labels"]
    if kind == "logistic":
        return lambda theta: logistic(theta, shared)
    return lambda theta: (0.5 * float(np.sum((x @ theta - y) ** 2)), x.T @ (x @ theta - y))


@pytest.mark.parametrize("kind", ["logistic", "squares"])
def test_lbfgs_finds_scipys_minimum(kind):
    given, theta, opt = problem(kind), np.zeros(36), mj.optimizers["lbfgs"]
    state = opt.init(theta)
    for _ in range(200):
        loss, grads = given(theta)
        theta, state = opt.update(theta, grads, state, learning_rate=1.0, loss=loss, gradient=given)
    found = scipy.optimize.minimize(given, np.zeros(36), jac=True, method="L-BFGS-B", options={"ftol": 1e-15})
    assert loss <= found.fun + 1e-9 * max(1.0, abs(found.fun))
    # The search ends where a step promises less than 1e-9.
    np.testing.assert_allclose(given(theta)[1], 0.0, atol=2e-4)


@pytest.mark.parametrize("memory", [1, 3, 10])
def test_the_direction_is_that_of_the_dense_inverse_update(memory):
    """H = V^T H V + rho s s^T over the last pairs, from gamma I (Nocedal & Wright 2006, equations 6.17 and 7.20)."""
    given, theta = problem("logistic"), np.random.default_rng(3).normal(size=36)
    opt = mj.optimizers["lbfgs"](memory=memory)
    state, pairs = opt.init(theta), []
    for _ in range(8):
        loss, grads = given(theta)
        moved, state = opt.update(theta, grads, state, learning_rate=1.0, loss=loss, gradient=given)
        if pairs:
            s, y = pairs[-1]
            h = np.eye(36) * (s @ y) / (y @ y)
            for s, y in pairs[-memory:]:
                v = np.eye(36) - np.outer(y, s) / (y @ s)
                h = v.T @ h @ v + np.outer(s, s) / (y @ s)
            direction, step = -h @ grads, moved - theta
            np.testing.assert_allclose(step / np.linalg.norm(step), direction / np.linalg.norm(direction), atol=1e-9)
        pairs.append((moved - theta, given(moved)[1] - grads))
        theta = moved


def kronecker_step(theta, x, residual, grads, damping):
    """(A kron S)^-1 vec(G) of each layer, dense."""
    _, pairs = passed_back(theta, x, residual)
    found = []
    for (a, delta), (w, b) in zip(pairs, ((slice(0, 50), slice(50, 55)), (slice(55, 60), slice(60, 61))), strict=True):
        ones, n = np.column_stack([a, np.ones(len(a))]), len(a)
        left, right = ones.T @ ones / n, (n * delta).T @ (n * delta) / n
        pi = np.sqrt(np.trace(left) / len(left) / (np.trace(right) / len(right)))
        left += pi * np.sqrt(damping) * np.eye(len(left))
        right += np.sqrt(damping) / pi * np.eye(len(right))
        packed = np.concatenate([grads[w], grads[b]])
        found.append(np.linalg.solve(np.kron(left, right), packed))
    return np.concatenate(found)


@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_kfac_is_the_dense_inverse_of_the_kronecker_product(damping):
    spec = {"name": "kfac", "sampled": False, "damping": damping, "momentum": 0.0}
    run, net = started(optimizer=spec, learning_rate=0.1, epochs=1)
    theta, x, y = run.params.copy(), run.data.x_train, run.data.y_train
    _, grads = net.loss_and_grad(theta, x, y)
    step = kronecker_step(theta, x, lambda predicted: predicted - y, grads, damping)
    run.advance()
    np.testing.assert_allclose((theta - run.params) / 0.1, step, rtol=1e-8, atol=1e-12)


def test_kfac_of_one_sample_has_the_exact_fisher_of_a_layer():
    """Of one sample a a^T kron delta delta^T is the Fisher of its label, exactly: the gradient's own outer product."""
    x = np.random.default_rng(0).normal(size=(1, 10))
    theta = 0.3 * np.random.default_rng(1).normal(size=61)
    grads, pairs = passed_back(theta, x, np.array([[0.7]]))
    a, delta = np.append(pairs[0][0], 1.0), pairs[0][1][0]
    fisher = np.kron(np.outer(a, a), np.outer(delta, delta))
    own = np.concatenate([grads[:50], grads[50:55]])
    np.testing.assert_allclose(fisher, np.outer(own, own), atol=1e-15)
    opt = mj.optimizers["kfac"](sampled=False, momentum=0.0, damping=1e-2)
    state = opt.init(theta, LAYERS)
    given = {"learning_rate": 1.0, "factors": lambda p: (grads, pairs), "rows": 1}
    moved, _ = opt.update(theta, grads, state, **given)
    np.testing.assert_allclose(
        theta - moved, kronecker_step(theta, x, np.array([[0.7]]), grads, 1e-2), rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_drawn_labels_follow_the_prediction(loss):
    """Of 6000 rows of one prediction: how often each class is drawn, within four deviations; (p - y) / n exactly."""
    from mlpjit.training import linking

    z = np.tile([0.5, -1.0, 2.0, 0.0], (6000, 2))
    given = z.copy()
    linking.loss_sample(loss, "float64").call(6000, 4, given.ctypes.data, 8, 7, 3, 1.0)
    e = np.exp(z[0, :4])
    p = e / e.sum() if loss == "cross_entropy" else e / (1 + e)
    y = np.round(p - given[:, :4], 12)
    assert set(np.unique(y)) <= {0.0, 1.0}
    assert (np.abs(y.mean(axis=0) - p) <= 4 * np.sqrt(p * (1 - p) / 6000)).all()
    if loss == "cross_entropy":
        np.testing.assert_array_equal(y.sum(axis=1), 1.0)
        u = uniforms(7, "optimizer", 12000, 3)[::2]
        np.testing.assert_array_equal(y.argmax(axis=1), np.searchsorted(np.cumsum(p), u))
    np.testing.assert_array_equal(given[:, 4:], z[:, 4:])


def test_signs_are_fair_and_independent():
    drawn = np.stack([signs(5, "optimizer", 1000, step) for step in range(200)])
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert (np.abs(drawn.mean(axis=0)) < 5 / np.sqrt(200)).all()
    assert (np.abs(drawn[1:] @ drawn[0]) < 5 * np.sqrt(1000)).all()
    np.testing.assert_array_equal(signs(5, "optimizer", 130, 9), signs(5, "optimizer", 1000, 9)[:130])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 17, 65])
def test_cholesky_solves(size, dtype):
    rng = np.random.default_rng(size)
    root = rng.normal(size=(size, size))
    a, b = (root @ root.T + np.eye(size)).astype(dtype), rng.normal(size=(size, 3)).astype(dtype)
    u, x = np.zeros((size, size + 5), dtype), b.copy()
    u[:, :size] = a
    jit.load(cholesky, dtype).call(size, u.ctypes.data, size + 5, 0.0)
    jit.load(cholesky_solve, dtype).call(size, u.ctypes.data, size + 5, 3, x.ctypes.data, 3)
    tight = 1e-12 if dtype == "float64" else 2e-4
    upper = np.triu(u[:, :size]).astype(float)
    np.testing.assert_allclose(upper.T @ upper, a, rtol=tight, atol=tight)
    np.testing.assert_allclose(a.astype(float) @ x, b, rtol=tight, atol=10 * tight)


EDGES = [
    {"batch_size": 1, "epochs": 1}, {"hidden": [1, 1]}, {"hidden": []}, {"init": "zeros"},
    {"activation": "relu", "normalization": "batch"}, {"loss": "mse", "output_activation": "softmax"},
    {"loss": "binary_cross_entropy"},
]  # fmt: skip


@pytest.mark.parametrize("edge", EDGES, ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_edges_of_a_run_stay_finite(spec, edge):
    """One sample, one unit, no hidden layer, no curvature of relu, deltas of zero."""
    small = {"dataset": {"name": "two_moons", "samples": 90}, "hidden": [5], "batch_size": 16, "epochs": 2}
    run = Run(mj.RunConfig(**{**small, **edge}, optimizer=spec, learning_rate=1e-3))
    assert run.advance() == "done"
    assert np.isfinite(run.params).all()
    if "init" not in edge:
        assert run.result().history["train_loss"][-1] < 5.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_not_a_number_does_not_vanish(name, bad):
    theta, g = np.ones(8), np.full(8, 0.5)
    g[3] = bad
    opt = mj.optimizers[name]
    given = {"curvature": lambda p, v: v, "gradient": lambda p: (1.0, g), "rows": 1}
    pairs = [(np.ones((1, 3)), np.ones((1, 2)))]
    state = opt.init(theta, [(3, 2), (2,)])
    moved, _ = opt.update(theta, g, state, learning_rate=0.1, loss=1.0, factors=lambda p: (g, pairs), **given)
    assert not np.isfinite(moved[3]) or (name == "sophia" and bad == np.inf)  # its update is clipped


@pytest.mark.parametrize("name", NAMES)
def test_zero_gradients_do_not_move(name):
    theta, zero, opt = np.arange(1.0, 9.0), np.zeros(8), mj.optimizers[name]
    given = {"curvature": lambda p, v: zero, "gradient": lambda p: (1.0, zero), "rows": 1}
    pairs, state, moved = [(np.zeros((1, 3)), np.zeros((1, 2)))], opt.init(theta, [(3, 2), (2,)]), theta
    for _ in range(3):
        moved, state = opt.update(
            moved, zero, state, learning_rate=0.1, loss=1.0, factors=lambda p: (zero, pairs), **given
        )
    np.testing.assert_array_equal(moved, theta)


WRONG = [
    ({"optimizer": "kfac", "loss": "mae", "dataset": "diabetes"}, r"'kfac' with loss 'mae'.*need sampled = false"),
    ({"optimizer": {"name": "sophia", "gauss_newton": True}, "loss": "hinge"}, "gauss_newton = false"),
    ({"optimizer": "lbfgs", "clip": "value"}, "'lbfgs' with clip: its line search"),
    ({"optimizer": "lbfgs", "weight_decay": 0.1, "wrapper": "sam"}, "weight_decay, wrapper 'sam'"),
    ({"optimizer": {"name": "lbfgs", "memory": 21}}, "memory: got 21, need 1 or more and at most 20"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=lambda value: str(value)[:60])
def test_what_cannot_run_is_told(given, message):
    with pytest.raises(mj.ConfigError, match=message):
        mj.RunConfig(**given)


@pytest.mark.parametrize(
    ("name", "asked"), [("lbfgs", "gradient="), ("adahessian", "curvature="), ("kfac", "factors=")]
)
def test_single_steps_say_what_they_need(name, asked):
    opt, theta = mj.optimizers[name], np.ones(4)
    with pytest.raises(mj.ConfigError, match=f"give {asked}"):
        opt.update(theta, theta, opt.init(theta), learning_rate=0.1, loss=1.0)


BITS = """
import hashlib, json
import mlpjit as mj
found = {}
for spec in %r:
    for dtype in ("float32", "float64"):
        made = mj.train(mj.RunConfig(dataset={"name": "two_moons", "samples": 90}, hidden=[19, 6], batch_size=32,
                                     epochs=2, activation="gelu", optimizer=spec, learning_rate=0.01, dtype=dtype))
        found[f"{spec} {dtype}"] = hashlib.sha256(made.params.tobytes()).hexdigest()[:16]
print(json.dumps(found))
"""


def bits(**variables: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", BITS % SPECS],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_another_cpu_gives_the_same_bits():
    expected = bits()
    assert len(set(expected.values())) == 2 * len(SPECS)
    assert bits(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="") == expected
