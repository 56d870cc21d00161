"""How often does a trial's verdict err, and how soon is it there? Whole trials over simulated scores, some minutes.

    python bench/evidence/try_calibration.py [REPEATS]

Each repeat is a trial as `mlpjit try` makes it, with its store, its stages and its pairs of runs; only the scores are
drawn: the competitor's quality, luck of the seed that all share, luck of the run. A newcomer that is one of its four
rivals under another name is called better or worse than any of them in at most 5 % of trials, whatever the luck looks
like; one that is better by one, two or four standard deviations of the difference is found after so many seeds.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlpjit.config.run_config import RunConfig
from mlpjit.extending import files
from mlpjit.study.pool import Runner
from mlpjit.study.study import Study
from mlpjit.study.sweep import sweep
from mlpjit.study.trial import trial

EXAMPLE = Path(__file__).parents[2] / "docs/examples/soft_sign.py"
RIVALS = ("sgd", "momentum", "adam", "rmsprop")
TABLE: dict[str, Any] = {
    "name": "simulated", "width": 8, "depth": 1, "epochs": 1,
    "sweep": {"optimizer": list(RIVALS), "learning_rate": [0.1], "seed": [0]},
    "final": {"per": "optimizer", "seeds": [100, 101]},
}  # fmt: skip
LUCK: dict[str, Callable[[np.random.Generator], float]] = {
    "normal": lambda rng: float(rng.standard_normal()),
    "t(3)": lambda rng: float(rng.standard_t(3)),
    "lognormal": lambda rng: float(rng.lognormal()),
}
NUMBERS = {name: number for number, name in enumerate((*RIVALS, "soft_sign"))}


@dataclass
class Result:
    """What a run returns."""

    metrics: dict[str, Any]
    status: str = "done"

    def __post_init__(self) -> None:
        self.history: dict[str, Any] = {}
        self.timings: dict[str, float] = {}
        self.counts: dict[str, int] = {}


def runner(repeat: int, kind: str, effect: float) -> Runner:
    """Make runs of drawn scores; the newcomer is better by `effect` standard deviations of a difference."""

    def execute(config: RunConfig, control: Any) -> Result:
        name = config.optimizer["name"]
        own, shared = (np.random.default_rng([repeat, who, config.seed]) for who in (NUMBERS[name], 99))
        lead = effect * np.sqrt(2) * (name == "soft_sign")
        score = (3 * shared.standard_normal() + LUCK[kind](own) + lead) / 100
        return Result({"final_validation_loss": 1.0, "test_score": score})

    return Runner(execute, lambda configs: 0.0, lambda config, count: {})


def verdicts(repeat: int, kind: str, effect: float) -> list[dict[str, Any]]:
    """Make one trial and return its records."""
    study = trial(Study.from_table(TABLE), files.OwnFile(EXAMPLE, "", (("optimizers", "soft_sign"),)), cap=60)
    with tempfile.TemporaryDirectory() as folder:
        sweep(study, Path(folder), 1, runner=runner(repeat, kind, effect))
        return [judged.record() for judged in study.verdicts(Path(folder))]


def main(repeats: int) -> None:
    """Count claims where there is nothing to claim, then seeds where there is."""
    with multiprocessing.Pool(8, files.load, (EXAMPLE,)) as pool:  # trials mostly wait, for threads and for the disk
        for kind in LUCK:
            found = pool.starmap(verdicts, [(repeat, kind, 0.0) for repeat in range(repeats)])
            claimed = np.mean([any(record["answer"] in ("better", "worse") for record in some) for some in found])
            print(f"a rival under another name, {kind}: better or worse than any of 4 in {claimed:.1%} of {repeats}")
        for effect in (1.0, 2.0, 4.0):
            found = pool.starmap(verdicts, [(repeat, "normal", effect) for repeat in range(repeats // 4)])
            records = [record for some in found for record in some]
            seeds, sure = (np.array([record[name] for record in records]) for name in ("pairs", "answer"))
            middle, most = np.quantile(seeds, [0.5, 0.9], method="lower")
            share = (sure == "better").mean()
            print(f"better by {effect:g} SDs: found in {share:.1%} of pairs after {middle} seeds, 90 % by {most}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
