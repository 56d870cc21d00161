"""Initializers: distributions in closed form, what they share, exact properties, biases, dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

import mlpjit as mj
from mlpjit.catalogue.initialization import Draw
from mlpjit.catalogue.registries import initializers
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.run import Run
from mlpjit.training.shape import layers_of, views

NAMES = list(initializers)
FAN_IN, FAN_OUT = 300, 200
X = np.random.default_rng(0).normal(size=(64, 7))


def uniform(variance: float) -> Any:
    limit = math.sqrt(3 * variance)
    return scipy.stats.uniform(-limit, 2 * limit)


def normal(variance: float) -> Any:
    return scipy.stats.norm(0, math.sqrt(variance))


# The law of one weight, where weights are independent.
LAWS = {
    "normal": normal(0.01**2), "uniform": scipy.stats.uniform(-0.05, 0.1),
    "truncated_normal": scipy.stats.truncnorm(-2, 2, scale=0.02),
    "xavier_uniform": uniform(2 / (FAN_IN + FAN_OUT)), "xavier_normal": normal(2 / (FAN_IN + FAN_OUT)),
    "he_uniform": uniform(2 / FAN_IN), "he_normal": normal(2 / FAN_IN),
    "lecun_uniform": uniform(1 / FAN_IN), "lecun_normal": normal(1 / FAN_IN),
    "torch_default": scipy.stats.uniform(-1 / math.sqrt(FAN_IN), 2 / math.sqrt(FAN_IN)),
    "mean_field": normal(1 / FAN_IN), "mup": normal(1 / FAN_IN),
}  # fmt: skip
# Mean square of the weights, exact, of the others.
POWERS = {
    "zeros": 0.0, "constant": 0.01, "orthogonal": 1 / FAN_IN, "lsuv": 1 / FAN_IN, "identity": 1 / FAN_IN,
    "sparse": None,
}  # fmt: skip
# Nothing is drawn: the same for every seed and layer.
FIXED = ("zeros", "constant", "identity")


def made(name: str, fan_in: int = FAN_IN, fan_out: int = FAN_OUT, seed: int = 0, layer: int = 0, **given: Any) -> Any:
    record = initializers[name]
    draw = Draw(seed, layer, fan_in, fan_out, **{k: given.pop(k) for k in ("reads", "last") if k in given})
    return record.function(draw, **{**record.defaults, **given})


def weights(name: str, *arguments: Any, **given: Any) -> np.ndarray:
    found = made(name, *arguments, **given)
    return found[0] if isinstance(found, tuple) else found


def test_every_initializer_has_its_law():
    assert {*LAWS, *POWERS} == set(initializers)
    assert not set(LAWS) & set(POWERS)


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_dtype(name):
    w = weights(name)
    assert w.shape == (FAN_IN, FAN_OUT)
    assert w.dtype == np.float64


@pytest.mark.parametrize("name", list(LAWS))
def test_laws(name):
    w = weights(name)
    assert scipy.stats.kstest(w.ravel(), LAWS[name].cdf).pvalue > 0.001
    # The variance of 60,000 normal numbers scatters by sqrt(2 / 60,000) = 0.6 %.
    assert w.var() == pytest.approx(LAWS[name].var(), rel=0.025)
    assert abs(w.mean()) <= 4 * LAWS[name].std() / math.sqrt(w.size)


@pytest.mark.parametrize("name", [name for name in POWERS if POWERS[name] is not None])
def test_powers(name):
    assert np.mean(weights(name) ** 2) == pytest.approx(POWERS[name], rel=1e-12)


@pytest.mark.parametrize("name", ["uniform", "torch_default"])
def test_bounded_laws_keep_and_fill_their_interval(name):
    limit = LAWS[name].support()[1]
    assert 0.9999 * limit < abs(weights(name)).max() <= limit


def test_truncation_keeps_its_bound_and_the_normal_draws_within():
    cut, plain = weights("truncated_normal", std=1.0, cut=1.0), weights("normal", std=1.0)
    assert 0.999 < abs(cut).max() <= 1.0
    inside = abs(plain) <= 1.0
    np.testing.assert_array_equal(cut[inside], plain[inside])
    assert len(np.unique(cut)) == cut.size


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_initializers_scale_the_same_draw(law):
    """So two of them differ by their scale alone, in the same run with the same seed."""
    he, lecun, xavier, plain = (weights(f"{name}{law}") for name in ("he_", "lecun_", "xavier_", ""))
    np.testing.assert_allclose(he / lecun, math.sqrt(2), rtol=1e-15)
    np.testing.assert_allclose(he / xavier, math.sqrt((FAN_IN + FAN_OUT) / FAN_IN), rtol=1e-15)
    ratio = he / plain
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-14)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "he_normal", "orthogonal", "identity", "mup"])
def test_gain_multiplies(name):
    np.testing.assert_allclose(weights(name, gain=1.5), 1.5 * weights(name, gain=1.0), rtol=1e-15)


@pytest.mark.parametrize("law", ["normal", "uniform"])
@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 300), ("fan_out", 200), ("average", 250)])
def test_modes_of_he(law, mode, fan):
    np.testing.assert_allclose(weights(f"he_{law}", mode=mode) / weights(f"he_{law}"), math.sqrt(300 / fan), rtol=1e-15)


# Fact A11: 1 / E f^2 and 1 / E f'^2; torch.nn.init.calculate_gain.
GAINS = [
    ("tanh", "activation", math.sqrt(1 / 0.394294)), ("tanh", "slope", math.sqrt(1 / 0.464403)),
    ("gelu", "activation", math.sqrt(1 / 0.425221)), ("gelu", "slope", math.sqrt(1 / 0.455851)),
    ("relu", "activation", math.sqrt(2)), ("relu", "slope", math.sqrt(2)), ("tanh", "torch", 5 / 3),
    ("sigmoid", "torch", 1.0), ("sigmoid", "relu", math.sqrt(2)), ("sigmoid", 3.0, 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "gain", "expected"), GAINS)
def test_gains(activation, gain, expected):
    """Each layer's gain is that of the activation it reads; the first reads data, where every law asks for 1."""
    layers = layers_of([7, 5, 2])
    spec = {"name": "he_normal", "gain": gain}
    found, plain = (
        views(layers, initial_params(layers, s, 3, "float64", [activation, "identity"]))
        for s in (spec, {"name": "lecun_normal"})
    )
    np.testing.assert_allclose(found[1]["W"], expected * plain[1]["W"], rtol=2e-6)
    first = {"relu": math.sqrt(2), 3.0: 3.0}.get(gain, 1.0)
    np.testing.assert_allclose(found[0]["W"], first * plain[0]["W"], rtol=1e-15)


