"""Evidence that may be looked at: its definition, its bound, its interval, its answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import source

from mlpjit.statistics import sequential

INF = math.inf


def wealths(d: list[float], at: float = 0.0) -> tuple[list[float], list[float]]:
    """The gambler's wealth from its definition, in products of exp(l z) / cosh(l z), one pair at a time."""
    above, below = [], []
    up, down = np.ones(len(sequential.STAKES)), np.ones(len(sequential.STAKES))
    for look, x in enumerate(d):
        past = np.array(d[:look])
        spread = 1.4826 * np.median(np.abs(past - np.median(past))) if look > 1 else 0.0
        z = min(3.0, max(-3.0, (x - at) / spread)) if spread > 0 else float(np.sign(x - at))
        for which, stake in enumerate(sequential.STAKES):
            up[which] *= math.exp(stake * z) / math.cosh(stake * z)
            down[which] *= math.exp(-stake * z) / math.cosh(stake * z)
        above.append(up.mean())
        below.append(down.mean())
    return above, below


@pytest.mark.parametrize("at", [0.0, 0.7])
def test_evidence_is_the_mixture_of_products(at):
    d = source(0).standard_t(3, 30) + 0.5
    for found, wanted in zip(sequential.best_log_wealths(d, at), wealths(d.tolist(), at), strict=True):
        best = np.log(np.maximum.accumulate(np.maximum(1.0, wanted)))
        assert found == pytest.approx(best, abs=1e-10)


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1, 1], [1, 2, 0.5, 3, 0.2, 9, 1], [0.3, INF, 0.1, 2, 0, 5, 0.3]])
def test_the_expected_wealth_over_all_signs_is_one(sizes):
    """A martingale, exactly: the mean over all 2^n patterns of signs of any sizes, lost runs among them."""
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=len(sizes))))
    with np.errstate(invalid="ignore"):
        d = np.where(np.array(sizes) == 0, 0.0, signs * np.array(sizes))
    above, below = sequential._log_wealths(sequential._distances(d, sequential.spreads(d), 0.0))
    assert np.exp(above).mean(axis=0) == pytest.approx(np.ones(len(sizes)), abs=1e-10)
    assert np.exp(below).mean(axis=0) == pytest.approx(np.ones(len(sizes)), abs=1e-10)


def test_no_scale_is_assumed():
    d = source(1).normal(0.8, 1.0, 40)
    large, small = sequential.decide(d * 1024), sequential.decide(d / 1024)
    assert (
        (large.answer, large.pairs, large.p) == (small.answer, small.pairs, small.p) == ("better", large.pairs, large.p)
    )
    assert large.low == pytest.approx(small.low * 2**20)


def test_both_directions_are_mirrors():
    d = source(2).normal(0.8, 1.0, 40)
    better, worse = sequential.decide(d), sequential.decide(-d)
    assert (better.answer, worse.answer) == ("better", "worse")
    assert (better.pairs, better.low, better.high) == (worse.pairs, -worse.high, -worse.low)
    assert (better.log_better, better.log_worse) == (worse.log_worse, worse.log_better)


@pytest.mark.parametrize("margin", [None, 0.2])
def test_what_comes_after_the_answer_changes_nothing(margin):
    d = source(3).normal(0.05 if margin else 1.0, 0.3 if margin else 1.0, 120)
    full = sequential.decide(d, margin=margin)
    assert full.answer == ("equal" if margin else "better")
    assert full.pairs < 100
    assert sequential.decide(np.concatenate([d[: full.pairs], -d]), margin=margin) == full
    assert sequential.decide(d[: full.pairs - 1], margin=margin).answer == "undecided"


@given(st.lists(st.one_of(st.integers(-2, 3).map(float), st.floats(-5, 9)), min_size=1, max_size=30))
def test_answer_p_and_interval_never_disagree(d):
    found = sequential.decide(d, alpha=0.2)
    assert (found.answer == "better") == (found.low > 0)
    assert (found.answer == "worse") == (found.high < 0)
    assert (found.answer != "undecided") == (found.p <= 0.2)


def test_equal_is_an_interval_within_the_margin_and_goes_first():
    found = sequential.decide(source(4).normal(0.0, 0.1, 200), margin=0.1)
    assert found.answer == "equal"
    assert -0.1 < found.low < found.high < 0.1
    assert sequential.decide(source(4).normal(0.05, 1e-4, 200), margin=0.1).answer == "equal"


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_the_interval_ends_where_evidence_reaches_its_bound(alpha):
    d = source(5).standard_t(3, 60)
    low, high = sequential.interval(d, alpha)
    assert low < high
    for inside in (low, high, (low + high) / 2):
        assert not sequential.refuted(d, alpha, inside)[0][-1]
        assert not sequential.refuted(d, alpha, inside)[1][-1]
    assert sequential.refuted(d, alpha, np.nextafter(low, -INF))[0][-1]
    assert sequential.refuted(d, alpha, np.nextafter(high, INF))[1][-1]


def test_lost_runs_leave_the_interval_an_end_beyond_the_finite_differences():
    """At their largest no bet on them is lost yet, beyond it all are: that end is not infinite."""
    d = np.array([1.0] * 5 + [INF] * 8)
    assert sequential.interval(d) == (np.nextafter(1.0, INF), INF)
    assert sequential.interval(-d) == (-INF, np.nextafter(-1.0, -INF))


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, INF, INF, -INF]), min_size=1, max_size=25),
    st.sampled_from([0.05, 0.2, 0.5]),
    st.sampled_from([-2.0, -1.0, 0.0, 0.25, 0.5, 0.75, 9.0, 1e9]),
)
def test_interval_and_p_agree_beside_lost_runs(d, alpha, at):
    test = sequential.Evidence(d)
    low, high = test.interval(alpha)
    assert (test.p(at) <= alpha) == (not low <= at <= high)


def test_too_little_is_no_interval():
    assert sequential.interval([1.0, 2.0, 3.0]) == (-INF, INF)


def test_a_lost_run_is_one_pair_of_evidence_not_ruin():
    d = np.where(np.arange(60) == 7, -INF, source(6).normal(1.0, 0.5, 60))
    found = sequential.decide(d)
    assert found.answer == "better"
    assert math.isfinite(found.estimate)
    assert found.pairs > sequential.decide(np.where(np.isinf(d), 1.0, d)).pairs
    assert sequential.decide([-INF] * 12).answer == "worse"


def test_smallest_p_is_that_of_bets_all_won():
    found = sequential.decide(1 + 1e-3 * np.arange(7), alpha=0.01)
    assert found.p == pytest.approx(sequential.Evidence(np.arange(1.0, 8)).smallest_p, rel=1e-12)
    assert 0.03 < found.p < sequential.Evidence(np.ones(7)).p()
    assert sequential.Evidence([1.0]).smallest_p == 1.0


@given(st.lists(st.one_of(st.floats(0.5, 1), st.sampled_from([1.0, 9.0, INF])), min_size=1, max_size=12))
def test_no_differences_have_a_smaller_p(d):
    assert sequential.Evidence(d).p() >= sequential.smallest_p(len(d)) * (1 - 1e-12)


def test_a_margin_is_above_zero():
    with pytest.raises(ValueError, match="a margin is above 0"):
        sequential.decide([1.0], margin=0.0)
