"""Initializers: a layer's first weights from standard numbers that all of them share.

Numbers are drawn unscaled from (init_seed, layer), in float64, so two initializers or two dtypes start from the
same draw, scaled or rounded. W has shape (fan_in, fan_out); biases begin at 0.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpjit.registry import Registry

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Draw:
    """Where a layer's numbers come from: `normal()` and `uniform()` give (fan_in, fan_out) float64 arrays."""

    seed: int
    layer: int
    fan_in: int
    fan_out: int

    def normal(self) -> np.ndarray:
        """Return standard normal numbers."""
        from mlpjit.kernels.random import normals

        return normals(self.seed, "init", self.fan_in * self.fan_out, self.layer).reshape(self.fan_in, -1)

    def uniform(self) -> np.ndarray:
        """Return numbers uniform on (-1, 1]."""
        from mlpjit.kernels.random import uniforms

        drawn = uniforms(self.seed, "init", self.fan_in * self.fan_out, self.layer)
        return (2.0 * drawn - 1.0).reshape(self.fan_in, -1)


Function = Callable[..., "np.ndarray"]


@dataclass(frozen=True, eq=False)
class Initializer:
    """A catalogue entry: `function(draw, **parameters)` gives W as float64."""

    name: str
    function: Function
    formula: str
    citation: str
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def source_hash(self) -> str:
        """Return the hash of the code of this entry."""
        from mlpjit.kernels.sources import tree_hash

        return tree_hash(inspect.getsource(self.function))


initializers: Registry[Initializer] = Registry("initializer")


def initializer(formula: str, citation: str, **defaults: Any) -> Callable[[Function], Function]:
    """Register a function (draw, **parameters) -> W."""

    def register(function: Function) -> Function:
        initializers.register(Initializer(function.__name__, function, formula, citation, defaults))
        return function

    return register


@initializer("W = 0", "-")
def zeros(draw: Draw) -> np.ndarray:
    """All weights zero: no unit ever differs from its neighbours."""
    return 0.0 * draw.normal()


@initializer("W ~ N(0, std^2)", "-", std=0.01)
def normal(draw: Draw, std: float) -> np.ndarray:
    """Plain normal weights, blind to the layer's size."""
    return draw.normal() * std


@initializer("W ~ U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))", "Glorot & Bengio 2010, eq. 16", gain=1.0)
def xavier_uniform(draw: Draw, gain: float) -> np.ndarray:
    """Glorot's normalized initialization, uniform."""
    return draw.uniform() * (gain * math.sqrt(6.0 / (draw.fan_in + draw.fan_out)))


@initializer("W ~ N(0, gain^2 2 / (fan_in + fan_out))", "Glorot & Bengio 2010, eq. 16", gain=1.0)
def xavier_normal(draw: Draw, gain: float) -> np.ndarray:
    """Glorot's normalized initialization, normal."""
    return draw.normal() * (gain * math.sqrt(2.0 / (draw.fan_in + draw.fan_out)))


@initializer("W ~ U(-a, a), a = sqrt(6 / fan_in)", "He et al. 2015, arXiv:1502.01852, eq. 10")
def he_uniform(draw: Draw) -> np.ndarray:
    """He's initialization for rectifiers, uniform."""
    return draw.uniform() * math.sqrt(6.0 / draw.fan_in)


@initializer("W ~ N(0, 2 / fan_in)", "He et al. 2015, arXiv:1502.01852, eq. 10")
def he_normal(draw: Draw) -> np.ndarray:
    """He's initialization for rectifiers, normal."""
    return draw.normal() * math.sqrt(2.0 / draw.fan_in)


@initializer("W ~ U(-a, a), a = sqrt(3 / fan_in)", "LeCun et al. 1998, Efficient BackProp, eq. 16")
def lecun_uniform(draw: Draw) -> np.ndarray:
    """LeCun's initialization, uniform."""
    return draw.uniform() * math.sqrt(3.0 / draw.fan_in)


@initializer("W ~ N(0, 1 / fan_in)", "LeCun et al. 1998, Efficient BackProp, eq. 16")
def lecun_normal(draw: Draw) -> np.ndarray:
    """LeCun's initialization, normal."""
    return draw.normal() * math.sqrt(1.0 / draw.fan_in)


@initializer("W = gain Q, Q^T Q = 1 or Q Q^T = 1", "Saxe, McClelland & Ganguli 2014, arXiv:1312.6120", gain=1.0)
def orthogonal(draw: Draw, gain: float) -> np.ndarray:
    """Orthonormal columns (or rows, where there are fewer of them), uniform over all such matrices."""
    from mlpjit.kernels.linear_algebra import orthonormal_rows

    drawn = draw.normal()
    wide = drawn.shape[0] <= drawn.shape[1]
    made = orthonormal_rows(drawn if wide else drawn.T)
    return gain * (made if wide else made.T)
