"""Stores of 10,560 and of 100,800 runs: what a report, a comparison and an export of them take of CPU and memory.

    python bench/evidence/large_report.py [FOLDER] | tee bench/evidence/large_report.log

60 competitors with 8 rates on 3 and on 50 tuning seeds, and 20 final seeds, on 4 problems: 7,080 pairs.
Runs are made up, the stores are real ones, and each command is a process of its own. Exits with 1 where one of them
holds more than 300 MB of the larger store, or grows by more than 500 bytes for each run more.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import machine
from mlpjit.config.run_config import RunConfig
from mlpjit.store.arrays import LAYER_CURVES
from mlpjit.study.pool import Runner
from mlpjit.study.study import Study
from mlpjit.training.result import Control, Results

PROBLEMS = ("digits", "wine", "iris", "breast_cancer")
COMPETITORS = [{"name": "adam", "b1": round(0.5 + at / 150, 4)} for at in range(60)]
SEEDS = (3, 50)  # of the tuning, in the smaller study and in the larger
STUDY: dict[str, Any] = {
    "name": "large", "width": 8, "epochs": 10,
    "sweep": {"dataset": list(PROBLEMS), "optimizer": COMPETITORS,
              "learning_rate": [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0, 3.0]},
    "final": {"per": "optimizer", "seeds": list(range(100, 120))},
}  # fmt: skip
COSTS = {"parameters": 1000, "steps": 100, "gradients": 100, "compile_seconds": 0.0, "train_seconds": 0.01,
         "evaluate_seconds": 0.001}  # fmt: skip
COMMANDS = {"report": ["--force"], "compare": [], "export": []}
MOST_BYTES, MOST_GROWTH = 300e6, 500.0
# A process tells of itself what it held at most: of a child the system tells what its parent held, if that is more.
MEASURED = """
import json, os, sys
from pathlib import Path
from mlpjit.cli import main
out, sys.argv, sys.stdout = sys.stdout, ["mlpjit", *sys.argv[1:]], open(os.devnull, "w")
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(json.dumps([peak, sum(os.times()[:4])]), file=out)
"""


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


def stored(folder: Path, seeds: int) -> int:
    """Make a study of so many tuning seeds, unless it is there; return how many runs it has."""
    study = {**STUDY, "sweep": {**STUDY["sweep"], "seed": list(range(200, 200 + seeds))}}
    made = Study.from_table(study).run(folder, runner=Runner(made_up, lambda *_: 0.0, lambda *_: {}))
    return made.summary.total


def measured(command: str, folder: Path) -> tuple[float, float]:
    """Return the bytes that a command holds at most, and its seconds of CPU with those of its children."""
    arguments = [sys.executable, "-c", MEASURED, command, str(folder), *COMMANDS[command]]
    peak, seconds = json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout)
    return peak, seconds


def main(folder: Path) -> int:
    """Measure every command on both stores."""
    folders = [folder / f"{seeds}-seeds" for seeds in SEEDS]
    runs = [stored(each, seeds) for each, seeds in zip(folders, SEEDS, strict=True)]
    wrong = 0
    for command in COMMANDS:
        found = [measured(command, each) for each in folders]
        for count, (peak, seconds) in zip(runs, found, strict=True):
            print(f"{command:7} {count:7,} runs: {seconds:5.1f} s of CPU, {peak / 1e6:5.0f} MB", flush=True)
        growth = (found[1][0] - found[0][0]) / (runs[1] - runs[0])
        print(f"{command:7} grows by {growth:.0f} bytes a run", flush=True)
        wrong += found[1][0] > MOST_BYTES or growth > MOST_GROWTH
    page = folders[1] / "report.html"
    print(f"page: {page.stat().st_size / 1000:,.0f} kB; {machine()}")
    return int(wrong > 0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary)))
