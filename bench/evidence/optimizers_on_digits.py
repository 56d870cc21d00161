"""Digits, 4 x 64 GELU: every optimizer of the catalogue at its own best rate, beside Adam.

    python bench/evidence/optimizers_on_digits.py              # all of them: a minute or two
    python bench/evidence/optimizers_on_digits.py lion adopt   # these again, the others as they stand in the file

Rates from one grid for all, falling along a cosine (steps of fixed length, as Lion's, settle only so), hyperparameters
as the catalogue has them. The rate is chosen by the median final validation loss of two seeds, the test accuracy is the
mean over five others. Writes results/reference/optimizers_on_digits.json; tests/test_optimizers_on_digits.py reads it.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlpjit as mj
from mlpjit.training.warm import prepare

TARGET = Path(__file__).parents[2] / "results" / "reference" / "optimizers_on_digits.json"
NETWORK = {
    "dataset": "digits",
    "hidden": [64] * 4,
    "activation": "gelu",
    "init": "he_normal",
    "epochs": 30,
    "schedule": "cosine",
}
RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0]
TUNING, REPORTING = (0, 1), (10, 11, 12, 13, 14)
ALLOWED_POINTS = 1.5
# Settings that a paper excludes are replaced by the ones it is for.
OTHERWISE: dict[str, dict[str, Any]] = {"rprop": {"batch_size": "full"}, "lbfgs": {"batch_size": "full", "epochs": 100}}
REASONS = {
    "rprop": "full batches: the sign of a mini-batch's gradient changes with its samples (Riedmiller & Braun 1993)",
    "lbfgs": "full batches, which its line search is for (Liu & Nocedal 1989), and 100 of them: an epoch is one step",
}


def config(name: str, rate: float, seed: int) -> mj.RunConfig:
    given = NETWORK | OTHERWISE.get(name, {})
    return mj.RunConfig(optimizer=name, learning_rate=rate, seed=seed, **given)


def trained(configs: list[mj.RunConfig]) -> list[mj.RunResult]:
    """Train on two threads; results in the order of the configurations."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(mj.train, configs))


def measured(name: str) -> dict[str, Any]:
    """Choose the rate, then report."""
    results = trained([config(name, rate, seed) for rate in RATES for seed in TUNING])
    losses = [r.metrics["final_validation_loss"] for r in results]
    found = [float("inf") if loss is None else float(loss) for loss in losses]
    medians = [statistics.median(found[i : i + len(TUNING)]) for i in range(0, len(found), len(TUNING))]
    rate = RATES[medians.index(min(medians))]
    scores = [float(r.test_score or 0.0) for r in trained([config(name, rate, seed) for seed in REPORTING])]
    made = {"learning_rate": rate, "validation_loss": min(medians), "test_accuracy": scores}
    return made | {"mean": statistics.mean(scores), "at_the_end_of_the_grid": rate in (RATES[0], RATES[-1])}


def main(names: list[str]) -> None:
    known = json.loads(TARGET.read_text(encoding="utf-8"))["optimizers"] if names and TARGET.exists() else {}
    chosen = names or list(mj.optimizers)
    prepare([config(name, 0.01, 0) for name in chosen])
    for name in chosen:
        known[name] = measured(name) | (
            {"otherwise": OTHERWISE[name], "reason": REASONS[name]} if name in REASONS else {}
        )
        print(f"{name:18s} {known[name]['learning_rate']:<8g} {100 * known[name]['mean']:.2f} %", flush=True)
    adam = known["adam"]["mean"]
    for made in known.values():
        made["points_below_adam"] = round(100 * (adam - made["mean"]), 4)
    found = {
        "network": NETWORK, "rates": RATES, "tuning_seeds": TUNING, "reporting_seeds": REPORTING,
        "allowed_points": ALLOWED_POINTS, "mlpjit": mj.__version__, "host_machine": platform.machine(),
        "optimizers": {name: known[name] for name in mj.optimizers if name in known},
    }  # fmt: skip
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
