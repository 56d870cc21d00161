"""Optimizers on any gradient, one step at a time: `mj.optimizers["adam"].update(...)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlpjit import registries
from mlpjit.errors import ConfigError
from mlpjit.kernels.optimizers.stages import DONE
from mlpjit.kernels.rules import Stage
from mlpjit.specs import checked_parameters

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps: steps taken so far, and one array like the parameters for each of its states."""

    step: int
    values: dict[str, np.ndarray]


class Optimizer:
    """One optimizer of the catalogue, with hyperparameters set or left at their defaults."""

    def __init__(self, record: Stage, **hyperparameters: float | bool) -> None:
        self.record = record
        self.hyperparameters = checked_parameters(record.name, record.defaults, hyperparameters, record.limits)

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.record.name

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.hyperparameters.items())
        return f"{self.name}({given})"

    def __call__(self, **hyperparameters: float | bool) -> Optimizer:
        """Return the same optimizer with other hyperparameters: `optimizers["adam"](b1=0.95)`."""
        return Optimizer(self.record, **{**self.hyperparameters, **hyperparameters})

    def init(self, params: np.ndarray) -> OptimizerState:
        """Return the state before the first step; params: 1-D, float32 or float64."""
        from mlpjit.parameters import initial_state

        given, names = _checked(params), self.record.state
        parts = initial_state(self.record, self.hyperparameters, given).reshape(len(names), len(given))
        return OptimizerState(0, {name: part.copy() for name, part in zip(names, parts, strict=True)})

    def update(
        self, params: np.ndarray, grads: np.ndarray, state: OptimizerState, *, learning_rate: float
    ) -> tuple[np.ndarray, OptimizerState]:
        """Return parameters and state after one step; the arguments are left as they are.

        params, grads: 1-D arrays of one length and dtype; dtype and length are kept. Raises ConfigError otherwise.
        """
        import numpy as np

        given = _checked(params)
        gradient = np.array(grads, given.dtype)
        if gradient.shape != given.shape:
            raise ConfigError(f"grads: got shape {gradient.shape}, need {given.shape} as params")
        made = given.copy()
        packed = np.concatenate([*state.values.values(), np.empty(0, given.dtype)]).astype(given.dtype)
        self._step(made, gradient, packed, state.step + 1, learning_rate)
        parts = packed.reshape(-1, len(made)) if len(made) else packed.reshape(len(state.values), 0)
        return made, OptimizerState(state.step + 1, dict(zip(state.values, parts, strict=True)))

    def _step(self, params: Any, grads: Any, state: Any, step: int, learning_rate: float) -> None:
        import numpy as np

        from mlpjit import compiled

        settings = np.array([float(v) for v in self.hyperparameters.values()] + [0.0])
        tensors = np.array([0, 1, len(params), 0], np.int64)
        call = compiled.optimizer(self.name, str(params.dtype)).call
        where = [a.ctypes.data for a in (params, grads, state, state, settings)]
        wanted = call(0, step, len(params), *where, learning_rate, np.nan, tensors.ctypes.data, 1)
        if wanted != DONE:
            raise ConfigError(f"{self.name} asks for more than one gradient: use it inside a run")


def _checked(params: Any) -> np.ndarray:
    import numpy as np

    made = np.ascontiguousarray(params)
    if made.ndim != 1 or str(made.dtype) not in ("float32", "float64"):
        raise ConfigError(f"params: got {made.ndim}-D {made.dtype}, need a 1-D array of float32 or float64")
    return made


class Optimizers:
    """The catalogue by name: `optimizers["adam"]`; iterating gives the names."""

    def __getitem__(self, name: str) -> Optimizer:
        return Optimizer(registries.optimizers[name])

    def __iter__(self) -> Iterator[str]:
        return iter(registries.optimizers)

    def __len__(self) -> int:
        return len(registries.optimizers)

    def __contains__(self, name: object) -> bool:
        return name in registries.optimizers


optimizers = Optimizers()
