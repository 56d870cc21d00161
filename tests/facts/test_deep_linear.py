"""Fact A20: deep linear networks learn each mode along a sigmoid (Saxe, McClelland & Ganguli 2014, arXiv:1312.6120)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate

import mlpjit as mj

STRENGTHS, START, RATE = np.array([2.0, 1.5, 1.0, 0.5]), 0.01, 1e-3


def trained(layers: int, steps: int, every: int) -> np.ndarray:
    """The network's diagonal each `every` steps of gradient descent on X = 1 and Y = diag(strengths).

    Balanced and aligned: every W is START^(1 / layers) times the identity, and biases are held at 0. Their loss is
    |Y - yhat|^2 / 2 over all samples, ours the mean of |Y - yhat|^2: the rate is theirs times n / 2.
    """
    count = len(STRENGTHS)
    net = mj.Network([count] * (layers + 1), "identity", loss="mse", dtype="float64")
    params = net.init({"name": "identity", "gain": START ** (1 / layers)})
    sgd, x, y, found = mj.optimizers["sgd"], np.eye(count), np.diag(STRENGTHS), []
    state = sgd.init(params)
    for step in range(steps):
        if step % every == 0:
            found.append(np.diag(net.predict(params, x)))
        params, state = sgd.update(params, net.loss_and_grad(params, x, y)[1], state, learning_rate=RATE * count / 2)
        for layer in net.layers(params):
            layer["b"][:] = 0.0
    return np.array(found)


def test_two_layers_follow_the_closed_form():
    """u(t) = s e^(2 s t lr) / (e^(2 s t lr) - 1 + s / u0); Euler's method is off by about lr s."""
    found, t = trained(2, 3000, 100), np.arange(0, 3000, 100)[:, None]
    grown = np.exp(2 * STRENGTHS * t * RATE)
    np.testing.assert_allclose(found, STRENGTHS * grown / (grown - 1 + STRENGTHS / START), rtol=0.01)


def test_the_strongest_mode_is_half_learned_when_it_should_be():
    """t_half = ln((s - u0) / u0) / (2 s lr) = 1323.3 steps for s = 2."""
    found = trained(2, 1500, 1)[:, 0]
    half = math.log((2.0 - START) / START) / (2 * 2.0 * RATE)
    assert half == pytest.approx(1323.3, abs=0.05)
    assert np.argmax(found >= 1.0) == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("layers", [3, 4])
def test_deeper_networks_follow_their_equation(layers):
    """du/dt = D u^(2 - 2/D) (s - u) lr, integrated by SciPy."""
    steps, every = 4000, 400
    found, times = trained(layers, steps, every), np.arange(0, steps, every)
    for mode, strength in enumerate(STRENGTHS):
        solved = scipy.integrate.solve_ivp(
            lambda _, u, s=strength: layers * np.abs(u) ** (2 - 2 / layers) * (s - u) * RATE,
            (0, steps), [START], t_eval=times, rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(found[:, mode], solved.y[0], rtol=0.03)
