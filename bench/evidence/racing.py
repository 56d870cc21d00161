"""Does racing choose what the whole grid chooses, and what does it save? Some minutes on two cores.

    python bench/evidence/racing.py [FOLDER]

The grid of racing.toml is made first: 4 optimizers, 16 settings each, on digits and two_moons, 40 seeds (5,120 runs).
Each repeat draws 20 of the 40 seeds as tuning seeds for one optimizer on one of the data sets, races over them as a
study with `[tuning] race = true` does, and compares with the whole grid of the same seeds: is it the same winner, or
one whose median validation accuracy over all 40 seeds is within half a point, and how many gradients did it take, audit
arm included? A late starter is planted too: whatever its curve was before, at the end it is the best by a tenth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlpjit.statistics import race
from mlpjit.store import Store
from mlpjit.study.study import Study

STUDY = Path(__file__).with_suffix(".toml")
COLUMNS = ("dataset", "optimizer", "learning_rate", "depth", "seed", "state", "final_validation_loss",
           "final_validation_score", "gradients")  # fmt: skip
REPEATS, ALL, SEEDS, MARGIN = 100, 40, 20, 0.005
Table = dict[str, np.ndarray]


def tables(folder: Path) -> dict[tuple[str, str], Table]:
    """Make the grid where it is missing; return losses, accuracies and gradients of (settings, seeds)."""
    Study.load(STUDY).run(folder)
    found: dict[tuple[str, str], dict[tuple[float, int], np.ndarray]] = {}
    with Store.open(folder, readonly=True) as store:
        for dataset, optimizer, rate, depth, seed, state, loss, score, gradients in store.rows(COLUMNS):
            settings = found.setdefault((dataset, optimizer), {})
            cells = settings.setdefault((rate, depth), np.full((3, ALL), np.nan))
            done = state == "done" and loss is not None
            cells[:, seed] = (loss, score, gradients) if done else (np.inf, 0.0, gradients)
    names = ("loss", "score", "gradients")
    return {
        key: dict(zip(names, np.stack(list(some.values())).swapaxes(0, 1), strict=True)) for key, some in found.items()
    }


def raced(losses: np.ndarray, draws: np.ndarray) -> tuple[int, race.Race, np.ndarray]:
    """Race over a table as a sweep does; return the winner, the race, and which runs it made."""
    stored = np.zeros(losses.shape, dtype=bool)
    while not (found := race.race(losses, stored, draws)).has_ended:
        stored |= found.needed
    return best(losses, found.to_the_end), found, stored


def best(losses: np.ndarray, among: np.ndarray) -> int:
    """Return the setting with the lowest median loss."""
    return int(np.argmin(np.where(among, np.median(losses, axis=1), np.inf)))


def compare(grids: dict[tuple[str, str], Table]) -> None:
    """Print how often the winner is the same, or as good, and the share of the gradients."""
    rng, same, near, shares, regrets = np.random.default_rng(0), 0, 0, [], []
    for repeat in range(REPEATS):
        grid = list(grids.values())[repeat % len(grids)]
        seeds = rng.permutation(ALL)[:SEEDS]
        losses = grid["loss"][:, seeds]
        whole, (winner, found, stored) = (
            best(losses, np.ones(len(losses), bool)),
            raced(losses, rng.random(len(losses))),
        )
        scores = np.median(grid["score"], axis=1)
        same += winner == whole
        near += winner == whole or bool(scores[winner] >= scores[whole] - MARGIN)
        gradients = grid["gradients"][:, seeds]
        shares.append((gradients * stored).sum() / gradients.sum())
        medians = np.median(losses, axis=1)
        regrets.append(medians[found.dropped == 0].min() - min(medians[found.to_the_end]))
    print(f"{REPEATS} repeats, {SEEDS} seeds: the same winner in {same}, within half a point in {near}")
    print(f"gradients: {np.mean(shares):.0%} of the grid's, {min(shares):.0%} to {max(shares):.0%}")
    print(f"an audited setting was better in {np.count_nonzero(regrets)}")


def late_starter(grids: dict[tuple[str, str], Table]) -> None:
    """Plant a setting that wins at the end beside those of each grid, with seeds of its own."""
    rng, dropped = np.random.default_rng(1), 0
    for repeat in range(REPEATS):
        grid = list(grids.values())[repeat % len(grids)]
        losses = grid["loss"][:, rng.permutation(ALL)[:SEEDS]]
        top = losses[best(losses, np.ones(len(losses), bool))]
        planted = np.append(losses, 0.9 * rng.permutation(top)[None], axis=0)
        _, found, _ = raced(planted, rng.random(len(planted)))
        dropped += found.dropped[-1] > 0
    print(f"a late starter that wins at the end by a tenth of the loss: dropped in {dropped} of {REPEATS}")


def main(folder: Path) -> None:
    """Make the grid, then race over it."""
    grids = tables(folder)
    compare(grids)
    late_starter(grids)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
