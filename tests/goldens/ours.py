"""What mlpjit computes for a golden case, kind by kind: (case, shared inputs) -> arrays named as the golden ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from goldens.records import Arrays, Golden

import mlpjit as mj
from mlpjit.run import rates as step_rates

STEPS = (1, 2, 5, 50)


def rates(case: Golden) -> list[float]:
    """Return the learning rate of every step: constant, or falling as 1 / (1 + decay t) from step t = 0."""
    rate, decay = case.given["learning_rate"], case.given.get("decay", 0.0)
    return [rate / (1.0 + decay * t) for t in range(max(STEPS))]


def optimizer(case: Golden, shared: Arrays) -> Arrays:
    """Parameters after 1, 2, 5 and 50 steps; theta: (n,), gradients: (50, n), three tensors in one."""
    made = mj.optimizers[case.entry](**case.settings)
    theta = shared["theta"]
    state, path = made.init(theta), []
    for g, rate in zip(shared["gradients"], rates(case), strict=True):
        theta, state = made.update(theta, g, state, learning_rate=rate)
        path.append(theta)
    return {"path": np.stack([path[step - 1] for step in STEPS])}


def schedule(case: Golden, shared: Arrays) -> Arrays:
    """The rates of the first steps at base rate 1; a run has given["steps"] of them."""
    config = mj.RunConfig(schedule={"name": case.entry, **case.settings}, learning_rate=1.0)
    return {"rates": step_rates(config, case.given["steps"])}


OURS: dict[str, Callable[[Golden, Arrays], Arrays]] = {"optimizers": optimizer, "schedules": schedule}
