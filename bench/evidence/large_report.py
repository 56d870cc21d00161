"""A store of 20,000 runs, compared and reported: how long that takes. Runs are made up, the store is a real one.

    python bench/evidence/large_report.py [FOLDER]

60 competitors with 8 rates on 8 tuning seeds and 20 final seeds, on 4 problems: 20,160 runs, 7,080 pairs. Prints the
seconds of `compare` (each with each) and of `report`, and the size of the page.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.comparison.stored import compare_stored
from mlpjit.config.run_config import RunConfig
from mlpjit.report import write
from mlpjit.store.arrays import LAYER_CURVES
from mlpjit.study.pool import Runner
from mlpjit.study.study import Study
from mlpjit.training.result import Control, Results

PROBLEMS = ("digits", "wine", "iris", "breast_cancer")
COMPETITORS = [{"name": "adam", "b1": round(0.5 + at / 150, 4)} for at in range(60)]
STUDY: dict[str, Any] = {
    "name": "large", "width": 8, "epochs": 10,
    "sweep": {"dataset": list(PROBLEMS), "optimizer": COMPETITORS, "seed": list(range(8)),
              "learning_rate": [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0, 3.0]},
    "final": {"per": "optimizer", "seeds": list(range(100, 120))},
}  # fmt: skip
COSTS = {"parameters": 1000, "steps": 100, "gradients": 100, "compile_seconds": 0.0, "train_seconds": 0.01,
         "evaluate_seconds": 0.001}  # fmt: skip


def made_up(configs: Sequence[RunConfig], _: Control) -> Results:
    """A loss that is lowest at rate 0.01, a score in hundredths, and a run in fifty lost at the largest rates."""
    (config,) = configs
    random = np.random.default_rng(int(config.run_id, 16))
    lost = config.learning_rate > 0.5 and random.random() < 0.02
    skill = config.optimizer.get("b1", 0.5) if isinstance(config.optimizer, dict) else 0.5
    loss = 0.1 + 0.3 * abs(math.log10(config.learning_rate) + 2) + 0.05 * random.random() - 0.05 * skill
    epochs = np.arange(3 if lost else config.epochs + 1)
    losses = loss + 2 / (epochs + 1)
    layers = random.random((len(epochs), (config.depth + 1) * len(LAYER_CURVES)))
    records = np.column_stack([epochs, epochs * 10, losses, losses, 1 / (1 + losses), epochs * 10, layers])
    score = round(min(1.0, max(0.0, 0.9 + 0.05 * skill + 0.02 * random.normal())), 2)
    measured = {"final_validation_loss": losses[-1], "test_loss": losses[-1], "final_validation_score": score,
                "test_score": score}  # fmt: skip
    numbers = {name: None if lost else float(value) for name, value in measured.items()} | COSTS
    numbers["diverged_step"] = 3 if lost else None
    return Results(["diverged" if lost else "done"], {name: [value] for name, value in numbers.items()},
                   records[None], [len(epochs)], config.depth + 1, np.zeros((1, 2)))  # fmt: skip


def main(folder: Path) -> None:
    if not (folder / "store.sqlite").exists():
        Study.from_table(STUDY).run(folder, runner=Runner(made_up, lambda *_: 0.0, lambda *_: {}))
    started = time.perf_counter()
    found = compare_stored(folder)
    compared = time.perf_counter()
    page = write(folder, force=True)[0]
    reported = time.perf_counter()
    print(f"{len(found.on_problems):,} pairs compared in {compared - started:.1f} s")
    print(f"reported in {reported - compared:.1f} s, {page.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
