"""Reduce on plateau: the one schedule that acts inside a run, on the validation loss of each evaluation.

Written after torch.optim.lr_scheduler.ReduceLROnPlateau (PyTorch 2.13; mode min, threshold_mode rel, eps 0). optax and
Keras count one evaluation less: their patience p is p - 1 here.
"""

from __future__ import annotations

from mlpjit.kernels.language import Float64, Float64s, float64, kernel, load, store
from mlpjit.kernels.tables import (
    PLATEAU_BAD,
    PLATEAU_BEST,
    PLATEAU_COOLDOWN,
    PLATEAU_FACTOR,
    PLATEAU_FINAL,
    PLATEAU_PATIENCE,
    PLATEAU_REST,
    PLATEAU_THRESHOLD,
    RATE_FACTOR,
)


@kernel
def watch_plateau(numbers: Float64s, carry: Float64s, value: Float64) -> None:
    """Lower carry[RATE_FACTOR] where more than `patience` evaluations in a row have brought nothing.

    An evaluation counts as bad unless value < best (1 - threshold). After a reduction `cooldown` evaluations are not
    counted. The factor never falls below `final`.
    """
    bad = load(carry, PLATEAU_BAD) + 1.0
    if value < load(carry, PLATEAU_BEST) * (1.0 - load(numbers, PLATEAU_THRESHOLD)):
        store(carry, PLATEAU_BEST, value)
        bad = float64(0)
    if load(carry, PLATEAU_REST) > 0.0:
        store(carry, PLATEAU_REST, load(carry, PLATEAU_REST) - 1.0)
        bad = float64(0)
    if bad > load(numbers, PLATEAU_PATIENCE):
        lowered = load(carry, RATE_FACTOR) * load(numbers, PLATEAU_FACTOR)
        store(carry, RATE_FACTOR, max(lowered, load(numbers, PLATEAU_FINAL)))
        store(carry, PLATEAU_REST, load(numbers, PLATEAU_COOLDOWN))
        bad = float64(0)
    store(carry, PLATEAU_BAD, bad)
