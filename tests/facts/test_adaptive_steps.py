"""Facts A17, A18, A19 and A22: the length of adaptive steps, where Adam fails, what decoupled decay does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from facts.driver import Driver

import mlpjit as mj

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
    driver = Driver(name, np.zeros(3), **settings)
    for step in range(1, 101):
        driver.step(np.array([1e-9, 0.3, -1e9]), 0.01)
        np.testing.assert_allclose(driver.theta, 0.01 * step * np.array([-1, -1, 1]), rtol=1e-12)


def test_adagrad_steps_fall_as_one_over_the_root_of_the_step():
    driver = Driver("adagrad", np.zeros(1), **NONE)
    found = [float(driver.step(0.3, 0.01)[0]) for _ in range(50)]
    sizes = -np.diff([0.0, *found]) / 0.01
    np.testing.assert_allclose(sizes, 1 / np.sqrt(np.arange(1, 51)), rtol=1e-11)


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.9, 0.9), (0.5, 0.99), (0.0, 0.999)])
def test_adam_steps_are_bounded(b1, b2):
    """Kingma & Ba 2015, section 2.1: by eta (1 - b1) / sqrt(1 - b2) where that is above eta, else by eta."""
    bound = max(1.0, (1 - b1) / math.sqrt(1 - b2))
    drawn = np.random.default_rng(5).normal(size=(300, 200)) * (np.random.default_rng(6).random((300, 200)) < 0.02)
    driver, largest, before = Driver("adam", np.zeros(200), b1=b1, b2=b2, eps=1e-30, eps_root=0.0), 0.0, np.zeros(200)
    for g in drawn:
        after = driver.step(g, 1.0)
        largest, before = max(largest, float(np.abs(after - before).max())), after.copy()
    assert 0.3 * bound < largest <= bound * (1 + 1e-12)


def test_adam_takes_its_longest_step_after_long_silence():
    driver = Driver("adam", np.zeros(1), eps=1e-30, eps_root=0.0)
    for _ in range(20000):
        driver.step(0.0, 1.0)
    assert -driver.step(7.0, 1.0)[0] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-8)


def projected(driver: Driver, gradient: float, rate: float) -> float:
    """Take one step and return to [-1, 1]."""
    driver.step(gradient, rate)
    driver.theta.clip(-1.0, 1.0, out=driver.theta)
    return float(driver.theta[0])


def test_adam_stays_at_the_worst_point_and_amsgrad_leaves_it():
    """Reddi, Kale & Kumar 2018, theorem 1: gradients 10, -1, -1, ...; Adam without momentum or corrections."""
    large, b2 = 10.0, 1 / (1 + 10.0**2)
    adam = Driver("rmsprop", np.ones(1), rho=b2, **NONE)
    amsgrad = Driver("amsgrad", np.ones(1), b1=0.0, b2=b2, **NONE)
    path: dict[str, list[float]] = {"adam": [], "amsgrad": []}
    for t in range(1, 9001):
        gradient, rate = large if t % 3 == 1 else -1.0, 0.9 * math.sqrt(1 - b2) / math.sqrt(t)
        path["adam"].append(projected(adam, gradient, rate))
        path["amsgrad"].append(projected(amsgrad, gradient, rate))
    # x_{3k + 1} is the point after step 3k.
    assert set(path["adam"][2::3]) == {1.0}
    assert path["amsgrad"][-1] == pytest.approx(-1.0, abs=5e-3)


@pytest.mark.parametrize("falling", [True, False])
def test_the_synthetic_problem_of_reddi(falling):
    """Section 5: 1010 x once in 101 steps, else -10 x; the optimum is -1 and Adam goes to +1. Signs only."""
    means = {}
    for name in ("adam", "amsgrad"):
        driver, last = Driver(name, np.zeros(1), b1=0.9, b2=0.99, **NONE), []
        for t in range(1, 101 * 300 + 1):
            rate = 0.1 / math.sqrt(t) if falling else 0.01
            last.append(projected(driver, 1010.0 if t % 101 == 1 else -10.0, rate))
        means[name] = np.mean(last[-101:])
    assert means["adam"] > 0 > means["amsgrad"]


def separable() -> tuple[np.ndarray, np.ndarray]:
    """Wilson et al. 2017, section 3: (x (30, 153), y (30,)), 18 positive."""
    y = np.where(np.arange(30) < 18, 1.0, -1.0)
    x = np.zeros((30, 153))
    x[:, 0], x[:, 1:3] = y, 1.0
    for i, label in enumerate(y):
        x[i, 3 + 5 * i : 4 + 5 * i if label > 0 else 8 + 5 * i] = 1.0
    return x, y


def fitted(name: str, settings: dict[str, float], rates: np.ndarray) -> np.ndarray:
    """Return w after full-batch least squares from 0."""
    x, y = separable()
    driver = Driver(name, np.zeros(153), **settings)
    for rate in rates:
        driver.step(x.T @ (x @ driver.theta - y) / len(y), rate)
    return driver.theta


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
    x, y = separable()
    w = fitted(name, settings, np.full(6000, 0.05) if name == "adagrad" else FALLING)
    np.testing.assert_allclose(w, np.sign(x.T @ y) / 4, atol=1e-4)
    assert w[:3] @ FRESH[1.0] == pytest.approx(0.75, abs=1e-4)
    assert w[:3] @ FRESH[-1.0] == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_gradient_descent_takes_the_minimum_norm_and_the_right_class(name):
    """Wilson et al. 2017, appendix: w = X^T a with a = (4 n- + 5) / D for positive, -(4 n+ + 1) / D for negative."""
    x, y = separable()
    w = fitted(name, {}, np.full(4000, 0.5 if name == "sgd" else 0.1))
    d = 15 * 18 + 3 * 12 + 8 * 18 * 12 + 5
    np.testing.assert_allclose(w, x.T @ np.where(y > 0, (4 * 12 + 5) / d, -(4 * 18 + 1) / d), atol=1e-6)
    assert w[:3] @ FRESH[1.0] == pytest.approx(0.97401, abs=1e-5)
    assert w[:3] @ FRESH[-1.0] == pytest.approx(-0.82099, abs=1e-5)


def test_decoupled_decay_shrinks_and_l2_under_adam_does_not():
    """Loshchilov & Hutter 2019: with no gradient AdamW shrinks as (1 - eta lambda)^t, Adam + L2 moves by eta a step."""
    decoupled = Driver("adamw", np.ones(1), weight_decay=0.1)
    coupled = {decay: Driver("adam", np.ones(1), eps=1e-8, eps_root=0.0) for decay in (0.1, 10.0)}
    for _ in range(100):
        decoupled.step(0.0, 0.01)
        for decay, driver in coupled.items():
            driver.step(decay * driver.theta, 0.01)
    assert decoupled.theta[0] == pytest.approx((1 - 0.01 * 0.1) ** 100, rel=1e-12)
    assert decoupled.theta[0] == pytest.approx(0.9047921, abs=5e-8)
    for driver in coupled.values():
        assert driver.theta[0] == pytest.approx(0.2244, abs=1e-4)


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
    optimizer, theta = mj.optimizers[name](initial_distance=1e-15), np.ones(4, dtype)
    state = optimizer.init(theta)
    for _ in range(8):
        theta, state = optimizer.update(theta, np.array([1, -1, 0.5, 2], dtype), state, learning_rate=1e-3, loss=1.0)
        assert np.isfinite(theta).all()
    with pytest.raises(mj.ConfigError, match=r"initial_distance: got 1e-40, need 1e-(15|30) or more"):
        mj.optimizers[name](initial_distance=1e-40)
