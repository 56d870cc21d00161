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
    setting = optimizers[config.optimizer["name"]].momentum
    assert config.momentum_schedule
    return _scheduled(config.momentum_schedule, float(config.optimizer[setting or ""]), steps)


def _scheduled(spec: Spec, base: float, steps: int) -> np.ndarray:
    from mlpjit.kernels.rates import settings

    numbers, out = np.array([*settings(schedules[spec.name], spec), 0.0]), np.empty(max(steps, 1))
    call = linking.schedule(spec.name).call
    call(0, steps, steps, base, int(spec["warmup"]), numbers.ctypes.data, out.ctypes.data)
    return out
