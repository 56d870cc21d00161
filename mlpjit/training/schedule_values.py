"""What a run's schedules give each step: learning rate, weight decay, momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpjit.catalogue.registries import optimizers, schedules
from mlpjit.training import linking

if TYPE_CHECKING:
    from mlpjit.catalogue.specs import Spec
    from mlpjit.training.shape import Described


def rates(config: Described, steps: int) -> np.ndarray:
    """Return the learning rate of every step, float64 (steps,); reduce_on_plateau lowers it as the run goes."""
    return _scheduled(config.schedule, config.learning_rate, steps)


def decays(config: Described, steps: int) -> np.ndarray:
    """Return the decoupled weight decay of every step, float64 (steps,); a step multiplies it by its rate."""
    return _scheduled(config.weight_decay_schedule, config.weight_decay, steps)


def momenta(config: Described, steps: int) -> np.ndarray:
    """Return the optimizer's momentum (or b1) of every step, float64 (steps,)."""
    assert config.momentum_schedule
    return _scheduled(config.momentum_schedule, momentum_of(config), steps)


def momentum_of(config: Described) -> float:
    """Return what a schedule of the momentum is a factor of: the optimizer's momentum, or b1."""
    return float(config.optimizer[optimizers[config.optimizer["name"]].momentum or ""])


def _scheduled(spec: Spec, base: float, steps: int) -> np.ndarray:
    out = np.empty(max(steps, 1))
    Scheduled(spec, steps).write(base, out.ctypes.data)
    return out


class Scheduled:
    """A schedule over so many steps, ready to be written for any base."""

    def __init__(self, spec: Spec, steps: int) -> None:
        from mlpjit.kernels.rates import settings

        self.steps, self.warmup = steps, int(spec["warmup"])
        self.numbers = np.array([*settings(schedules[spec.name], spec), 0.0])
        compiled = linking.schedule(spec.name)
        self.settings_at, self.call, self.address = self.numbers.ctypes.data, compiled.call, compiled.address

    def write(self, base: float, at: int) -> None:
        """Write the value of every step, float64, to an address."""
        self.call(0, self.steps, self.steps, base, self.warmup, self.settings_at, at)
