"""Activations on arrays: `mj.activations["gelu"](z)` and its derivatives, by the loops that runs use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpjit.catalogue.specs import parse_activation
from mlpjit.display import lines, pairs
from mlpjit.errors import ConfigError
from mlpjit.kernels import entries

if TYPE_CHECKING:
    import numpy as np


class Activation:
    """One activation of the catalogue, as a function of arrays.

    z: an array of any shape, or a number; float32 stays float32, float64, whole numbers and Python's own are float64.
    The result has its shape. parameters: those of the activation by name, `activations["celu"](z, alpha=2.0)`. NaN
    passes through, and where the function has a limit at an infinity it takes that. Raises ConfigError for other dtypes
    and for parameters it does not have.
    """

    def __init__(self, record: entries.Activation) -> None:
        self.record = record

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.record.name

    def __call__(self, z: Any, **parameters: float) -> np.ndarray:
        """Return f(z)."""
        return self._evaluated(z, parameters)[0]

    def derivative(self, z: Any, **parameters: float) -> np.ndarray:
        """Return f'(z); at a kink the value that runs use, stated in the catalogue."""
        return self._evaluated(z, parameters)[1]

    def second_derivative(self, z: Any, **parameters: float) -> np.ndarray:
        """Return f''(z), 0 at a kink."""
        return self._evaluated(z, parameters)[2]

    def __repr__(self) -> str:
        return lines(self.name, self._told())

    def _repr_html_(self) -> str:
        return pairs(self.name, self._told())

    def _told(self) -> list[tuple[str, Any]]:
        parameters = ", ".join(f"{name} = {value!r}" for name, value in self.record.defaults.items())
        told = [("f(z)", self.record.formula), ("parameter", parameters), ("source", self.record.citation)]
        return [each for each in told if each[1] not in ("", "-")]

    def _evaluated(self, z: Any, parameters: dict[str, float]) -> list[np.ndarray]:
        """Return f, df and d2f of all numbers of z."""
        import numpy as np

        from mlpjit.training import linking

        name = parse_activation({"name": self.name, **parameters}) if parameters else self.name
        given = _numbers(z)
        made = [np.empty_like(given) for _ in range(3)]
        call = linking.activation(name, str(given.dtype), "evaluation").call
        call(given.size, given.ctypes.data, *(each.ctypes.data for each in made))
        return made


def _numbers(z: Any) -> np.ndarray:
    """Return contiguous numbers in a dtype that there are kernels for."""
    import numpy as np

    made = np.asarray(z)
    if made.dtype.kind in "iu" or isinstance(z, float):
        made = made.astype(np.float64)
    if str(made.dtype) not in ("float32", "float64"):
        raise ConfigError(f"z: got an array of {made.dtype}, need float32 or float64")
    return np.array(made, order="C")
