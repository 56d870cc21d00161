"""Differences of pairs with lost runs, their mean and tally."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlpjit.statistics import paired

INF = math.inf


@pytest.mark.parametrize(("higher_is_better", "sign"), [(True, 1.0), (False, -1.0)])
def test_positive_means_that_the_first_is_better(higher_is_better, sign):
    found = paired.differences([0.75, 0.5], [0.5, 0.75], higher_is_better)
    assert found.tolist() == [sign * 0.25, -sign * 0.25]


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("lost", [math.nan, INF, -INF])
def test_a_lost_run_ranks_worst_and_two_are_level(higher_is_better, lost):
    found = paired.differences([lost, 1.0, lost], [1.0, lost, lost], higher_is_better)
    assert found.tolist() == [-INF, INF, 0.0]


def test_scores_without_partners_are_refused():
    with pytest.raises(ValueError, match="as many scores on both sides"):
        paired.differences([1.0, 2.0], [1.0], higher_is_better=True)


def test_tally():
    assert paired.tally([0.5, -INF, 0.0, 2.0, INF]) == paired.Tally(wins=3, ties=1, losses=1)


@pytest.mark.parametrize(
    ("values", "mean"), [([1.0, 2.0], 1.5), ([1.0, INF], INF), ([-INF, -INF, INF], -INF), ([INF, -INF, 3.0], 1.0)]
)
def test_the_mean_takes_infinities_as_a_limit(values, mean):
    assert paired.mean(values) == mean


@pytest.mark.parametrize(("values", "message"), [([], "at least one"), ([1.0, np.nan], "hold NaN")])
def test_nothing_and_nan_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        paired.checked(values)
