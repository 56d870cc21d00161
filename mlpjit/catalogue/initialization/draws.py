"""A layer that asks for its first weights, and the random numbers that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlpjit.catalogue.initialization.mean_field import Response

if TYPE_CHECKING:
    import numpy as np


def _linear(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The response of a layer's input where that is the data itself."""
    return z, z * 0.0 + 1.0


@dataclass(frozen=True)
class Draw:
    """A layer, and where its numbers come from: `normal()` and `uniform()` give (fan_in, fan_out) float64 arrays.

    reads: the activation whose values are the layer's inputs ("identity" for the first, which reads the data), and
    `response` that function itself. last: whether its outputs are the network's.
    """

    seed: int
    layer: int
    fan_in: int
    fan_out: int
    reads: str = "identity"
    response: Response = _linear
    last: bool = False

    def normal(self) -> np.ndarray:
        """Return standard normal numbers."""
        from mlpjit.kernels.arithmetic.random import normals

        return normals(self.seed, "init", self.fan_in * self.fan_out, self.layer).reshape(self.fan_in, -1)

    def uniform(self) -> np.ndarray:
        """Return numbers uniform on (-1, 1]."""
        from mlpjit.kernels.arithmetic.random import uniforms

        drawn = uniforms(self.seed, "init", self.fan_in * self.fan_out, self.layer)
        return (2.0 * drawn - 1.0).reshape(self.fan_in, -1)

    def bias_normal(self) -> np.ndarray:
        """Return standard normal numbers for the biases, (fan_out,)."""
        from mlpjit.kernels.arithmetic.random import normals

        return normals(self.seed, "bias", self.fan_out, self.layer)

    def bias_uniform(self) -> np.ndarray:
        """Return numbers uniform on (-1, 1] for the biases, (fan_out,)."""
        from mlpjit.kernels.arithmetic.random import uniforms

        return 2.0 * uniforms(self.seed, "bias", self.fan_out, self.layer) - 1.0

    def ranks(self) -> np.ndarray:
        """Return a random permutation of 0..fan_in-1 in each column, (fan_in, fan_out)."""
        from mlpjit.kernels.arithmetic.random import uniforms

        keys = uniforms(self.seed, "mask", self.fan_in * self.fan_out, self.layer).reshape(self.fan_in, -1)
        return keys.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")

    def redrawn(self, count: int, limit: float) -> np.ndarray:
        """Return `count` more standard normal numbers, those beyond +-limit left out."""
        from mlpjit.kernels.arithmetic.random import normals

        size = 2 * count + 64
        while True:
            drawn = normals(self.seed, "redraw", size, self.layer)
            kept = drawn[abs(drawn) <= limit]
            if len(kept) >= count:
                return kept[:count]
            size *= 2
