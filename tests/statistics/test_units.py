"""One difference per problem, in units of the control's seed spread."""

from __future__ import annotations

import math

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import units


def test_each_problem_gives_one_number_however_many_seeds():
    found = units.over_problems([[3.0, 5.0], [1.0, 2.0, 3.0]], [[1.0, 1.0], [2.0, 2.0, 2.0]], True, [2.0, 1.0])
    assert found.tolist() == [1.5, 0.0]
    assert units.over_problems([[3.0]], [[1.0]], higher_is_better=False).tolist() == [-2.0]


def test_lost_runs_count_where_one_side_has_more():
    found = units.over_problems([[math.nan, 1.0], [math.nan, 1.0]], [[1.0, 0.5], [1.0, math.nan]], True)
    assert found.tolist() == [-math.inf, 0.0]


def test_the_spread_is_that_of_the_finite_scores():
    scores = source(0).normal(size=9)
    assert units.seed_spread([scores, [1.0, math.inf, 3.0]]).tolist() == pytest.approx([np.std(scores, ddof=1), 2**0.5])


@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [1.0, math.nan], []])
def test_no_spread_is_no_unit(scores):
    with pytest.raises(ValueError, match=r"no spread over seeds on problems \[1\]"):
        units.seed_spread([[1.0, 2.0], scores])


@pytest.mark.parametrize("unit", [0.0, -1.0, math.inf, math.nan])
def test_a_unit_is_finite_and_above_zero(unit):
    with pytest.raises(ValueError, match="a unit is finite and above 0"):
        units.over_problems([[1.0]], [[2.0]], True, unit)
