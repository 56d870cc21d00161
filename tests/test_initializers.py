"""Initializers: their variances, what they share, orthogonality, and dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from mlpjit.initialization import Draw
from mlpjit.network import layers_of, views
from mlpjit.parameters import initial_params
from mlpjit.registries import initializers

NAMES = list(initializers)
FAN_IN, FAN_OUT = 300, 200
# Variance of a weight, from the papers. Orthogonal: columns of unit length over fan_in >= fan_out entries.
VARIANCE = {
    "zeros": 0.0, "normal": 0.01**2, "xavier_uniform": 2 / (FAN_IN + FAN_OUT), "xavier_normal": 2 / (FAN_IN + FAN_OUT),
    "he_uniform": 2 / FAN_IN, "he_normal": 2 / FAN_IN, "lecun_uniform": 1 / FAN_IN, "lecun_normal": 1 / FAN_IN,
    "orthogonal": 1 / FAN_IN,
}  # fmt: skip


def weights(
    name: str, fan_in: int = FAN_IN, fan_out: int = FAN_OUT, seed: int = 0, layer: int = 0, **given: float
) -> np.ndarray:
    record = initializers[name]
    return record.function(Draw(seed, layer, fan_in, fan_out), **{**record.defaults, **given})


def test_every_initializer_has_an_expected_variance():
    assert set(VARIANCE) == set(initializers)


@pytest.mark.parametrize("name", NAMES)
def test_mean_and_variance(name):
    w = weights(name)
    assert w.shape == (FAN_IN, FAN_OUT)
    assert w.dtype == np.float64
    # The variance of 60,000 normal numbers scatters by sqrt(2 / 60,000) = 0.6 %.
    assert w.var() == pytest.approx(VARIANCE[name], rel=0.025)
    assert abs(w.mean()) <= 4 * math.sqrt(VARIANCE[name] / w.size)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("uniform")])
def test_uniform_weights_fill_their_interval(name):
    limit = math.sqrt(3 * VARIANCE[name])
    assert scipy.stats.kstest(weights(name).ravel(), "uniform", (-limit, 2 * limit)).pvalue > 0.001


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("normal")])
def test_normal_weights_are_normal(name):
    assert scipy.stats.kstest(weights(name).ravel(), "norm", (0, math.sqrt(VARIANCE[name]))).pvalue > 0.001


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_initializers_scale_the_same_draw(law):
    """So two of them differ by their scale alone, in the same run with the same seed."""
    he, lecun, xavier = (weights(f"{name}_{law}") for name in ("he", "lecun", "xavier"))
    np.testing.assert_allclose(he / lecun, math.sqrt(2), rtol=1e-15)
    np.testing.assert_allclose(he / xavier, math.sqrt((FAN_IN + FAN_OUT) / FAN_IN), rtol=1e-15)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "orthogonal"])
def test_gain_multiplies(name):
    np.testing.assert_allclose(weights(name, gain=1.5), 1.5 * weights(name), rtol=1e-15)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (100, 30), (30, 100), (1, 7), (7, 1), (1, 1)])
def test_orthogonal(fan_in, fan_out):
    q = weights("orthogonal", fan_in, fan_out)
    product = q.T @ q if fan_in >= fan_out else q @ q.T
    np.testing.assert_allclose(product, np.eye(min(fan_in, fan_out)), rtol=0, atol=1e-12)


def test_orthogonal_matrices_are_uniform():
    """Over rotations of the plane the angle is uniform and both orientations come equally often (Haar measure)."""
    made = np.array([weights("orthogonal", 2, 2, seed) for seed in range(2000)])
    angles = np.arctan2(made[:, 1, 0], made[:, 0, 0])
    assert scipy.stats.kstest(angles, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.001
    assert abs(np.linalg.det(made).sum()) < 4 * math.sqrt(2000)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "zeros"])
def test_seeds_and_layers_differ_and_repeat(name):
    made = [weights(name, 9, 5, seed, layer) for seed in (0, 1) for layer in (0, 1)]
    assert len({w.tobytes() for w in made}) == 4
    np.testing.assert_array_equal(weights(name, 9, 5, 1, 1), made[3])


@pytest.mark.parametrize("name", NAMES)
def test_packed_parameters(name):
    """float32 is the rounded float64; biases and beta are 0, gamma is 1; each layer has its own draw."""
    layers = layers_of([7, 5, 5, 5, 2], normalized=True)
    wide, narrow = (initial_params(layers, {"name": name}, 3, dtype) for dtype in ("float64", "float32"))
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))
    for index, tensors in enumerate(views(layers, wide)):
        np.testing.assert_array_equal(tensors["W"], weights(name, *tensors["W"].shape, 3, index))
        assert not tensors["b"].any()
        assert (tensors.get("gamma", np.ones(1)) == 1.0).all()
        assert not tensors.get("beta", np.zeros(1)).any()
