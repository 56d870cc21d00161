"""Fact A11: moments of activations under the standard normal distribution, and where they bend, by our kernels."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from mlpjit.catalogue.registries import activations
from mlpjit.training import linking

# E f, E f^2, E f'^2 for z ~ N(0, 1). Those of the piecewise linear ones follow from E max(0, z) = 1 / sqrt(2 pi).
CONSTANTS = {
    "identity": (0.0, 1.0, 1.0),
    "sigmoid": (0.5, 0.293379, 0.044836),
    "tanh": (0.0, 0.394294, 0.464403),
    "relu": (0.398942, 0.5, 0.5),
    "leaky_relu": (0.99 * 0.398942, 0.5 * 1.0001, 0.5 * 1.0001),
    "prelu": (0.75 * 0.398942, 0.5 * 1.0625, 0.5 * 1.0625),
    "elu": (0.160521, 0.644945, 0.668102),
    "gelu": (0.282095, 0.425221, 0.455851),
    "silu": (0.206621, 0.355776, 0.379482),
    "selu": (0.0, 1.0, 1.071575),
    "softplus": (0.806059, 0.921246, 0.293379),
    "softsign": (0.0, 0.183014, 0.227671),
    "erf": (0.0, 0.464559, 0.569410),
    "lecun_tanh": (0.0, 0.750430, 0.803989),
    "celu": (0.160521, 0.644945, 0.668102),
}
# Not among the facts: half moments of z, the characteristic function of z, and for the rest mpmath's quadrature of
# their definitions, to 25 digits.
CONSTANTS |= {
    "relu_squared": (0.5, 1.5, 2.0),
    "sine": (0.0, (1 - exp(-2)) / 2, (1 + exp(-2)) / 2),
    "snake": ((1 - exp(-2)) / 2, 1 + (3 - 4 * exp(-2) + exp(-8)) / 8, 1 + (1 - exp(-8)) / 2),
    "hard_tanh": (0.0, 0.516058551, 0.6826894921),
    "hard_sigmoid": (0.5, 0.2776390911, 0.02770278344),
    "relu6": (0.3989422802, 0.4999999981, 0.499999999),
    "hard_swish": (0.1662167007, 0.3315673751, 0.3585315172),
    "gelu_tanh": (0.2820385881, 0.425193711, 0.455817846),
    "mish": (0.2404038884, 0.4523421924, 0.4790837584),
}
# Weight and bias variance of the edge of chaos through q = 1 (fact A5): 1 / E f'^2, and what it leaves of q.
EDGE_OF_CHAOS = {
    "gelu": (2.193700, 0.067192), "silu": (2.635169, 0.062472), "elu": (1.496777, 0.034660),
    "tanh": (2.153303, 0.150965),
}  # fmt: skip
# Where f is least, and its value there.
MINIMA = {"gelu": (-0.75179152, -0.16997121), "silu": (-1.27846454, -0.27846454), "mish": (-1.19243122, -0.30884341)}
# Second moment of selu after so many layers of LeCun-normal weights, from 0.5 and from 2 (fact A10).
SELU_LAYERS = (1, 2, 3, 5, 10, 20)
SELU_MOMENTS = {
    0.5: (0.5792, 0.6509, 0.7138, 0.8128, 0.9408, 0.9947), 2.0: (1.7225, 1.5312, 1.3959, 1.2266, 1.0617, 1.0052)
}  # fmt: skip


def evaluate(name: str, z: np.ndarray) -> list[np.ndarray]:
    found = [np.empty_like(z) for _ in range(3)]
    call = linking.activation(name, "float64", "evaluation").call
    call(z.size, z.ctypes.data, *(a.ctypes.data for a in found))
    return found


def points() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of E g(z) = sum w g: Gauss-Legendre between any two of the places with a kink."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    edges = np.array([-12, -6, -3, -1, 0, 1, 3, 6, 12])
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    z = (middle[:, None] + half[:, None] * nodes).ravel()
    return z, (half[:, None] * weights).ravel() * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def moments(name: str, spread: float = 1.0) -> tuple[float, float, float]:
    """Return E f, E f^2, E f'^2 at z ~ N(0, spread^2)."""
    z, weight = points()
    f, df, _ = evaluate(name, spread * z)
    return float(weight @ f), float(weight @ f**2), float(weight @ df**2)


