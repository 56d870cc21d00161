"""How often do the tests err, and how wide are they? The figures of docs/statistics.md, about a minute.

    python bench/evidence/statistics_calibration.py

2,000 comparisons each at n = 10 and 20 of differences of two runs drawn alike: claims at 5 % of the sign-flip test,
the signed-rank test and, for comparison, the percentile bootstrap of the mean; 25 such comparisons under Holm;
evidence looked at after each of 200 pairs, 10,000 times, and what it takes to find an effect; the planner's power
beside simulation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlpjit.statistics import holm, power, sequential, signedrank, signflip

Source = np.random.Generator
DRAWN: dict[str, Callable[[Source, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t(3)": lambda rng, shape: rng.standard_t(3, shape),
    "lognormal": lambda rng, shape: rng.lognormal(0.0, 1.0, shape),
}
COMPARISONS, STREAMS, LOOKS = 2000, 10_000, 200


def source(seed: int) -> Source:
    return np.random.Generator(np.random.PCG64(seed))


def nulls(kind: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = source(seed)
    return DRAWN[kind](rng, shape) - DRAWN[kind](rng, shape)


def bootstrap_claims(d: np.ndarray, resamples: int = 1000) -> float:
    """The share of samples whose percentile interval of the mean excludes 0."""
    rng, found = source(1), 0
    for sample in d:
        means = sample[rng.integers(0, sample.size, (resamples, sample.size))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        found += not low <= 0 <= high
    return found / len(d)


def claims() -> None:
    print(
        "| differences | n | sign-flip claims | its intervals miss | signed ranks claim | percentile bootstrap claims |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for kind in DRAWN:
        for n in (10, 20):
            d = nulls(kind, (COMPARISONS, n), n)
            flip = (signflip.p_values(d) <= 0.05).mean()
            intervals = np.array([signflip.SignFlip(sample + 2.5).interval() for sample in d])
            missed = ((intervals[:, 0] > 2.5) | (intervals[:, 1] < 2.5)).mean()
            ranked = np.mean([signedrank.SignedRank(sample).p() <= 0.05 for sample in d])
            print(f"| {kind} | {n} | {flip:.1%} | {missed:.1%} | {ranked:.1%} | {bootstrap_claims(d):.1%} |")


def families() -> None:
    for kind in DRAWN:
        p = signflip.p_values(nulls(kind, (25 * COMPARISONS, 12), 300)).reshape(COMPARISONS, 25)
        print(f"Holm over 25 nulls, {kind}: any claim in {np.mean([holm.holm(row).min() <= 0.05 for row in p]):.1%}")


def evidence() -> None:
    for kind in DRAWN:
        above, below = sequential.refuted(nulls(kind, (STREAMS, LOOKS), 400), 0.05)
        print(f"evidence, {kind}: claims in {(above[:, -1] | below[:, -1]).mean():.1%} of streams of {LOOKS} pairs")
    columns = ("effect", "claimed within 200", "pairs taken, median", "90 %", "fixed plan, power 0.8", "of that power")
    print(f"| {' | '.join(columns)} |\n|{'---:|' * len(columns)}")
    for effect in (0.3, 0.5, 1.0, 2.0, 4.0):
        above, _ = sequential.refuted(source(500).normal(effect, 1.0, (2000, LOOKS)), 0.05)
        taken, reached = np.where(above[:, -1], above.argmax(axis=1) + 1, np.inf), above[:, -1].mean()
        middle, most = np.quantile(taken, [0.5, 0.9], method="lower")
        fixed, equal = power.pairs_needed(effect), power.pairs_needed(effect, wanted=min(reached, 0.999))
        print(f"| {effect} | {reached:.1%} | {middle:g} | {most:g} | {fixed} | {equal} |")


def planner() -> None:
    worst = 0.0
    for alpha in (0.05, 0.05 / 25):
        for pairs, effect in ((8, 1.2), (10, 1.0), (12, 1.5), (16, 0.8), (20, 0.7), (40, 0.5)):
            samples = source(600 + pairs).normal(effect, 1.0, (2000, pairs))
            observed = ((signflip.p_values(samples) <= alpha) & (samples.mean(axis=1) > 0)).mean()
            worst = max(worst, abs(power.power(effect, pairs, alpha) - observed))
    print(f"planner: at most {100 * worst:.1f} points from the observed power in twelve plans")


if __name__ == "__main__":
    for part in (claims, families, evidence, planner):
        part()
