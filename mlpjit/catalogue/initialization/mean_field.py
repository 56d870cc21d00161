"""Moments of an activation under Gaussian pre-activations, and the edge of chaos: the scale that a layer should have.

The recursion over layers (Poole et al. 2016, arXiv:1606.05340, eq. 3; Schoenholz et al. 2017, arXiv:1611.01232):
q' = sigma_w^2 E f(z)^2 + sigma_b^2 and, for squared gradients, chi = sigma_w^2 E f'(z)^2, z ~ N(0, q). All bits are
the same on every CPU: nodes and weights in closed form, our exponential, exactly rounded sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

# z (n,) float64 -> f(z), f'(z)
Response = Callable[["np.ndarray"], tuple["np.ndarray", "np.ndarray"]]

FAR = 12.0  # standard deviations to each side: the density beyond is 1e-32
# Gauss-Legendre with five nodes on (-1, 1), which no kink at the end of a panel touches.
INNER, OUTER = (math.sqrt(5.0 + sign * 2.0 * math.sqrt(10.0 / 7.0)) / 3.0 for sign in (-1.0, 1.0))
NODES = (-OUTER, -INNER, 0.0, INNER, OUTER)
LIGHT, HEAVY = ((322.0 + sign * 13.0 * math.sqrt(70.0)) / 900.0 for sign in (-1.0, 1.0))
WEIGHTS = (LIGHT, HEAVY, 128.0 / 225.0, HEAVY, LIGHT)
# Where the edge of chaos is looked for: q from 2^-50 to 2^12.
LOWEST, HIGHEST, HALVINGS = -50, 12, 60


@dataclass(frozen=True)
class Moments:
    """E f^2 and E f'^2."""

    second: float
    slope: float


def moments(response: Response, q: float = 1.0) -> Moments:
    """Return E f(z)^2 and E f'(z)^2 for z ~ N(0, q), to about 1e-13 where kinks lie at whole numbers."""
    import numpy as np

    from mlpjit.kernels.arithmetic.mapping import evaluate

    deviation = math.sqrt(q)
    # A power of two, so that whole numbers are ends of panels.
    width = math.ldexp(1.0, math.frexp(deviation / 8.0)[1] - 1)
    panels = math.ceil(FAR * deviation / width)
    centres = (np.arange(-panels, panels) + 0.5) * width
    z = np.concatenate([centres + 0.5 * width * node for node in NODES])
    weights = np.repeat(np.array(WEIGHTS), len(centres)) * (0.5 * width / (deviation * math.sqrt(2.0 * math.pi)))
    weights *= evaluate("exp", z * z * (-0.5 / q))
    value, slope = response(z)
    return Moments(math.fsum(weights * value * value), math.fsum(weights * slope * slope))


def edge_through(response: Response, q: float) -> tuple[float, float]:
    """Return (sigma_w^2, sigma_b^2) for which q is a fixed point with chi = 1; sigma_b^2 < 0 where there is none."""
    found = moments(response, q)
    weight = 1.0 / found.slope
    bias = q - weight * found.second
    # Piecewise linear activations have sigma_b = 0 at every q, up to rounding.
    return weight, 0.0 if abs(bias) < 1e-12 * q else bias


def edge_at_bias(response: Response, bias: float, activation: str) -> float:
    """Return sigma_w^2 at the edge of chaos for a given sigma_b^2; ConfigError where there is none.

    The first q, from below, through which an edge with this bias goes; sigma_b = 0 is its limit q -> 0.
    """
    smallest, at_smallest = math.ldexp(1.0, LOWEST), edge_through(response, math.ldexp(1.0, LOWEST))
    if bias == 0.0 and abs(at_smallest[1]) <= 1e-6 * smallest:
        return at_smallest[0]
    for exponent in range(LOWEST, HIGHEST):
        low, high = math.ldexp(1.0, exponent), math.ldexp(1.0, exponent + 1)
        if edge_through(response, low)[1] <= bias <= edge_through(response, high)[1] and bias > 0.0:
            return edge_through(response, _bisect(response, bias, low, high))[0]
    raise ConfigError(f"mean_field: {activation!r} has no edge of chaos with sigma_b = {math.sqrt(bias):g}")


def _bisect(response: Response, bias: float, low: float, high: float) -> float:
    """Return the q between low and high through which the edge's sigma_b^2 is `bias`."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        below = edge_through(response, middle)[1] <= bias
        low, high = (middle, high) if below else (low, middle)
    return low
