"""Drives an optimizer's own kernel in place, for facts that take many steps: a microsecond or two each."""

from __future__ import annotations

import numpy as np

import mlpjit as mj
from mlpjit.kernels.tables import WEIGHT
from mlpjit.training import linking
from mlpjit.training.stage_memory import tensor_table


class Driver:
    """theta (n,) float64, changed in place by `step(gradient, rate)`."""

    def __init__(self, name: str, theta: np.ndarray, **settings: float) -> None:
        made = mj.optimizers[name](**settings)
        self.theta, self.count = np.array(theta, float), 0
        self.gradient = np.zeros_like(self.theta)
        self._state = np.concatenate([*made.init(self.theta).values.values(), np.zeros(1)])
        self._settings = np.array([*map(float, made.hyperparameters.values()), 0.0])
        self._tensors = tensor_table(made.record, [(1, len(self.theta), WEIGHT)])
        arrays = (self.theta, self.gradient, self._state, self._state, self._settings)
        self._where = [array.ctypes.data for array in arrays]
        self._call = linking.optimizer(name, "float64").call

    def step(self, gradient: np.ndarray | float, rate: float) -> np.ndarray:
        """Take one step; return theta itself."""
        self.gradient[:] = gradient
        self.count += 1
        self._call(
            0, self.count, 1, len(self.theta), *self._where, rate, float("nan"), self._tensors.ctypes.data, 1
        )  # fmt: skip
        return self.theta
