"""Runs spoiled by NaN, infinity, huge and subnormal numbers, and healthy ones: is what diverges flagged, and no other?

    python bench/evidence/divergence.py [HEALTHY]

Every optimizer with every activation makes runs of one epoch whose weights, data or rates are spoiled. A run must be
flagged as diverged where not all it leaves is finite, or its loss is over 10,000 times that of the start, and with NaN
or infinite weights, or NaN in the data, always; with subnormal numbers it must not be where all is finite.

Then come so many healthy runs (10,000) of three epochs at a hundredth of the default rates, none of which may be
flagged; and as many at the default rates on each of two data sets, where some do diverge. A flag is right there if up
to its step the same run in float64, made anew in NumPy (`exact_steps`), has an activation, a loss, a gradient or a
parameter over the largest float32, or a loss over 10,000 times that of the start at two evaluations running or at the
end, or if the package's own run in float64 is flagged as well; it is false otherwise. Prints JSON; exits with 1 where
anything is wrong.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import mlpjit as mj
from bench.evidence.exact_steps import ACTIVATIONS, ExactRun
from mlpjit.catalogue.registries import activations, optimizers
from mlpjit.kernels.tables import ARRAY, DIVERGENCE_FACTOR
from mlpjit.training.run import Run
from mlpjit.training.shape import views
from mlpjit.tuning.rates import RATES

SPOILS = {"nan": math.nan, "infinite": math.inf, "huge": 1e30, "subnormal": 1e-40}
PROCESSES = 8
AT_DEFAULT_RATES = ("iris", "wine")
LARGEST = float(np.finfo(np.float32).max)
PLACES = ("weights", "data", "rate")
MUST = {("weights", "nan"), ("weights", "infinite"), ("data", "nan")}
Pair = tuple[str, str]


def pairs() -> list[Pair]:
    """Return every optimizer with every activation."""
    return list(product(optimizers, activations))


def config_of(
    pair: Pair, seed: int = 0, epochs: int = 1, share: float = 1.0, dataset: str = "iris", dtype: str = "float32"
) -> mj.RunConfig:
    """Return a small run at a share of the optimizer's default rate."""
    name, activation = pair
    return mj.RunConfig(
        dataset=dataset, hidden=[8, 8], activation=activation, optimizer=name, learning_rate=share * RATES[name].value,
        batch_size="full" if optimizers[name].line_search else 32, epochs=epochs, seed=seed, dtype=dtype,
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


def flagged_of(chosen: list[Pair], runs: int, **how: Any) -> Iterator[tuple[Pair, int, Run]]:
    """Yield which of so many runs of three epochs have diverged."""
    for number in range(runs):
        pair, seed = chosen[number % len(chosen)], number // len(chosen)
        run = Run(config_of(pair, seed, epochs=3, **how))
        with np.errstate(all="ignore"):
            if run.advance() != "done":
                yield pair, seed, run


def flag_none(chosen: list[Pair], runs: int) -> list[str]:
    """Return which of so many healthy runs have diverged."""
    flagged = flagged_of(chosen, runs, share=0.01)
    return [f"flagged: {pair[0]}, {pair[1]}, seed {seed}" for pair, seed, _ in flagged]


def shown_by(exact: ExactRun, until: int) -> str | None:
    """Return what a run in NumPy comes to up to a step that float32 cannot hold or that has diverged, else None."""
    for step, tops in enumerate(islice(exact.steps(), until), start=1):
        over = [name for name, top in tops.items() if top > LARGEST]
        if over:
            return f"{over[0]} over the largest float32"
        if exact.over >= (1 if step == exact.run.steps else 2):
            return "loss over 10,000 times the start"
    return None


def proof_of(flagged: Run, doubled: Run) -> str | None:
    """Return what shows that a run was flagged rightly, by the same in float64; None where nothing does."""
    proof, until = None, int(flagged.result().metrics["diverged_step"])
    with np.errstate(all="ignore"):
        if doubled.config.activation in ACTIVATIONS:
            proof = shown_by(ExactRun(doubled), until)
        return proof or ("flagged in float64" if doubled.advance() == "diverged" else None)


def prove_all(chosen: list[Pair], runs: int) -> tuple[Counter[str], list[str]]:
    """Return what shows that runs at default rates were flagged rightly, and for which of them nothing does."""
    proofs, false = Counter[str](), []
    for dataset in AT_DEFAULT_RATES:
        for pair, seed, run in flagged_of(chosen, runs, dataset=dataset):
            proof = proof_of(run, Run(config_of(pair, seed, epochs=3, dataset=dataset, dtype="float64")))
            if proof:
                proofs[f"{dataset}: {proof}"] += 1
            else:
                false.append(f"not shown: {dataset}, {pair[0]}, {pair[1]}, seed {seed}")
    return proofs, false


def campaign(chosen: list[Pair], healthy: int) -> dict[str, Any]:
    """Return what was found of these pairs."""
    flagged, wrong = spoil_all(chosen)
    proofs, unproven = prove_all(chosen, healthy)
    counts = {"pairs": len(chosen), "spoiled": len(chosen) * len(PLACES) * len(SPOILS), "healthy": healthy,
              "at_default_rates": healthy * len(AT_DEFAULT_RATES)}  # fmt: skip
    false = flag_none(chosen, healthy) + unproven
    return counts | {"flagged": dict(flagged), "rightly_flagged": dict(proofs), "wrong": wrong, "false": false}


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was found by several processes together."""
    counts = {name: sum(part[name] for part in parts) for name in ("pairs", "spoiled", "healthy", "at_default_rates")}
    tallies = {name: dict(sum((Counter(part[name]) for part in parts), Counter[str]()))
               for name in ("flagged", "rightly_flagged")}  # fmt: skip
    lists = {name: [line for part in parts for line in part[name]] for name in ("wrong", "false")}
    return counts | tallies | lists


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
