"""Facts A1, A2, A4, A5, A8, A12: how signals and gradients pass through networks as they are initialized."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.initialization.mean_field import edge_at_bias, edge_through, moments
from mlpjit.catalogue.registries import activations
from mlpjit.errors import ConfigError
from mlpjit.kernels.arithmetic.mapping import evaluate
from mlpjit.training.first_parameters import response


def erf(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return evaluate("erf", z), 2 / math.sqrt(math.pi) * np.exp(-z * z)


# Targets far from any output, so that the error signal at the last layer is random.
FAR = 1000.0


# A5: critical sigma_w^2 at sigma_b^2. Tolerance 1e-4.
EDGES = {
    "tanh": {0.0: 1.0, 0.001: 1.18919, 0.01: 1.42421, 0.05: 1.76095, 0.1: 1.98607, 0.3: 2.50513},
    "erf": {0.0: math.pi / 4, 0.001: 0.93258, 0.01: 1.11428, 0.05: 1.37584, 0.1: 1.55212, 0.3: 1.96307},
}


@pytest.mark.parametrize(("name", "bias"), [(name, bias) for name, table in EDGES.items() for bias in table])
def test_edge_of_chaos_at_a_bias(name, bias):
    found = edge_at_bias(erf if name == "erf" else response(name), bias, name)
    assert found == pytest.approx(EDGES[name][bias], abs=1e-4)


# A5: sigma_w^2 and sigma_b^2 of the edge through q = 1.
THROUGH_ONE = {
    "gelu": (2.193700, 0.067192), "elu": (1.496777, 0.034660), "tanh": (2.153303, 0.150965), "relu": (2.0, 0.0),
    "leaky_relu": (2 / 1.0001, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", THROUGH_ONE)
def test_edge_of_chaos_through_one(name):
    assert edge_through(response(name), 1.0) == pytest.approx(THROUGH_ONE[name], abs=1e-6)


@pytest.mark.parametrize("q", [0.5, 1.0])
def test_sigmoid_has_no_edge_there(q):
    assert edge_through(response("sigmoid"), q)[1] < 0


def test_relu_has_an_edge_without_bias_only():
    assert edge_at_bias(response("relu"), 0.0, "relu") == pytest.approx(2.0, rel=1e-15)
    with pytest.raises(ConfigError, match=r"'relu' has no edge of chaos with sigma_b = 0.1"):
        edge_at_bias(response("relu"), 0.01, "relu")


# A4: sigma_w^2 -> q*, chi at sigma_b^2 = 0.05. Quadrature to 1e-5.
FIXED_POINTS = {
    1.0: (0.193593, 0.759032), 1.3: (0.315316, 0.880164), 1.5: (0.418037, 0.938636), 2.0: (0.721762, 1.047666),
    2.5: (1.063958, 1.133516), 4.0: (2.195494, 1.342402),
}  # fmt: skip


@pytest.mark.parametrize("weight", FIXED_POINTS)
def test_fixed_points_of_tanh(weight):
    q = 1.0
    for _ in range(300):
        found = moments(response("tanh"), q)
        q = weight * found.second + 0.05
    assert (q, weight * found.slope) == pytest.approx(FIXED_POINTS[weight], abs=1e-5)


@pytest.mark.parametrize("weight", [1.5, 2.5])
def test_tanh_networks_follow_their_mean_field(weight):
    """Five nets of width 400 and depth 40: q* within 3 %, the slope of ln |delta|^2 over 25 layers within 0.02."""
    q, chi = FIXED_POINTS[weight]
    net, rng = mj.Network([400] * 42, "tanh", loss="mse", dtype="float64"), np.random.default_rng(0)
    spec = {"name": "mean_field", "sigma_w": math.sqrt(weight), "sigma_b": math.sqrt(0.05)}
    squares, slopes = [], []
    for seed in range(5):
        params, x = net.init(spec, seed), rng.normal(size=(1, 400))
        squares.append(np.mean(net.outputs(params, x)[39].z ** 2))
        signals = [np.sum(d * d) for d in net.deltas(params, x, FAR * rng.normal(size=(1, 400)))]
        slopes.append(np.polyfit(np.arange(25), np.log(signals[10:35]), 1)[0])
    assert np.mean(squares) == pytest.approx(q, rel=0.05)
    assert -np.mean(slopes) == pytest.approx(math.log(chi), abs=0.02)


def test_he_keeps_the_second_moment_and_lecun_halves_it():
    """A1: 24 nets, n = 256, L = 30. Mean ln |h_L|^2 / |h_0|^2 = -5 L / (2 n) = -0.293; their ratio is 2^L."""
    net, rng, logs = mj.Network([256] * 31, "relu", loss="mse", dtype="float64"), np.random.default_rng(0), []
    for seed in range(24):
        x = rng.normal(size=(8, 256))
        he, lecun = (net.outputs(net.init(name, seed), x)[29].z for name in ("he_normal", "lecun_normal"))
        powers = [np.sum(np.maximum(z, 0) ** 2, axis=1) for z in (he, lecun)]
        np.testing.assert_allclose(powers[0] / powers[1], 2.0**30, rtol=1e-9)
        logs.append(np.log(powers[0] / np.sum(x * x, axis=1)))
    assert np.mean(logs) == pytest.approx(-0.293, abs=0.45)


# A10: second moments of SELU's outputs behind so many layers, from inputs of another one.
SELU = {
    0.5: {1: 0.5792, 2: 0.6509, 3: 0.7138, 5: 0.8128, 10: 0.9408, 20: 0.9947},
    2.0: {1: 1.7225, 2: 1.5312, 3: 1.3959, 5: 1.2266, 10: 1.0617, 20: 1.0052},
}


def test_selu_networks_normalize_themselves():
    """Klambauer et al. 2017, with LeCun's normal weights: a net of width 1000, 50 inputs from each start, 3 %."""
    net, rng, selu = mj.Network([1000] * 22, "selu", loss="mse"), np.random.default_rng(0), mj.activations["selu"]
    params = net.init("lecun_normal", 1)
    for start, wanted in SELU.items():
        x = math.sqrt(start) * rng.normal(size=(50, 1000))
        made = net.outputs(params, x)
        powers = [np.mean(selu(made[layer - 1].z.astype(float)) ** 2) for layer in wanted]
        assert powers == pytest.approx(list(wanted.values()), rel=0.03)


