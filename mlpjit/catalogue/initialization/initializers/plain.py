"""Initializers that do not look at the layer's size, or set its shape instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.records import initializer

if TYPE_CHECKING:
    import numpy as np


@initializer("W = 0", "-")
def zeros(draw: Draw) -> np.ndarray:
    """All weights zero: no unit ever differs from its neighbours."""
    return 0.0 * draw.normal()


@initializer("W = value", "-", value=0.1)
def constant(draw: Draw, value: float) -> np.ndarray:
    """All weights the same number: units stay copies of each other."""
    return 0.0 * draw.normal() + value


@initializer("W ~ N(0, std^2)", "-", std=0.01)
def normal(draw: Draw, std: float) -> np.ndarray:
    """Plain normal weights, blind to the layer's size."""
    return draw.normal() * std


@initializer("W ~ U(-limit, limit)", "-", limit=0.05)
def uniform(draw: Draw, limit: float) -> np.ndarray:
    """Plain uniform weights, blind to the layer's size."""
    return draw.uniform() * limit


@initializer("W ~ N(0, std^2), |W| <= cut std",
             "Abadi et al. 2016, arXiv:1603.04467; Devlin et al. 2019, arXiv:1810.04805",
             std=0.02, cut=2.0)  # fmt: skip
def truncated_normal(draw: Draw, std: float, cut: float) -> np.ndarray:
    """Normal weights, those beyond `cut` standard deviations drawn again; std is that before the cut, as in PyTorch."""
    drawn = draw.normal()
    beyond = abs(drawn) > cut
    drawn[beyond] = draw.redrawn(int(beyond.sum()), cut)
    return drawn * std


@initializer("W = gain (1 on the diagonal, 0 elsewhere)", "Le, Jaitly & Hinton 2015, arXiv:1504.00941", gain=1.0)
def identity(draw: Draw, gain: float) -> np.ndarray:
    """The identity, cut or padded with 0 where the layer is not square."""
    import numpy as np

    return gain * np.eye(draw.fan_in, draw.fan_out)


@initializer("W: `connections` entries ~ N(0, std^2) in each unit, 0 elsewhere", "Martens 2010, ICML, section 5",
             connections=15, std=1.0)  # fmt: skip
def sparse(draw: Draw, connections: int, std: float) -> np.ndarray:
    """Each unit reads a few inputs only, as many whatever the layer's size."""
    return (draw.normal() * std) * (draw.ranks() < connections)


@initializer("W = gain Q, Q^T Q = 1 or Q Q^T = 1", "Saxe, McClelland & Ganguli 2014, arXiv:1312.6120", gain=1.0)
def orthogonal(draw: Draw, gain: float) -> np.ndarray:
    """Orthonormal columns (or rows, where there are fewer of them), uniform over all such matrices."""
    from mlpjit.kernels.arithmetic.orthonormal import orthonormal_rows

    drawn = draw.normal()
    wide = drawn.shape[0] <= drawn.shape[1]
    made = orthonormal_rows(drawn if wide else drawn.T)
    return gain * (made if wide else made.T)
