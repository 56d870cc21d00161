"""Facts A17, A18, A19 and A22: the length of adaptive steps, where Adam fails, what decoupled decay does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.extending import load, store

NONE = {"eps": 1e-30, "eps_root": 0.0}
# The first step over the rate, whatever the gradient's scale: name, settings, size.
FIRST_STEPS = [
    ("adam", NONE, 1.0),
    ("adam", {"eps_root": 1e-16}, 1.0),
    ("adamw", {**NONE, "weight_decay": 0.0}, 1.0),
    ("rmsprop", {"rho": 0.9, **NONE}, math.sqrt(10.0)),
    ("rmsprop", {"rho": 0.99, **NONE}, 10.0),
    ("adagrad", NONE, 1.0),
    ("adamax", {"eps": 1e-30}, 1.0),
    ("amsgrad", {**NONE, "corrected": True}, 1.0),
    ("amsgrad", {**NONE, "maximum_of_corrected": True}, 1.0),
    ("amsgrad", NONE, 0.1 / math.sqrt(0.001)),
    ("nadam", NONE, 1.0 + 0.9 / 1.9),
    ("laprop", NONE, 1.0),
    ("adan", NONE, 1.0),
    ("lion", {}, 1.0),
    ("sign_sgd", {}, 1.0),
    ("signum", {}, 1.0),
    ("rprop", {}, 1.0),
]


@pytest.mark.parametrize(("name", "settings", "size"), FIRST_STEPS)
def test_the_first_step_over_the_rate(name, settings, size):
    """Kingma & Ba 2015, section 2.1; Hinton 2012; Dozat 2016 without its schedule: 1 + b1 / (1 + b1)."""
    optimizer = mj.optimizers[name](**settings)
    for g in (1e-3, 1.0, 1e3):
        moved = optimizer.update(np.zeros(1), np.full(1, g), optimizer.init(np.zeros(1)), learning_rate=0.01)[0]
        assert -moved[0] / 0.01 == pytest.approx(size, rel=1e-9)


CONSTANT = [
    ("adam", NONE), ("adamw", {**NONE, "weight_decay": 0.0}), ("adamax", {"eps": 1e-30}), ("laprop", NONE),
    ("adan", NONE), ("amsgrad", {**NONE, "maximum_of_corrected": True}), ("lion", {}), ("sign_sgd", {}), ("signum", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), CONSTANT)
def test_under_a_constant_gradient_every_step_is_the_rate(name, settings):
    """Kingma & Ba 2015, section 2.1, with eps near 0: both corrections undo the zeros that the averages began with."""
    g, start = np.array([1e-9, 0.3, -1e9]), np.zeros(3)
    found = mj.steps(mj.optimizers[name](**settings), start, g, learning_rate=0.01, steps=100).params
    np.testing.assert_allclose(found, 0.01 * np.outer(np.arange(101), [-1, -1, 1]), rtol=1e-12)


def test_adagrad_steps_fall_as_one_over_the_root_of_the_step():
    found = mj.steps(mj.optimizers["adagrad"](**NONE), np.zeros(1), np.full(1, 0.3), learning_rate=0.01, steps=50)
    sizes = -np.diff(found.params[:, 0]) / 0.01
    np.testing.assert_allclose(sizes, 1 / np.sqrt(np.arange(1, 51)), rtol=1e-11)


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.9, 0.9), (0.5, 0.99), (0.0, 0.999)])
def test_adam_steps_are_bounded(b1, b2):
    """Kingma & Ba 2015, section 2.1: by eta (1 - b1) / sqrt(1 - b2) where that is above eta, else by eta."""
    bound = max(1.0, (1 - b1) / math.sqrt(1 - b2))
    drawn = np.random.default_rng(5).normal(size=(300, 200)) * (np.random.default_rng(6).random((300, 200)) < 0.02)
    adam = mj.optimizers["adam"](b1=b1, b2=b2, eps=1e-30, eps_root=0.0)
    largest = np.abs(np.diff(mj.steps(adam, np.zeros(200), drawn, learning_rate=1.0).params, axis=0)).max()
    assert 0.3 * bound < largest <= bound * (1 + 1e-12)


def test_adam_takes_its_longest_step_after_long_silence():
    silence, adam = np.append(np.zeros(20000), 7.0)[:, None], mj.optimizers["adam"](eps=1e-30, eps_root=0.0)
    found = mj.steps(adam, np.zeros(1), silence, learning_rate=1.0, every=20001).params[-1, 0]
    assert -found == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-8)


def projected(optimizer, start: float, gradients: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the path of one parameter that returns to [-1, 1] behind each step."""
    found = mj.steps(optimizer, np.full(1, start), gradients[:, None], learning_rate=rates, bounds=(-1.0, 1.0))
    return found.params[:, 0]


