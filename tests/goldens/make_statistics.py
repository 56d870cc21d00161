"""Golden values of statistics by other packages: Holm, Nemenyi, aggregates over problems, shares of variance, power.

Run where statsmodels, scikit-posthocs and rliable are: `PYTHONPATH=tests:. python -m goldens.make_statistics`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from goldens.records import Arrays, Golden, golden, save


def inputs() -> Arrays:
    """Seeded data with ties: p-values, scores (runs, problems) of two, (problems, competitors) of six, a grid."""
    source = np.random.Generator(np.random.PCG64(14))
    grid = source.normal(size=(3, 2, 4, 5)) + np.arange(3.0)[:, None, None, None]
    return {
        "p_values": np.round(source.uniform(size=12) ** 3, 3),
        "first": np.round(source.normal(0.6, 0.4, (9, 7)), 2),
        "second": np.round(source.normal(0.5, 0.4, (11, 7)), 2),
        "field": np.round(source.normal(size=(14, 6)) + np.arange(6.0) / 3, 1),
        "grid": grid + np.arange(4.0)[:, None] * np.arange(2.0)[:, None, None],
    }


INPUTS = inputs()
PLANS = [(effect, pairs, alpha) for effect in (0.3, 0.6, 1.0) for pairs in (20, 40) for alpha in (0.05, 0.002)]


def by_statsmodels() -> Iterator[Golden]:
    """Holm's correction; sums of squares of the full model on a balanced grid, as shares of those of the cells."""
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import TTestPower

    corrected = multipletests(INPUTS["p_values"], method="holm")[1]
    yield golden("holm", {}, "statsmodels.stats.multitest.multipletests", {"corrected": corrected})
    rows = [(*at, INPUTS["grid"][at]) for at in product(*map(range, INPUTS["grid"].shape))]
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "seed", "score"])
    squares = anova_lm(ols("score ~ C(a, Sum) * C(b, Sum) * C(c, Sum)", frame).fit(), typ=2)["sum_sq"].iloc[:-1]
    order = ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]
    named = {"".join(letter for letter in name if letter in "abc:"): value for name, value in squares.items()}
    shares = np.array([named[name] for name in order]) / squares.sum()
    yield golden("variance_shares", {}, "statsmodels.stats.anova.anova_lm", {"shares": shares})
    found = [TTestPower().power(effect, n, alpha / 2, alternative="larger") for effect, n, alpha in PLANS]
    given, arrays = {"plans": PLANS}, {"power": np.array(found)}
    yield golden("power", {}, "statsmodels.stats.power.TTestPower", arrays, given=given, note="one direction's")


def by_posthocs() -> Iterator[Golden]:
    """All pairs by average ranks."""
    from scikit_posthocs import posthoc_nemenyi_friedman

    p = posthoc_nemenyi_friedman(INPUTS["field"]).to_numpy()
    yield golden("nemenyi", {}, "scikit_posthocs.posthoc_nemenyi_friedman", {"p": p})


def by_rliable() -> Iterator[Golden]:
    """Point estimates of the paper's own code."""
    from rliable import metrics

    iqm, gap = metrics.aggregate_iqm(INPUTS["first"]), metrics.aggregate_optimality_gap(INPUTS["first"])
    yield golden("interquartile_mean", {}, "rliable.metrics.aggregate_iqm", {"value": np.array(iqm)})
    yield golden("optimality_gap", {}, "rliable.metrics.aggregate_optimality_gap", {"value": np.array(gap)})
    chance = metrics.probability_of_improvement(INPUTS["first"], INPUTS["second"])
    oracle = "rliable.metrics.probability_of_improvement"
    yield golden("probability_of_improvement", {}, oracle, {"value": np.array(chance)})


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    for family in (by_statsmodels, by_posthocs, by_rliable):
        yield from family()


if __name__ == "__main__":
    save("statistics", make(), INPUTS)
