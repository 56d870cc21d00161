"""What the statistics' tests share: seeded noise, the scores of sixteen optimizers, exhaustive enumeration."""

from __future__ import annotations

import csv
import itertools
from functools import cache
from pathlib import Path

import numpy as np

SCORES = Path(__file__).parents[1] / "data" / "tabular_mlp_scores.csv"


def source(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


DRAWN = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "lognormal": lambda rng, shape: rng.lognormal(0.0, 1.0, shape),
}


def null_differences(kind: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Differences of two runs drawn alike: symmetric about 0, whatever their distribution."""
    rng = source(seed)
    return DRAWN[kind](rng, shape) - DRAWN[kind](rng, shape)


def enumerated_p(d: np.ndarray, at: float = 0.0) -> float:
    """The sign-flip test from its definition: every one of the 2^n patterns of signs, written out."""
    x = np.asarray(d, dtype=np.float64) - at
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=x.size)))
    scale = 1e-9 * np.abs(x).max()
    return float((np.abs(signs @ x) >= abs(x.sum()) - scale).mean())


@cache
def tabular() -> dict[str, dict[str, np.ndarray]]:
    """Optimizer to data set to ten scores, higher is better."""
    with SCORES.open(encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))[1:]
    found: dict[str, dict[str, np.ndarray]] = {}
    for optimizer, problem, *scores in rows:
        found.setdefault(optimizer, {})[problem] = np.array(scores, dtype=np.float64)
    return found
