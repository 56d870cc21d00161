"""Initializers that scale standard numbers by the layer's size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.gains import fan, squared_gain
from mlpjit.catalogue.initialization.records import initializer

if TYPE_CHECKING:
    import numpy as np


@initializer("W ~ U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))", "Glorot & Bengio 2010, eq. 16", gain=1.0)
def xavier_uniform(draw: Draw, gain: float) -> np.ndarray:
    """Glorot's normalized initialization, uniform."""
    return draw.uniform() * (gain * math.sqrt(6.0 / (draw.fan_in + draw.fan_out)))


@initializer("W ~ N(0, gain^2 2 / (fan_in + fan_out))", "Glorot & Bengio 2010, eq. 16", gain=1.0)
def xavier_normal(draw: Draw, gain: float) -> np.ndarray:
    """Glorot's normalized initialization, normal."""
    return draw.normal() * (gain * math.sqrt(2.0 / (draw.fan_in + draw.fan_out)))


@initializer("W ~ U(-a, a), a = gain sqrt(3 / fan), gain^2 = 2", "He et al. 2015, arXiv:1502.01852, eq. 10",
             mode="fan_in", gain="relu")  # fmt: skip
def he_uniform(draw: Draw, mode: str, gain: float | str) -> np.ndarray:
    """He's initialization, uniform; for rectifiers unless `gain` says otherwise."""
    return draw.uniform() * math.sqrt(3.0 * squared_gain(draw, gain) / fan(draw, mode))


@initializer("W ~ N(0, gain^2 / fan), gain^2 = 2", "He et al. 2015, arXiv:1502.01852, eq. 10",
             mode="fan_in", gain="relu")  # fmt: skip
def he_normal(draw: Draw, mode: str, gain: float | str) -> np.ndarray:
    """He's initialization, normal; for rectifiers unless `gain` says otherwise."""
    return draw.normal() * math.sqrt(squared_gain(draw, gain) / fan(draw, mode))


@initializer("W ~ U(-a, a), a = sqrt(3 / fan_in)", "LeCun et al. 1998, Efficient BackProp, eq. 16")
def lecun_uniform(draw: Draw) -> np.ndarray:
    """LeCun's initialization, uniform."""
    return draw.uniform() * math.sqrt(3.0 / draw.fan_in)


@initializer("W ~ N(0, 1 / fan_in)", "LeCun et al. 1998, Efficient BackProp, eq. 16")
def lecun_normal(draw: Draw) -> np.ndarray:
    """LeCun's initialization, normal."""
    return draw.normal() * math.sqrt(1.0 / draw.fan_in)


@initializer("W, b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))", "LeCun et al. 1998, Efficient BackProp; torch.nn.Linear")
def torch_default(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch's Linear layers begin with, biases included."""
    limit = 1.0 / math.sqrt(draw.fan_in)
    return draw.uniform() * limit, draw.bias_uniform() * limit


@initializer("W ~ N(0, gain^2 / fan_in), the last layer's N(0, gain^2 base_width / fan_in^2)",
             "Yang et al. 2022, arXiv:2203.03466, table 3", gain=1.0, base_width=64)  # fmt: skip
def mup(draw: Draw, gain: float, base_width: int) -> np.ndarray:
    """The initial scales of the maximal update parametrization: outputs shrink as the network widens.

    They equal LeCun's at base_width. Only the scales: table 3 also gives each tensor its own learning rate (Adam:
    hidden and output weights by 1 / width), which runs do not do: by this alone rates do not transfer between widths.
    """
    shrink = base_width / draw.fan_in if draw.last and draw.layer > 0 else 1.0
    return draw.normal() * (gain * math.sqrt(shrink / draw.fan_in))
