"""Runs spoiled by NaN, infinity, huge and subnormal numbers, and healthy ones: is what diverges flagged, and no other?

    python bench/evidence/divergence.py [HEALTHY]

Every optimizer with every activation makes runs of one epoch whose weights, data or rates are spoiled. A run must be
flagged as diverged where not all it leaves is finite, or its loss is over 10,000 times that of the start, and with NaN
or infinite weights, or NaN in the data, always; with subnormal numbers it must not be where all is finite. Then so many
healthy runs (10,000) of three epochs, at a hundredth of the default rates (at these, and at a tenth, schedule_free_sgd
and relu_squared do diverge), none of which may be flagged. Prints JSON; exits with 1 where anything is wrong.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

import numpy as np

import mlpjit as mj
from mlpjit.catalogue.registries import activations, optimizers
from mlpjit.kernels.tables import ARRAY, DIVERGENCE_FACTOR
from mlpjit.training.run import Run
from mlpjit.training.shape import views
from mlpjit.tuning.rates import RATES

SPOILS = {"nan": math.nan, "infinite": math.inf, "huge": 1e30, "subnormal": 1e-40}
PROCESSES = 8
PLACES = ("weights", "data", "rate")
MUST = {("weights", "nan"), ("weights", "infinite"), ("data", "nan")}
Pair = tuple[str, str]


def pairs() -> list[Pair]:
    """Return every optimizer with every activation."""
    return list(product(optimizers, activations))


def config_of(pair: Pair, seed: int = 0, epochs: int = 1, share: float = 1.0) -> mj.RunConfig:
    """Return a small run at a share of the optimizer's default rate."""
    name, activation = pair
    return mj.RunConfig(
        dataset="iris", hidden=[8, 8], activation=activation, optimizer=name, learning_rate=share * RATES[name].value,
        batch_size="full" if optimizers[name].line_search else 32, epochs=epochs, seed=seed,
    )  # fmt: skip


def spoiled(pair: Pair, place: str, kind: str) -> Run:
    """Return a run with one weight, one number of the data, or all rates of this kind; all weights if subnormal."""
    run, value = Run(config_of(pair)), SPOILS[kind]
    if place == "weights":
        first = views(run.layers, run.params)[0]["W"]
        first[: len(first) if kind == "subnormal" else 1, : None if kind == "subnormal" else 1] = value
    elif place == "data":
        run.spoiled = run.data.x_train.copy()
        run.spoiled[3, 1] = value
        run.addresses[ARRAY.x_train] = run.spoiled.ctypes.data
    else:
        run.rates[:] = value
    return run


def problem_of(run: Run, place: str, kind: str) -> str | None:
    """Train; return what is wrong with the status, None where it is right."""
    with np.errstate(all="ignore"):
        flagged, result = run.advance() == "diverged", run.result()
    losses = result.history["validation_loss"]
    left = [result.params, losses, result.history["train_loss"][1:]]
    sound = all(np.isfinite(each).all() for each in left) and losses[-1] <= DIVERGENCE_FACTOR * losses[0]
    if flagged and sound and kind == "subnormal":
        return "false flag"
    return "not flagged" if not flagged and (not sound or (place, kind) in MUST) else None


def spoil_all(chosen: Iterable[Pair]) -> tuple[Counter[str], list[str]]:
    """Return how many runs were flagged, by what was spoiled, and what was wrong."""
    flagged, wrong = Counter[str](), []
    for pair, place, kind in product(chosen, PLACES, SPOILS):
        run = spoiled(pair, place, kind)
        if problem := problem_of(run, place, kind):
            wrong.append(f"{problem}: {kind} {place}, {pair[0]}, {pair[1]}")
        flagged[f"{kind} {place}"] += run.result().status == "diverged"
    return flagged, wrong


def flag_none(chosen: list[Pair], runs: int) -> list[str]:
    """Return which of so many healthy runs have diverged."""
    found = []
    for number in range(runs):
        pair, seed = chosen[number % len(chosen)], number // len(chosen)
        if Run(config_of(pair, seed, epochs=3, share=0.01)).advance() != "done":
            found.append(f"flagged: {pair[0]}, {pair[1]}, seed {seed}")
    return found


def campaign(chosen: list[Pair], healthy: int) -> dict[str, Any]:
    """Return what was found of these pairs."""
    flagged, wrong = spoil_all(chosen)
    false = flag_none(chosen, healthy)
    counts = {"pairs": len(chosen), "spoiled": len(chosen) * len(PLACES) * len(SPOILS), "healthy": healthy}
    return counts | {"flagged": dict(flagged), "wrong": wrong, "false": false}


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was found by several processes together."""
    counts = {name: sum(part[name] for part in parts) for name in ("pairs", "spoiled", "healthy")}
    flagged = sum((Counter(part["flagged"]) for part in parts), Counter[str]())
    lists = {name: [line for part in parts for line in part[name]] for name in ("wrong", "false")}
    return counts | {"flagged": dict(flagged)} | lists


def main() -> int:
    """Run the campaign."""
    started, healthy = time.perf_counter(), int([*sys.argv[1:], "10000"][0])
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = [pool.submit(campaign, pairs()[i::PROCESSES], healthy // PROCESSES) for i in range(PROCESSES)]
        found = merged([part.result() for part in parts])
    print(json.dumps(found | {"seconds": round(time.perf_counter() - started, 1)}, indent=1))
    return int(bool(found["wrong"] or found["false"]))


if __name__ == "__main__":
    raise SystemExit(main())
