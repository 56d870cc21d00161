"""Wilcoxon's signed ranks against SciPy; the interval against the test itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from samples import null_differences, source

from mlpjit.statistics.signedrank import SignedRank

INF = math.inf
values = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e3, 1e3), st.sampled_from([INF, -INF]))


@pytest.mark.parametrize("n", [1, 4, 9, 17, 40])
@pytest.mark.parametrize("kind", ["normal", "t3", "lognormal"])
def test_p_is_scipys(n, kind):
    d = null_differences(kind, (n,), seed=n) + 0.2
    assert SignedRank(d).p() == pytest.approx(scipy.stats.wilcoxon(d, method="exact").pvalue, abs=1e-10)
    assert SignedRank(d).p(0.4) == pytest.approx(scipy.stats.wilcoxon(d - 0.4, method="exact").pvalue, abs=1e-10)


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.2])
def test_the_interval_is_where_scipys_test_does_not_reject(alpha):
    d = source(5).normal(0.3, 1.0, 11)
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(d, 2))
    kept = [
        (a, b)
        for a, b in itertools.pairwise(walsh)
        if scipy.stats.wilcoxon(d - (a + b) / 2, method="exact").pvalue > alpha
    ]
    assert SignedRank(d).interval(alpha) == pytest.approx((kept[0][0], kept[-1][1]), abs=1e-10)
    assert SignedRank(d).estimate == pytest.approx(np.median(walsh), abs=1e-10)


@given(st.lists(values, min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.3]), st.sampled_from([0.0, 0.5, -1.0]))
def test_test_and_interval_never_disagree(d, alpha, at):
    low, high = SignedRank(d).interval(alpha)
    assert (SignedRank(d).p(at) <= alpha) == (not low <= at <= high)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=12), st.integers(0, 99))
def test_ties_and_zeros_are_conservative_however_they_are_broken(d, seed):
    """Broken by noise that is symmetric, the test is exact: a p at least as large for any noise is valid."""
    broken = np.array(d) + source(seed).uniform(-1e-6, 1e-6, len(d))
    assert SignedRank(d).p() >= SignedRank(broken).p()


def test_lost_runs_have_the_highest_ranks():
    d = source(2).normal(0.6, 1.0, 12)
    wild, infinite = d.copy(), d.copy()
    wild[[1, 4]], infinite[[1, 4]] = (-1e6, 1.1e6), (-INF, INF)
    assert SignedRank(infinite).estimate == pytest.approx(SignedRank(wild).estimate, abs=0.2)
    assert abs(SignedRank(infinite).p() - SignedRank(wild).p()) < 0.01
    infinite[4] = 1.0
    wild[4] = 1.0
    assert SignedRank(infinite).p() == SignedRank(wild).p()


def test_smallest_p():
    assert SignedRank(np.arange(1.0, 8)).p() == SignedRank(np.arange(1.0, 8)).smallest_p == 2 / 2**7
