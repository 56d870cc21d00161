"""What an initializer is, and the registry of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpjit.bounds import Limits, above, at_least, one_of
from mlpjit.registry import Registry

if TYPE_CHECKING:
    import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Initializer:
    """A catalogue entry: `function(draw, **parameters)` gives W, or (W, b), as float64.

    A data-driven one also has `rescale`: W is multiplied by rescale(z), z (samples, fan_out) being the layer's
    pre-activations on training data. Layers follow one another, so z comes through layers that are final.
    """

    name: str
    function: Function
    formula: str
    citation: str
    defaults: dict[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    rescale: Callable[[np.ndarray], float] | None = None

    def source_hash(self) -> str:
        """Return the hash of the code of this entry, of what it reads and of its defaults."""
        from mlpjit.kernels.functions import function_hash

        functions = [each for each in (self.function, self.rescale) if each]
        return f"{' '.join(map(function_hash, functions))} {sorted(self.defaults.items())}"

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


initializers: Registry[Initializer] = Registry("initializer")

LIMITS = {
    "std": at_least(0), "limit": at_least(0), "cut": at_least(0.5), "gain": above(0), "connections": at_least(1),
    "samples": at_least(2), "mode": one_of("fan_in", "fan_out", "average"), "q": above(0), "base_width": at_least(1),
    "sigma_w": at_least(0, names=("edge_of_chaos",)), "sigma_b": at_least(0, names=("edge_of_chaos",)),
}  # fmt: skip
GAINS = above(0, names=("relu", "activation", "slope", "torch"))


def initializer(
    formula: str, citation: str, rescale: Callable[[np.ndarray], float] | None = None, **defaults: Any
) -> Callable[[Function], Function]:
    """Register a function (draw, **parameters) -> W or (W, b)."""

    def register(function: Function) -> Function:
        limits = {key: LIMITS[key] for key in defaults if key in LIMITS}
        if isinstance(defaults.get("gain"), str):
            limits["gain"] = GAINS
        initializers.register(Initializer(function.__name__, function, formula, citation, defaults, limits, rescale))
        return function

    return register
