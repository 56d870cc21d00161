"""Reduce on plateau: the one schedule that acts inside a run, on the validation loss of each evaluation.

Written after torch.optim.lr_scheduler.ReduceLROnPlateau (PyTorch 2.13; mode min, threshold_mode rel, eps 0). optax and
Keras count one evaluation less: their patience p is p - 1 here.
"""

from __future__ import annotations

from mlpjit.kernels.language import Float64, Float64s, float64, kernel, load, store
from mlpjit.kernels.tables import CARRY, NUMBER


@kernel
def watch_plateau(numbers: Float64s, carry: Float64s, value: Float64) -> None:
    """Lower the rate's factor where more than `patience` evaluations in a row have brought nothing.

    An evaluation counts as bad unless value < best (1 - threshold). After a reduction `cooldown` evaluations are not
    counted. The factor never falls below `final`.
    """
    bad = load(carry, CARRY.plateau_bad) + 1.0
    if value < load(carry, CARRY.plateau_best) * (1.0 - load(numbers, NUMBER.plateau_threshold)):
        store(carry, CARRY.plateau_best, value)
        bad = float64(0)
    if load(carry, CARRY.plateau_rest) > 0.0:
        store(carry, CARRY.plateau_rest, load(carry, CARRY.plateau_rest) - 1.0)
        bad = float64(0)
    if bad > load(numbers, NUMBER.plateau_patience):
        lowered = load(carry, CARRY.rate_factor) * load(numbers, NUMBER.plateau_factor)
        store(carry, CARRY.rate_factor, max(lowered, load(numbers, NUMBER.plateau_final)))
        store(carry, CARRY.plateau_rest, load(numbers, NUMBER.plateau_cooldown_evaluations))
        bad = float64(0)
    store(carry, CARRY.plateau_bad, bad)
