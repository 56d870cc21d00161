"""Initializers made for how signals and gradients pass through many layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.initializers.plain import orthogonal
from mlpjit.catalogue.initialization.mean_field import edge_at_bias, edge_through
from mlpjit.catalogue.initialization.records import initializer
from mlpjit.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np


def inverse_deviation(z: np.ndarray) -> float:
    """Return 1 / std of all entries of z, 1 where they are equal. Sums are exactly rounded, the same everywhere."""
    mean = math.fsum(z.ravel()) / z.size
    centred = z.astype("float64") - mean
    variance = math.fsum((centred * centred).ravel()) / z.size
    return 1.0 / math.sqrt(variance) if variance > 0.0 else 1.0


@initializer("W = Q / std(Q^T a), Q orthonormal, a the layer's inputs on training samples",
             "Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1", rescale=inverse_deviation, samples=256)  # fmt: skip
def lsuv(draw: Draw, samples: int) -> np.ndarray:
    """Layer-sequential unit variance: orthonormal, then scaled to outputs of variance 1 on the first samples.

    Outputs are linear in W, so one division does what the paper's loop (until |variance - 1| < 0.1) does.
    """
    return orthogonal(draw, 1.0)


@initializer("W ~ N(0, sigma_w^2 / fan_in), b ~ N(0, sigma_b^2)", "Poole et al. 2016, arXiv:1606.05340; "
             "edge of chaos: Schoenholz et al. 2017, arXiv:1611.01232; Hayou, Doucet & Rousseau 2019, arXiv:1902.06853",
             sigma_w="edge_of_chaos", sigma_b="edge_of_chaos", q=1.0)  # fmt: skip
def mean_field(draw: Draw, sigma_w: float | str, sigma_b: float | str, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean-field initialization; "edge_of_chaos" chooses sigmas by the activation that the layer reads.

    Both so chosen: gradients keep their size (chi = 1) and pre-activations the second moment q. sigma_w alone: chi = 1
    with the given sigma_b, and q is not used. The first layer reads data: sigma_w = 1.
    """
    weight, bias = sigma_squares(draw, sigma_w, sigma_b, q)
    return draw.normal() * math.sqrt(weight / draw.fan_in), draw.bias_normal() * math.sqrt(bias)


def sigma_squares(draw: Draw, sigma_w: float | str, sigma_b: float | str, q: float) -> tuple[float, float]:
    """Return (sigma_w^2, sigma_b^2); ConfigError where the activation has no such edge of chaos."""
    if draw.reads == "identity" and isinstance(sigma_w, str):
        return 1.0, 0.0 if isinstance(sigma_b, str) else sigma_b * sigma_b
    if not isinstance(sigma_b, str):
        bias = sigma_b * sigma_b
        return (edge_at_bias(draw.response, bias, draw.reads) if isinstance(sigma_w, str) else sigma_w**2), bias
    if not isinstance(sigma_w, str):
        raise ConfigError("mean_field: sigma_b = 'edge_of_chaos' needs sigma_w = 'edge_of_chaos'")
    weight, bias = edge_through(draw.response, q)
    if bias < 0.0:
        raise ConfigError(f"mean_field: {draw.reads!r} has no edge of chaos through q = {q:g}")
    return weight, bias
