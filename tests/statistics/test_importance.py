"""Shares of variance with their intervals: against the same by hand, and covering what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mlpjit.statistics.effects import variance_shares
from mlpjit.statistics.importance import over_problems, over_seeds


def test_the_jackknife_is_that_of_scipy_on_pseudo_values() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 4, 6)) + np.arange(3)[:, None, None]
    found = over_seeds(scores)
    for chosen, whole in variance_shares(scores).items():
        left_out = [variance_shares(scores[..., np.arange(6) != at])[chosen] for at in range(6)]
        pseudo = np.array([6 * whole - 5 * part for part in left_out])
        low, high = stats.t.interval(0.95, 5, loc=whole, scale=stats.sem(pseudo))
        share = found[chosen]
        assert share.estimate == whole
        assert (share.low, share.high) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-12)


def test_over_problems_it_is_students_interval() -> None:
    shares = [{(0,): 0.4, (1,): 0.6}, {(0,): 0.5, (1,): 0.5}, {(0,): 0.7, (1,): 0.3}, {}]
    found = over_problems(shares)
    assert list(found) == [(0,), (1,)]
    values = [0.4, 0.5, 0.7, 0.0]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert found[0,].estimate == pytest.approx(0.4)
    assert (found[0,].low, found[0,].high) == pytest.approx((max(low, 0), high), abs=1e-12)


def test_one_seed_or_problem_tells_nothing_of_the_spread() -> None:
    scores = np.arange(6.0).reshape(2, 3, 1)
    assert {(share.low, share.high) for share in over_seeds(scores).values()} == {(0.0, 1.0)}
    assert over_problems([{(0,): 0.5}])[0,].low == 0.0
    assert over_seeds(np.ones((2, 2, 3))) == {}


def test_intervals_cover_the_share_without_noise() -> None:
    """Rows at -1 and 1, columns at -1, 0, 1: shares 1 and 2/3 of 5/3, with little noise over eight seeds."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        scores = np.array([-1.0, 1.0])[:, None, None] + np.array([-1.0, 0.0, 1.0])[None, :, None]
        found = over_seeds(scores + rng.normal(0, 0.2, (2, 3, 8)))[0,]
        inside += found.low <= 0.6 <= found.high
    assert 0.92 <= inside / 400 <= 0.98
    assert not math.isclose(found.low, found.high)
