"""Fact A23: what schedule-free optimizers and averaged gradient descent report is the mean of their iterates."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj

COUNT, STEPS = 7, 60


def walk(name: str, rates: np.ndarray, **settings: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return z, x and y after every step, on a quadratic with noise; y is where the gradient was taken next."""
    opt, rng = mj.optimizers[name](**settings), np.random.default_rng(4)
    curvature, theta = np.geomspace(0.1, 3.0, COUNT), rng.normal(size=COUNT)
    state, path = opt.init(theta), []
    for rate in rates:
        g = curvature * theta + 0.3 * rng.normal(size=COUNT)
        theta, state = opt.update(theta, g, state, learning_rate=float(rate))
        path.append((state.values.get("z", theta), opt.point(theta, state), theta))
    z, x, y = (np.stack(values) for values in zip(*path, strict=True))
    return z, x, y


def weighted_means(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.cumsum(weights[:, None] * z, axis=0) / np.cumsum(weights)[:, None]


@pytest.mark.parametrize("b1", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_x_of_schedule_free_is_the_mean_of_z(name, b1):
    """Defazio et al. 2024, eq. 5: x_t = mean of z_1..z_t, whatever beta is, at a constant rate; y lies between."""
    z, x, y = walk(name, np.full(STEPS, 0.05), b1=b1)
    np.testing.assert_allclose(x, weighted_means(z, np.ones(STEPS)), atol=1e-12)
    np.testing.assert_allclose(y, (1 - b1) * z + b1 * x, atol=1e-13)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_under_a_warm_up_z_weigh_as_a_power_of_the_largest_rate_so_far(name, power):
    rates = 0.05 * np.minimum(1, np.arange(1, STEPS + 1) / 20) * np.where(np.arange(STEPS) > 40, 0.1, 1.0)
    z, x, _ = walk(name, rates, power=power)
    np.testing.assert_allclose(x, weighted_means(z, np.maximum.accumulate(rates) ** power), atol=1e-12)


@pytest.mark.parametrize("start", [1, 11])
def test_averaged_descent_reports_the_mean_from_its_start_on(start):
    """Polyak & Juditsky 1992."""
    _, x, theta = walk("averaged_sgd", np.full(STEPS, 0.05), start=start)
    np.testing.assert_allclose(x[: start - 1], theta[: start - 1], atol=1e-15)
    kept = theta[start - 1 :]
    np.testing.assert_allclose(x[start - 1 :], weighted_means(kept, np.ones(len(kept))), atol=1e-12)


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_schedule_free_has_no_mean_without_b1(name, dtype):
    """Defazio et al. 2024, algorithm 1: y = (1 - b1) z + b1 x, so that x = (y - (1 - b1) z) / b1 is kept in y alone."""
    with pytest.raises(mj.ConfigError, match=r"b1: got 0\.0, need 0\.001 or more and below 1"):
        mj.optimizers[name](b1=0.0)
    optimizer, theta = mj.optimizers[name](b1=1e-3), np.ones(3, dtype)
    state = optimizer.init(theta)
    for _ in range(6):
        theta, state = optimizer.update(theta, np.ones(3, dtype), state, learning_rate=1e-3)
        assert np.isfinite(theta).all()