@pytest.mark.parametrize("name", ["orthogonal", "lsuv"])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (100, 30), (30, 100), (1, 7), (7, 1), (1, 1)])
def test_orthogonal(name, fan_in, fan_out):
    q = weights(name, fan_in, fan_out)
    product = q.T @ q if fan_in >= fan_out else q @ q.T
    np.testing.assert_allclose(product, np.eye(min(fan_in, fan_out)), rtol=0, atol=1e-12)


def test_orthogonal_matrices_are_uniform():
    """Over rotations of the plane the angle is uniform and both orientations come equally often (Haar measure)."""
    drawn = np.array([weights("orthogonal", 2, 2, seed) for seed in range(2000)])
    angles = np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0])
    assert scipy.stats.kstest(angles, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.001
    assert abs(np.linalg.det(drawn).sum()) < 4 * math.sqrt(2000)


@pytest.mark.parametrize(("fan_in", "connections"), [(300, 15), (300, 150), (10, 15)])
def test_sparse_units_read_as_many_inputs_each(fan_in, connections):
    w, dense = weights("sparse", fan_in, 200, connections=connections), weights("normal", fan_in, 200, std=1.0)
    kept = w != 0
    assert set(kept.sum(axis=0)) == {min(fan_in, connections)}
    np.testing.assert_array_equal(w[kept], dense[kept])
    # Every input is as likely: counts are binomial.
    rate = min(1, connections / fan_in)
    assert abs(kept.sum(axis=1) - 200 * rate).max() <= 5 * math.sqrt(200 * rate * (1 - rate)) + 1e-9


@pytest.mark.parametrize(("fan_in", "fan_out"), [(4, 4), (2, 5), (5, 2)])
def test_identity_passes_what_fits(fan_in, fan_out):
    x = np.arange(1.0, fan_in + 1)
    expected = np.concatenate([x, np.zeros(fan_out)])[:fan_out]
    np.testing.assert_array_equal(x @ weights("identity", fan_in, fan_out), expected)


def test_output_weights_of_mup_shrink_with_the_width():
    """Table 3: variance 1 / fan_in^2 for the last layer, 1 / fan_in for all before; equal at the base width."""
    layers = {n: layers_of([7, n, n, 3]) for n in (64, 256)}
    for width, each in layers.items():
        found, plain = (
            views(each, initial_params(each, {"name": name}, 3, "float64", ["relu", "relu", "identity"]))
            for name in ("mup", "lecun_normal")
        )
        for index, factor in enumerate([1, 1, math.sqrt(64 / width)]):
            np.testing.assert_allclose(found[index]["W"], factor * plain[index]["W"], rtol=1e-15)


def biases(name: str, **given: Any) -> list[np.ndarray]:
    layers = layers_of([7, 3000, 2000, 2])
    activations = ["tanh", "tanh", "identity"]
    return [v["b"] for v in views(layers, initial_params(layers, {"name": name, **given}, 0, "float64", activations))]


def test_biases_of_torch():
    first, second, _ = biases("torch_default")
    for b, fan_in in ((first, 7), (second, 3000)):
        assert scipy.stats.kstest(b, uniform(1 / (3 * fan_in)).cdf).pvalue > 0.001
    assert abs(np.corrcoef(first[:2000], second)[0, 1]) < 0.1


def test_biases_of_mean_field():
    for b in biases("mean_field", sigma_w=1.5, sigma_b=0.3)[:2]:
        assert scipy.stats.kstest(b, normal(0.09).cdf).pvalue > 0.001
    first, second, _ = biases("mean_field")
    assert not first.any()
    assert scipy.stats.kstest(second, normal(0.150965).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FIXED])