def test_adam_stays_at_the_worst_point_and_amsgrad_leaves_it():
    """Reddi, Kale & Kumar 2018, theorem 1: gradients 10, -1, -1, ...; Adam without momentum or corrections."""
    large, b2, t = 10.0, 1 / (1 + 10.0**2), np.arange(1, 9001)
    gradients, rates = np.where(t % 3 == 1, large, -1.0), 0.9 * math.sqrt(1 - b2) / np.sqrt(t)
    adam = projected(mj.optimizers["rmsprop"](rho=b2, **NONE), 1.0, gradients, rates)
    amsgrad = projected(mj.optimizers["amsgrad"](b1=0.0, b2=b2, **NONE), 1.0, gradients, rates)
    # x_{3k + 1} is the point after step 3k.
    assert set(adam[3::3]) == {1.0}
    assert amsgrad[-1] == pytest.approx(-1.0, abs=5e-3)


@pytest.mark.parametrize("falling", [True, False])
def test_the_synthetic_problem_of_reddi(falling):
    """Section 5: 1010 x once in 101 steps, else -10 x; the optimum is -1 and Adam goes to +1. Signs only."""
    t = np.arange(1, 101 * 300 + 1)
    gradients, rates = np.where(t % 101 == 1, 1010.0, -10.0), 0.1 / np.sqrt(t) if falling else np.full(len(t), 0.01)
    paths = {
        name: projected(mj.optimizers[name](b1=0.9, b2=0.99, **NONE), 0.0, gradients, rates)
        for name in ("adam", "amsgrad")
    }
    assert np.mean(paths["adam"][-101:]) > 0 > np.mean(paths["amsgrad"][-101:])


def separable() -> tuple[np.ndarray, np.ndarray]:
    """Wilson et al. 2017, section 3: (x (30, 153), y (30,)), 18 positive."""
    y = np.where(np.arange(30) < 18, 1.0, -1.0)
    x = np.zeros((30, 153))
    x[:, 0], x[:, 1:3] = y, 1.0
    for i, label in enumerate(y):
        x[i, 3 + 5 * i : 4 + 5 * i if label > 0 else 8 + 5 * i] = 1.0
    return x, y


X, Y = separable()


@mj.objective
def least_squares(params, grads, count):
    """|X w - y|^2 / (2 n): the sum over samples first, exactly proportional where their residuals are alike."""
    total = 0.0
    for j in range(count):
        store(grads, j, 0.0)
    for i in range(30):
        away = -Y[i]
        for j in range(count):
            away += X[i, j] * load(params, j)
        for j in range(count):
            store(grads, j, load(grads, j) + X[i, j] * away)
        total += away * away / 60.0
    for j in range(count):
        store(grads, j, load(grads, j) / 30.0)
    return total


def fitted(name: str, settings: dict[str, float], rates: np.ndarray) -> np.ndarray:
    """Return w after full-batch least squares from 0."""
    opt = mj.optimizers[name](**settings)
    return mj.steps(opt, np.zeros(153), least_squares, learning_rate=rates, every=len(rates)).params[-1]


