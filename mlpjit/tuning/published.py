"""Search spaces as published, for the parameters that the optimizers here have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Study:
    """A study that tuned optimizers: the content of its spaces by optimizer."""

    name: str
    source: str
    content: Mapping[str, Mapping[str, Any]]


MOMENTS = {"b1": {"log": [0.5, 0.999]}, "b2": {"log": [0.8, 0.999]}}
BOUNDS = {"final_rate": {"log": [1e-3, 0.5]}, "gamma": {"log": [1e-4, 0.1]}}
ANY = {"log": [1e-4, 1.0]}
FREE = {"learning_rate": ANY, **MOMENTS}
BOUNDED = {"learning_rate": {"log": [1e-4, 0.5]}, **MOMENTS, **BOUNDS}
CROWDED_VALLEY = Study(
    "crowded_valley",
    "Schmidt, Schneider & Hennig 2021, arXiv:2007.01547: the ranges that their published runs fill; eps as here",
    {
        "adam": FREE,
        "amsgrad": FREE,
        "nadam": FREE,
        "adabound": BOUNDED,
        "amsbound": BOUNDED,
    },
)
DECAYED = {"learning_rate": {"log": [1e-4, 1e-2]}, "weight_decay": {"log": [5e-3, 1.0]}}
ALGOPERF = Study(
    "algoperf",
    "Dahl et al. 2023, arXiv:2306.07179: search spaces of its baselines in the benchmark's code, the rules' own alone",
    {
        "adamw": DECAYED,
        "nadam": {"learning_rate": {"log": [1e-4, 1e-2]}, "b1": {"one_minus_log": [0.9, 0.996]}},
        "nesterov": {"learning_rate": {"log": [0.02, 5.0]}},
        "adafactor": {"learning_rate": {"log": [1e-4, 1e-2]}},
        "shampoo": {"learning_rate": {"log": [1e-4, 1e-2]}},
    },
)
PUBLISHED = (CROWDED_VALLEY, ALGOPERF)
