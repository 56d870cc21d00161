"""Fact A11: moments of activations under the standard normal distribution, and where they bend, by our kernels."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit import compiled
from mlpjit.registries import activations

# E f, E f^2, E f'^2 for z ~ N(0, 1). Those of the piecewise linear ones follow from E max(0, z) = 1 / sqrt(2 pi).
CONSTANTS = {
    "identity": (0.0, 1.0, 1.0),
    "sigmoid": (0.5, 0.293379, 0.044836),
    "tanh": (0.0, 0.394294, 0.464403),
    "relu": (0.398942, 0.5, 0.5),
    "leaky_relu": (0.99 * 0.398942, 0.5 * 1.0001, 0.5 * 1.0001),
    "elu": (0.160521, 0.644945, 0.668102),
    "gelu": (0.282095, 0.425221, 0.455851),
}
# Weight and bias variance of the edge of chaos through q = 1 (fact A5): 1 / E f'^2, and what it leaves of q.
EDGE_OF_CHAOS = {"gelu": (2.193700, 0.067192), "elu": (1.496777, 0.034660), "tanh": (2.153303, 0.150965)}


def evaluate(name: str, z: np.ndarray) -> list[np.ndarray]:
    found = [np.empty_like(z) for _ in range(3)]
    call = compiled.activation(name, "float64", "evaluation").call
    call(z.size, z.ctypes.data, *(a.ctypes.data for a in found))
    return found


def moments(name: str) -> tuple[float, float, float]:
    """Integrate over each side of 0, where some have a kink, by Gauss-Legendre on 12 standard deviations."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z = np.concatenate([-6 * (nodes + 1), 6 * (nodes + 1)])
    density = np.tile(6 * weights, 2) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    f, df, _ = evaluate(name, z)
    return float(density @ f), float(density @ f**2), float(density @ df**2)


def test_every_activation_has_its_constants():
    assert set(CONSTANTS) == set(activations)


@pytest.mark.parametrize("name", list(activations))
def test_moments(name):
    assert moments(name) == pytest.approx(CONSTANTS[name], abs=1e-6)


@pytest.mark.parametrize("name", EDGE_OF_CHAOS)
def test_edge_of_chaos(name):
    _, second, slope = moments(name)
    assert (1 / slope, 1 - second / slope) == pytest.approx(EDGE_OF_CHAOS[name], abs=2e-6)


def test_the_minimum_of_gelu():
    """-0.16997121 at -0.75179152: the zero of df, by bisection."""
    low, high = -2.0, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if evaluate("gelu", np.array([middle]))[1][0] < 0 else (low, middle)
    assert low == pytest.approx(-0.75179152, abs=1e-8)
    assert evaluate("gelu", np.array([low]))[0][0] == pytest.approx(-0.16997121, abs=1e-8)


def test_the_largest_slope_of_gelu_is_where_it_stops_bending():
    """f'' = phi (2 - z^2) is 0 at sqrt 2, where f' is 1.1289: the scale of the saturation record."""
    _, slope, bend = evaluate("gelu", np.array([np.sqrt(2.0)]))
    assert slope[0] == pytest.approx(1.1289, abs=1e-4)
    assert abs(bend[0]) < 1e-15