FRESH = {1.0: np.array([1.0, 1.0, 1.0]), -1.0: np.array([-1.0, 1.0, 1.0])}
FALLING = 0.02 * 0.99 ** np.arange(3000)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adagrad", {"eps": 1e-30}),
        ("rmsprop", {"eps": 1e-30, "eps_root": 0.0}),
        ("adam", {"eps": 1e-30, "eps_root": 0.0}),
        ("sign_sgd", {}),
    ],
)
def test_adaptive_methods_take_the_sign_and_the_wrong_class(name, settings):
    """w = sign(X^T y) / 4: a fresh sample has w x = 0.75 where y = 1 and +0.25 where y = -1."""
    # RMSProp leaves again as soon as its average holds nothing but what rounding has left of gradients.
    rates = {"adagrad": np.full(6000, 0.05), "rmsprop": FALLING[:50]}.get(name, FALLING)
    w = fitted(name, settings, rates)
    np.testing.assert_allclose(w, np.sign(X.T @ Y) / 4, atol=1e-4)
    assert w[:3] @ FRESH[1.0] == pytest.approx(0.75, abs=1e-4)
    assert w[:3] @ FRESH[-1.0] == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_gradient_descent_takes_the_minimum_norm_and_the_right_class(name):
    """Wilson et al. 2017, appendix: w = X^T a with a = (4 n- + 5) / D for positive, -(4 n+ + 1) / D for negative."""
    w = fitted(name, {}, np.full(4000, 0.5 if name == "sgd" else 0.1))
    d = 15 * 18 + 3 * 12 + 8 * 18 * 12 + 5
    np.testing.assert_allclose(w, X.T @ np.where(Y > 0, (4 * 12 + 5) / d, -(4 * 18 + 1) / d), atol=1e-6)
    assert w[:3] @ FRESH[1.0] == pytest.approx(0.97401, abs=1e-5)
    assert w[:3] @ FRESH[-1.0] == pytest.approx(-0.82099, abs=1e-5)


def test_decoupled_decay_shrinks_and_l2_under_adam_does_not():
    """Loshchilov & Hutter 2019: with no gradient AdamW shrinks as (1 - eta lambda)^t, Adam + L2 moves by eta a step."""
    start, adamw, adam = np.ones((2, 1)), mj.optimizers["adamw"](weight_decay=0.1), mj.optimizers["adam"]
    decoupled = mj.steps(adamw, start, np.zeros(1), learning_rate=0.01, steps=100).params[0, -1, 0]
    coupled = mj.Quadratic(diagonal=[[0.1], [10.0]])
    assert decoupled == pytest.approx((1 - 0.01 * 0.1) ** 100, rel=1e-12)
    assert decoupled == pytest.approx(0.9047921, abs=5e-8)
    found = mj.steps(adam(eps=1e-8, eps_root=0.0), start, coupled, learning_rate=0.01, steps=100).params[:, -1, 0]
    np.testing.assert_allclose(found, 0.2244, atol=1e-4)


def test_radam_rectifies_only_where_its_root_is_real():
    """Liu et al. 2020, equation 15: r_t^2 has the factor rho_t - 4, so that a threshold below 4 has no step."""
    with pytest.raises(mj.ConfigError, match=r"threshold: got 3\.9, need 4 or more"):
        mj.optimizers["radam"](threshold=3.9)
    optimizer, theta = mj.optimizers["radam"](threshold=4.0), np.zeros(1)
    state = optimizer.init(theta)
    for _ in range(100):
        theta, state = optimizer.update(theta, np.ones(1), state, learning_rate=0.1)
        assert np.isfinite(theta).all()


@pytest.mark.parametrize("name", ["dog", "dowg", "prodigy", "d_adaptation"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_distance_at_its_limit_gives_finite_steps(name, dtype):
    """Of 1e-40 in float32 prodigy's first quotient was 0 / 0."""
    optimizer, theta = mj.optimizers[name](initial_distance=1e-30), np.ones(4, dtype)
    state = optimizer.init(theta)
    for _ in range(8):
        theta, state = optimizer.update(theta, np.array([1, -1, 0.5, 2], dtype), state, learning_rate=1e-3, loss=1.0)
        assert np.isfinite(theta).all()
    with pytest.raises(mj.ConfigError, match="initial_distance: got 1e-40, need 1e-30 or more"):
        mj.optimizers[name](initial_distance=1e-40)
