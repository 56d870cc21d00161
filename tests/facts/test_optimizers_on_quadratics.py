"""Facts A13, A14 and A21: how fast optimizers are on quadratics, where they stop being stable, DeepOBS' own logs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mlpjit as mj

LOGS = Path(__file__).parents[1] / "data" / "deepobs_quadratic_gd.csv"
LOW, HIGH = 1.0, 100.0
SPECTRUM = np.geomspace(LOW, HIGH, 60)
ROOT = np.sqrt(HIGH / LOW)
# name, settings, rate, the factor |x| shrinks by in a step, whether |x| carries a factor t besides (double roots).
RATES = [
    ("sgd", {}, 2 / (HIGH + LOW), (HIGH / LOW - 1) / (HIGH / LOW + 1), False),
    ("momentum", {"momentum": ((ROOT - 1) / (ROOT + 1)) ** 2}, 4 / (np.sqrt(HIGH) + np.sqrt(LOW)) ** 2,
     (ROOT - 1) / (ROOT + 1), True),
    ("nesterov", {"momentum": (ROOT - 1) / (ROOT + 1)}, 1 / HIGH, 1 - 1 / ROOT, True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "rate", "factor", "doubled"), RATES, ids=[r[0] for r in RATES])
def test_rates_of_convergence(name, settings, rate, factor, doubled):
    """Polyak 1964; Nesterov 2004: on eigenvalues from 1 to 100, fitted late."""
    quadratic, opt = mj.Quadratic(diagonal=SPECTRUM), mj.optimizers[name](**settings)
    found = mj.steps(opt, np.ones(60), quadratic, learning_rate=rate, steps=1200, every=400).params[2:]
    norms = np.linalg.norm(found, axis=1) / ([800, 1200] if doubled else 1)
    assert (norms[1] / norms[0]) ** (1 / 400) == pytest.approx(factor, rel=5e-3)


CURVATURE = 3.0
# The largest stable rate over 1 / h (Polyak 1964; Nesterov by the roots of its recursion), b the momentum.
THRESHOLDS: dict[str, tuple[str, dict[str, bool], Callable[[float], float]]] = {
    "sgd": ("sgd", {}, lambda b: 2.0),
    "momentum": ("momentum", {}, lambda b: 2.0 * (1.0 + b)),
    "ema": ("momentum", {"ema": True}, lambda b: 2.0 * (1.0 + b) / (1.0 - b)),
    "inside": ("momentum", {"rate_inside": True}, lambda b: 2.0 * (1.0 + b)),
    "nesterov": ("nesterov", {}, lambda b: (2.0 + 2.0 * b) / (1.0 + 2.0 * b)),
    "nesterov-ema": ("nesterov", {"ema": True}, lambda b: (2.0 + 2.0 * b) / ((1.0 + 2.0 * b) * (1.0 - b))),
}


@pytest.mark.parametrize("b", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("form", THRESHOLDS)
def test_stability_thresholds(form, b):
    """|x| < 1 after 4000 steps on h x^2 / 2 from x = 1, just below the threshold, and not just above."""
    name, settings, limit = THRESHOLDS[form]
    opt = mj.optimizers[name](**settings, **({} if name == "sgd" else {"momentum": b}))
    quadratic, rate = mj.Quadratic(diagonal=CURVATURE * np.array([0.99, 1.01])), limit(b) / CURVATURE
    found = mj.steps(opt, np.ones(2), quadratic, learning_rate=rate, steps=4000, every=4000, bounds=(-1e100, 1e100))
    below, above = np.abs(found.params[-1])
    assert below < 1.0 < above


def deepobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (Hessian, training data, test data) of DeepOBS' 100-dimensional quadratic."""
    rng = np.random.RandomState(42)  # the data are what this generator gives
    eigenvalues = np.concatenate([rng.uniform(0, 1, 90), rng.uniform(30, 60, 10)])
    angle = 2 * np.pi * rng.uniform()
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for d in range(2, 100):
        v = rng.normal(size=(d + 1, 1))
        x = -v / np.linalg.norm(v)
        x[0] += 1
        x /= np.linalg.norm(x)
        grown = np.eye(d + 1)
        grown[1:, 1:] = rotation
        rotation = grown - 2 * x @ (x.T @ grown)
    rotation = -rotation
    data = [np.random.RandomState(seed).normal(0, 0.6, (1000, 100)) for seed in (42, 43)]
    return rotation.T @ np.diag(eigenvalues) @ rotation, *data


HESSIAN, TRAIN, TEST = deepobs()


def quadratic_loss(theta: np.ndarray, x: np.ndarray) -> float:
    away = theta - x
    return float(np.mean(0.5 * np.sum(away @ HESSIAN * away, axis=1)))


def logged() -> list[tuple[float, float]]:
    """Return (rate, mean final test loss) of the logged runs; inf where they diverged."""
    found: dict[float, list[float]] = {}
    with LOGS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(float(row["learning_rate"]), []).append(float(row["test_loss_end"]))
    return [(rate, float(np.mean(np.nan_to_num(losses, nan=np.inf, posinf=np.inf)))) for rate, losses in found.items()]


def final_losses(rate: float, seeds: int) -> list[float]:
    """Return the test losses after 100 epochs of batches of 128, the remainder dropped, in an order for each seed."""
    orders = [np.random.default_rng(seed) for seed in range(seeds)]
    batches = [[rng.permutation(1000)[:896].reshape(7, 128) for _ in range(100)] for rng in orders]
    means = TRAIN[np.reshape(batches, (seeds, 700, 128))].mean(axis=2)
    quadratic = mj.Quadratic(HESSIAN, linear=means @ HESSIAN)
    found = mj.steps(mj.optimizers["sgd"], np.ones((seeds, 100)), quadratic, learning_rate=rate, every=700)
    return [quadratic_loss(theta, TEST[:896]) for theta in found.params[:, -1]]


def test_the_quadratic_is_that_of_deepobs():
    assert np.linalg.eigvalsh(HESSIAN)[-1] == pytest.approx(53.129015, abs=1e-6)
    assert quadratic_loss(np.ones(100), TEST[:896]) == pytest.approx(353.446764, abs=2e-5)


def test_single_steps_from_python_are_those_of_one_call():
    """Any gradient will do: that of the quadratic, in full batches, and as it was listed on the way."""
    opt, theta, listed = mj.optimizers["sgd"], np.ones(100), []
    state = opt.init(theta)
    for _ in range(700):
        listed.append((theta - TRAIN.mean(axis=0)) @ HESSIAN)
        theta, state = opt.update(theta, listed[-1], state, learning_rate=0.01)
    found = mj.steps(opt, np.ones(100), np.array(listed), learning_rate=0.01)
    np.testing.assert_array_equal(theta, found.params[-1])
    assert quadratic_loss(theta, TEST[:896]) == pytest.approx(87.28, abs=0.3)


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
@pytest.mark.parametrize(("rate", "wanted"), logged())
def test_final_losses_as_deepobs_logged_them(rate, wanted):
    """Schneider, Balles & Hennig 2019, arXiv:1903.05499: 0.3, or three deviations over the order of the data."""
    found = final_losses(rate, 3)
    if np.isinf(wanted):
        assert not np.isfinite(found).all() or min(found) > 1e10
    else:
        spread = 3 * np.std(found, ddof=1)
        assert np.mean(found) == pytest.approx(wanted, abs=max(0.3, spread))
