"""Do the tests err as often as they say? Thousands of seeded comparisons in which the truth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from samples import DRAWN, null_differences, source

from mlpjit.statistics import holm, power, sequential, signedrank, signflip

COMPARISONS = 2000
KINDS = list(DRAWN)


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_null_comparisons_are_claimed_at_five_percent(kind, n):
    claimed = signflip.p_values(null_differences(kind, (COMPARISONS, n), seed=n)) <= 0.05
    assert 0.02 <= claimed.mean() <= 0.06


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover(kind, n):
    shifted = null_differences(kind, (COMPARISONS, n), seed=100 + n) + 2.5
    intervals = np.array([signflip.SignFlip(d).interval() for d in shifted])
    assert 0.93 <= ((intervals[:, 0] <= 2.5) & (intervals[:, 1] >= 2.5)).mean() <= 0.97


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_signed_ranks_cover(kind, n):
    shifted = null_differences(kind, (COMPARISONS, n), seed=200 + n) + 2.5
    intervals = np.array([signedrank.SignedRank(d).interval() for d in shifted])
    assert 0.93 <= ((intervals[:, 0] <= 2.5) & (intervals[:, 1] >= 2.5)).mean() <= 0.97


@pytest.mark.parametrize("kind", KINDS)
def test_holm_over_25_nulls_claims_any_in_at_most_six_percent(kind):
    p = signflip.p_values(null_differences(kind, (25 * COMPARISONS, 12), seed=300)).reshape(COMPARISONS, 25)
    assert np.mean([(holm.holm(family) <= 0.05).any() for family in p]) <= 0.06


@pytest.mark.parametrize(("kind", "streams"), [("normal", 10_000), ("t3", 2000), ("lognormal", 2000)])
def test_evidence_looked_at_after_every_pair_claims_in_at_most_five_percent(kind, streams):
    above, below = sequential.refuted(null_differences(kind, (streams, 200), seed=400), 0.05)
    assert (above[:, -1] | below[:, -1]).mean() <= 0.05


@cache
def pairs_used() -> tuple[float, float]:
    """Of 3,000 streams at an effect of one standard deviation: the share claimed within 200 pairs, the median taken."""
    above, _ = sequential.refuted(source(500).normal(1.0, 1.0, (3000, 200)), 0.05)
    taken = np.where(above[:, -1], above.argmax(axis=1) + 1, np.inf)
    return float(above[:, -1].mean()), float(np.median(taken))


def test_evidence_needs_at_most_sixty_percent_of_a_fixed_plan_of_equal_power():
    reached, median = pairs_used()
    assert reached > 0.99
    assert median <= 0.6 * power.pairs_needed(1.0, wanted=min(reached, 0.999))


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 25])
@pytest.mark.parametrize(("pairs", "effect"), [(8, 1.2), (10, 1.0), (12, 1.5), (16, 0.8), (20, 0.7), (40, 0.5)])
def test_the_planners_power_is_the_observed(pairs, effect, alpha):
    samples = source(600 + pairs).normal(effect, 1.0, (1000, pairs))
    observed = ((signflip.p_values(samples) <= alpha) & (samples.mean(axis=1) > 0)).mean()
    assert abs(power.power(effect, pairs, alpha) - observed) <= 0.05