# A2: Glorot & Bengio 2010: activation std of each layer, ratio of squared gradients of each layer and the next.
GLOROT = {
    "standard": ((0.4603, 0.2495, 0.1412, 0.0810, 0.0467), (0.2224, 0.2952, 0.3204, 0.3290)),
    "normalised": ((0.6279, 0.4863, 0.4082, 0.3576, 0.3216), (0.4644, 0.6365, 0.7267, 0.7818)),
}
SPECS = {"standard": {"name": "uniform", "limit": 1 / math.sqrt(1000)}, "normalised": {"name": "xavier_uniform"}}


@pytest.mark.parametrize("kind", GLOROT)
def test_glorot_signals(kind):
    net, rng = mj.Network([1000] * 7, "tanh", loss="mse"), np.random.default_rng(0)
    params, x = net.init(SPECS[kind], 1), rng.normal(size=(100, 1000))
    found = [float(made.a.std()) for made in net.outputs(params, x)[:5]]
    assert found == pytest.approx(GLOROT[kind][0], rel=0.02)
    signals = np.zeros(6)
    for row in range(20):
        signals += [np.sum(d * d) for d in net.deltas(params, x[row : row + 1], FAR * rng.normal(size=(1, 1000)))]
    assert (signals[:4] / signals[1:5]).tolist() == pytest.approx(GLOROT[kind][1], rel=0.03)


@pytest.mark.parametrize(("width", "depth"), [(2, 5), (3, 9)])
def test_dying_relu(width, depth):
    """A8: a net without biases is dead at an input with probability 1 - (1 - 2^-N)^H; 3 binomial deviations."""
    net, rng, count = mj.Network([4, *[width] * depth, 1], "relu", loss="mse"), np.random.default_rng(0), 1500
    dead = sum(not net.predict(net.init("he_normal", seed), rng.normal(size=(1, 4))).any() for seed in range(count))
    expected = 1 - (1 - 2.0**-width) ** depth
    assert dead / count == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / count))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(activations))
def test_lsuv_outputs_have_unit_variance(name, dtype):
    """A12: in every layer on its batch, to rounding; on a fresh batch of 1000 about 1, the first within 3 / sqrt B."""
    net, rng = mj.Network([30, 64, 50, 20, 10], name, dtype=dtype), np.random.default_rng(0)
    x, fresh = rng.normal(size=(2, 1000, 30)) + 0.5
    params = net.init({"name": "lsuv", "samples": 1000}, 0, x)
    allowed = 2e-6 if dtype == "float32" else 1e-12
    own, other = net.outputs(params, x), net.outputs(params, fresh)
    for layer in range(1, 5):
        assert float(own[layer - 1].z.astype(float).var()) == pytest.approx(1.0, abs=allowed)
        fresh_variance = float(other[layer - 1].z.var())
        assert fresh_variance == pytest.approx(1.0, abs=3 / math.sqrt(1000) if layer == 1 else 0.2)