def test_seeds_and_layers_differ_and_repeat(name):
    drawn = [weights(name, 19, 5, seed, layer) for seed in (0, 1) for layer in (0, 1)]
    assert len({w.tobytes() for w in drawn}) == 4
    np.testing.assert_array_equal(weights(name, 19, 5, 1, 1), drawn[3])


@pytest.mark.parametrize("name", [name for name in NAMES if not initializers[name].rescale])
def test_packed_parameters(name):
    """float32 is the rounded float64; beta is 0, gamma is 1; each layer has its own draw."""
    layers = layers_of([7, 5, 5, 5, 2], "batch")
    activations = ["identity"] * 4
    wide, narrow = (initial_params(layers, {"name": name}, 3, dtype, activations) for dtype in ("float64", "float32"))
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))
    for index, tensors in enumerate(views(layers, wide)):
        expected = made(name, *tensors["W"].shape, 3, index, last=index == 3)
        w, b = expected if isinstance(expected, tuple) else (expected, 0.0)
        np.testing.assert_array_equal(tensors["W"], w)
        np.testing.assert_array_equal(tensors["b"], b)
        assert (tensors.get("gamma", np.ones(1)) == 1.0).all()
        assert not tensors.get("beta", np.zeros(1)).any()


def test_a_run_and_a_network_begin_alike():
    """A data-driven initializer sees the first training samples of a run."""
    run = Run(RunConfig(init={"name": "lsuv", "samples": 100}, hidden=[19, 6], activation="gelu", seed=2))
    net = mj.Network([64, 19, 6, 10], "gelu")
    np.testing.assert_array_equal(net.init({"name": "lsuv", "samples": 100}, 2, run.data.x_train), run.params)
    assert not np.array_equal(net.init("lsuv", 2, run.data.x_train), run.params)


WRONG = [
    ({"name": "he_normal", "mode": "fan"}, "init: mode: got 'fan', need 'fan_in' or 'fan_out' or 'average'"),
    ({"name": "he_normal", "mode": 1}, "init: mode: got 1, need 'fan_in' or"),
    ({"name": "he_normal", "gain": "rleu"}, "init: gain: got 'rleu', need 'relu' or 'activation' or 'slope' or"),
    ({"name": "he_normal", "gain": -1}, "init: gain: got -1.0, need 'relu' or 'activation' or"),
    ({"name": "he_normal", "gain": "torch"}, "init gain 'torch' with activation 'gelu': PyTorch has no gain for it"),
    ({"name": "sparse", "connections": 0}, "init: connections: got 0, need 1 or more"),
    ({"name": "truncated_normal", "cut": 0.1}, "init: cut: got 0.1, need 0.5 or more"),
    ({"name": "mean_field", "sigma_w": "edge"}, "init: sigma_w: got 'edge', need 'edge_of_chaos' or 0 or more"),
]


@pytest.mark.parametrize(("spec", "line"), WRONG, ids=lambda value: str(value))
def test_wrong_settings(spec, line):
    with pytest.raises(ConfigError) as raised:
        RunConfig(init=spec, activation="gelu")
    assert [found for found in raised.value.problems if found.startswith(line)], raised.value.problems


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("lsuv", "initializer 'lsuv' looks at data: give x"),
        ("mean_field", "mean_field: 'sigmoid' has no edge of chaos through q = 1"),
        ({"name": "mean_field", "sigma_b": 0.0}, "mean_field: 'sigmoid' has no edge of chaos with sigma_b = 0"),
        ({"name": "mean_field", "sigma_w": 1.0}, "mean_field: sigma_b = 'edge_of_chaos' needs sigma_w ="),
        ({"name": "he_normal", "gain": "torch"}, "init: PyTorch has no gain for activation 'elu'"),
    ],
)
def test_what_cannot_be_initialized(spec, line):
    with pytest.raises(ConfigError, match=line):
        mj.Network([3, 4, 2], "elu" if "gain" in spec else "sigmoid").init(spec)
