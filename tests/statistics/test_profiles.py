"""Performance profiles by hand, their integral by quadrature; costs to targets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import profiles, targets

INF = math.inf
COSTS = [[1.0, 2.0], [3.0, 1.5], [4.0, INF], [INF, INF]]


def test_profiles_by_hand():
    assert profiles.ratios(COSTS).tolist() == [[1.0, 2.0], [2.0, 1.0], [1.0, INF], [INF, INF]]
    assert profiles.profile(COSTS, [1.0, 1.9, 2.0, 1e9]).tolist() == [
        [0.5, 0.25],
        [0.5, 0.25],
        [0.75, 0.5],
        [0.75, 0.5],
    ]


def test_the_integral_is_that_of_the_profile():
    costs = source(0).lognormal(0.0, 1.0, (25, 4))
    taus = np.linspace(1, 4, 300_001)
    area = np.trapezoid(profiles.profile(costs, taus), taus, axis=0) / 3
    assert profiles.integral(costs) == pytest.approx(area, abs=1e-5)
    assert profiles.integral(COSTS).tolist() == pytest.approx([(3 + 2 + 3) / 12, (2 + 3) / 12])


def test_not_a_number_is_a_failure():
    assert profiles.ratios([[math.nan, 2.0]]).tolist() == [[INF, 1.0]]


def test_costs_are_above_zero_and_limits_above_one():
    with pytest.raises(ValueError, match="costs above 0"):
        profiles.ratios([[0.0, 1.0]])
    with pytest.raises(ValueError, match="to a limit above it"):
        profiles.integral([[1.0]], limit=1.0)


@pytest.mark.parametrize(("target", "cost"), [(0.5, 20.0), (0.3, 40.0), (0.1, INF), (2.0, 10.0)])
def test_steps_to_a_target(target, cost):
    assert targets.cost_to_target([10, 20, 30, 40], [1.0, 0.5, 0.7, 0.2], target, higher_is_better=False) == cost


def test_curves_of_many_runs_with_their_own_seconds():
    curves = [[[0.1, 0.9], [math.nan, 0.8]], [[0.2, 0.3], [-INF, math.nan]]]
    seconds = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    found = targets.cost_to_target(seconds, curves, 0.8, higher_is_better=True)
    assert found.tolist() == [[2.0, 4.0], [INF, INF]]


def test_a_curve_has_points():
    with pytest.raises(ValueError, match="one point at least"):
        targets.cost_to_target([], [], 0.5, higher_is_better=True)
