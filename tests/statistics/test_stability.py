"""A ranking that hangs on one problem, and one that does not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from samples import source

from mlpjit.statistics import ranks, stability


def test_a_winner_by_one_problem():
    scores = [[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [3.0, 1.0, 2.0], [2.0, 3.0, 1.0], [3.0, 2.0, 1.0]]
    found = stability.leave_one_out(scores, higher_is_better=True)
    assert found.positions.tolist() == [1.0, 2.0, 3.0]
    assert found.winner_lost == (2,)
    assert found.without[2].tolist() == [1.5, 1.5, 3.0]
    assert found.ranges == [(1.0, 1.5), (1.5, 2.0), (3.0, 3.0)]


def test_a_clear_order_is_stable():
    found = stability.leave_one_out(np.tile([0.1, 0.2, 0.3], (6, 1)), higher_is_better=False)
    assert found.winner_lost == ()
    assert found.agreement.tolist() == [1.0] * 6
    assert found.ranges == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_positions_without_a_problem_are_those_of_the_others():
    scores = source(0).normal(size=(7, 5))
    found = stability.leave_one_out(scores, higher_is_better=True)
    for problem in range(7):
        average = ranks.ranks(np.delete(scores, problem, axis=0), True).mean(axis=0)
        assert found.without[problem].tolist() == scipy.stats.rankdata(average.round(9)).tolist()


@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_one_of_anything_has_no_stability(shape):
    with pytest.raises(ValueError, match="2 problems and 2 competitors"):
        stability.leave_one_out(np.ones(shape), higher_is_better=True)
