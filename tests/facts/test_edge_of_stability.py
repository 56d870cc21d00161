"""Facts A15 and A16: where the sharpest direction of the loss settles, by exact Hessian-vector products."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

import mlpjit as mj

# The 20 points of Cohen et al. 2021, appendix: Chebyshev's T_4 on [-1, 1].
X = np.linspace(-1.0, 1.0, 20)[:, None]
Y = 8 * X**4 - 8 * X**2 + 1
NET = mj.Network([1, 40, 40, 1], "tanh", loss="mse", dtype="float64")
STEPS, EVERY = 20_000, 500


def sharpness(theta: np.ndarray, scale: np.ndarray | float = 1.0) -> float:
    """Return the largest eigenvalue of D H D, D = diag(scale), by Lanczos."""
    count = len(theta)

    def product(vector: np.ndarray) -> np.ndarray:
        return scale * NET.hessian_vector_product(theta, scale * np.ravel(vector), X, Y)

    start = np.random.default_rng(0).normal(size=count)
    return float(eigsh(LinearOperator((count, count), matvec=product), k=1, which="LA", v0=start, tol=1e-6)[0][0])


def descended(name: str, rate: float, **settings: float) -> mj.Trajectories:
    """Return where full-batch descent comes by."""
    start, opt = NET.init("xavier_normal", seed=0), mj.optimizers[name](**settings)
    return mj.steps(opt, start, NET.objective(X, Y), learning_rate=rate, steps=STEPS, every=EVERY, states=True)


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_gradient_descent_settles_at_two_over_the_rate(rate):
    """Cohen et al. 2021, arXiv:2103.00065. Their loss is half of mse, so half the rate here; the loss still falls."""
    path = descended("sgd", rate / 2)
    found = [sharpness(theta) for theta in path.params[1:]]
    assert 0.97 <= np.median(found[-len(found) // 3 :]) * rate / 4 <= 1.05
    assert path.losses[-1] < 1e-3


def test_adam_settles_at_38_over_the_rate():
    """Cohen et al. 2022, arXiv:2207.14484: the preconditioned Hessian's, (2 + 2 b1) / (1 - b1) = 38 at b1 = 0.9."""
    rate = 1e-3
    path, found = descended("adam", rate, eps=1e-8, eps_root=0.0), []
    for step, theta, nu in zip(path.step[1:], path.params[1:], path.states["nu"][1:], strict=True):
        corrected = np.sqrt(nu / (1 - 0.999**step))
        found.append(sharpness(theta, 1.0 / np.sqrt((1 - 0.9**step) * (corrected + 1e-8))))
    assert 0.93 <= np.median(found[-len(found) // 3 :]) * rate / 38 <= 1.05
    assert path.losses[-1] < 1e-3
