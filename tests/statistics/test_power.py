"""What designs can claim; power itself stands in test_calibration.py and test_golden_statistics.py."""

from __future__ import annotations

import math

import pytest

from mlpjit.statistics import power


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (25, 10), (54, 12), (1485, 16)])
def test_pairs_to_reach_a_claim_under_holm(comparisons, pairs):
    assert power.pairs_to_reach(comparisons) == pairs
    assert power.plan(pairs, comparisons, wanted=0.5).reachable
    assert not power.plan(pairs - 1, comparisons, wanted=0.5).reachable


def test_no_number_of_pairs_reaches_what_draws_cannot_resolve():
    assert power.pairs_to_reach(6000) is None


def test_a_design_that_cannot_claim_has_no_power():
    assert power.power(100.0, 5) == 0.0
    assert power.detectable(5) == math.inf
    found = power.plan(5)
    assert (found.reachable, found.pairs_to_reach, found.smallest_p) == (False, 6, 0.0625)


@pytest.mark.parametrize("effect", [3.0, 1.0, 0.5, 0.1])
@pytest.mark.parametrize("alpha", [0.05, 0.002])
def test_pairs_needed_are_the_fewest(effect, alpha):
    needed = power.pairs_needed(effect, alpha=alpha)
    assert power.power(effect, needed, alpha) >= 0.8 > power.power(effect, needed - 1, alpha)
    assert needed == power.pairs_needed(-effect, alpha=alpha)


@pytest.mark.parametrize("effect", [0.0, 1e-4, math.nan, math.inf])
def test_no_number_is_named_for_nothing(effect):
    assert power.pairs_needed(effect) is None


@pytest.mark.parametrize("pairs", [8, 20])
def test_the_detectable_effect_has_the_power(pairs):
    found = power.detectable(pairs)
    assert power.power(found, pairs) >= 0.79
    assert power.power(found - 0.05, pairs) < 0.8