def test_every_activation_has_its_constants():
    assert set(CONSTANTS) == set(activations)


@pytest.mark.parametrize("name", list(activations))
def test_moments(name):
    assert moments(name) == pytest.approx(CONSTANTS[name], abs=1e-6)


@pytest.mark.parametrize("name", EDGE_OF_CHAOS)
def test_edge_of_chaos(name):
    _, second, slope = moments(name)
    assert (1 / slope, 1 - second / slope) == pytest.approx(EDGE_OF_CHAOS[name], abs=2e-6)


@pytest.mark.parametrize("name", MINIMA)
def test_minima(name):
    """The zero of df, by bisection."""
    low, high = -2.0, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if evaluate(name, np.array([middle]))[1][0] < 0 else (low, middle)
    assert (low, evaluate(name, np.array([low]))[0][0]) == pytest.approx(MINIMA[name], abs=1e-8)


def test_gelu_by_the_sigmoid_is_two_hundredths_off():
    """z sigmoid(1.702 z), the other approximation of Hendrycks & Gimpel, from silu: 2.033e-2."""
    z = np.linspace(-6, 6, 120_001)
    assert np.abs(evaluate("silu", 1.702 * z)[0] / 1.702 - evaluate("gelu", z)[0]).max() == pytest.approx(
        2.033e-2, abs=5e-6
    )


def test_lecun_tanh_is_one_at_one_and_bends_most_nearly_there():
    assert evaluate("lecun_tanh", np.array([1.0]))[0][0] == pytest.approx(0.9999973, abs=1e-7)
    z = np.linspace(0.5, 1.5, 100_001)
    assert z[np.abs(evaluate("lecun_tanh", z)[2]).argmax()] == pytest.approx(0.98772, abs=1e-5)


def test_mean_0_and_variance_1_are_the_fixed_point_of_selu():
    """Fact A10, Klambauer et al. 2017: the scale and alpha that solve E f = 0, E f^2 = 1."""
    mean, second, _ = moments("selu")
    assert (mean, second) == pytest.approx((0.0, 1.0), abs=1e-12)
    scale, below = evaluate("selu", np.array([1.0]))[0][0], -evaluate("selu", np.array([-100.0]))[0][0]
    assert (scale, below / scale) == pytest.approx((1.0507009874, 1.6732632424), abs=1e-10)


def test_the_fixed_point_of_selu_attracts():
    """Equation 6: how E f and Var f at (0, 1) follow the variance. Weights that sum to 0 make the mean's column 0."""

    def moved(variance: float) -> np.ndarray:
        first, second, _ = moments("selu", np.sqrt(variance))
        return np.array([first, second - first**2])

    h = 1e-5
    np.testing.assert_allclose((moved(1 + h) - moved(1 - h)) / (2 * h), [0.0888348, 0.7826479], atol=1e-7)


@pytest.mark.parametrize("start", SELU_MOMENTS)
def test_second_moments_of_selu_approach_1_layer_by_layer(start):
    """q -> E f(sqrt(q) z)^2, by quadrature: infinitely wide layers."""
    found = [start]
    for _ in range(SELU_LAYERS[-1]):
        found.append(moments("selu", np.sqrt(found[-1]))[1])
    assert [found[i] for i in SELU_LAYERS] == pytest.approx(SELU_MOMENTS[start], abs=1e-4)


def test_the_largest_slope_of_gelu_is_where_it_stops_bending():
    """f'' = phi (2 - z^2) is 0 at sqrt 2, where f' is 1.1289: the scale of the saturation record."""
    _, slope, bend = evaluate("gelu", np.array([np.sqrt(2.0)]))
    assert slope[0] == pytest.approx(1.1289, abs=1e-4)
    assert abs(bend[0]) < 1e-15
