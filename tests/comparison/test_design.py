"""What a design can claim: the smallest p by the test itself, and Holm's correction of it."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.comparison.design import claims
from mlpjit.statistics.holm import holm
from mlpjit.statistics.signedrank import SignedRank
from mlpjit.statistics.signflip import SignFlip


@pytest.mark.parametrize(("competitors", "seeds"), [([4], 10), ([3], 4), ([25], 12), ([3, 2], 7)])
def test_the_best_that_can_happen_is_all_pairs_at_the_smallest_p(competitors: list[int], seeds: int) -> None:
    best = SignFlip(np.ones(seeds)).p()
    for family in claims(competitors, seeds)[:2]:
        corrected = holm([best] * family.comparisons).min()
        assert family.smallest_p == corrected
        assert family.possible == (corrected <= 0.05)


@pytest.mark.parametrize(("comparisons", "seeds"), [(25, 10), (54, 12), (1485, 16)])
def test_seeds_that_families_take(comparisons: int, seeds: int) -> None:
    needed = claims([comparisons + 1], 5)[1]
    assert (needed.comparisons, needed.needed, needed.possible) == (comparisons, seeds, False)
    assert claims([comparisons + 1], seeds)[1].possible
    assert not claims([comparisons + 1], seeds - 1)[1].possible


def test_over_problems_the_problems_are_the_sample() -> None:
    *_, each, one = claims([3] * 8, 5)
    best = SignedRank(np.arange(1.0, 9.0)).p()
    assert (each.smallest_p, one.smallest_p) == (3 * best, 2 * best)
    assert (each.pairs, each.sample, each.needed, one.needed) == (8, "problems", 7, 7)


def test_two_competitors_are_one_family() -> None:
    assert [one.comparisons for one in claims([2], 5)] == [1]
    assert [(one.comparisons, one.needed) for one in claims([2, 2], 5)] == [(2, 7), (1, 6)]


def test_one_competitor_is_no_family() -> None:
    assert claims([1], 5) == claims([], 5) == []


def test_words() -> None:
    impossible, possible = claims([5], 6)[0].words, claims([2], 6)[0].words
    assert impossible == "10 comparisons: p = 0.31 at best, so none can be claimed; it takes 9 seeds"
    assert possible == "1 comparison: p = 0.031 at best"
