"""The sign-flip test against enumeration and SciPy; its interval against the test itself."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from samples import enumerated_p, null_differences, source

from mlpjit.statistics import signflip
from mlpjit.statistics.signflip import SignFlip

INF = math.inf
values = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e3, 1e3), st.sampled_from([INF, -INF]))
samples = st.lists(values, min_size=1, max_size=10)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 11])
@pytest.mark.parametrize("kind", ["normal", "t3", "lognormal"])
def test_p_is_that_of_all_patterns(n, kind):
    d = null_differences(kind, (n,), seed=n) + 0.3
    assert SignFlip(d).p() == pytest.approx(enumerated_p(d), abs=1e-10)
    assert SignFlip(d).p(0.5) == pytest.approx(enumerated_p(d, 0.5), abs=1e-10)


@pytest.mark.parametrize("n", [5, 10, 16])
def test_p_is_scipys(n):
    d = source(n).normal(0.4, 1.0, n)
    theirs = scipy.stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=1 << n)
    assert SignFlip(d).p() == pytest.approx(theirs.pvalue, abs=1e-10)


def test_above_sixteen_it_draws_and_is_near_the_exact_p():
    d = source(3).normal(0.35, 1.0, 20)
    patterns = np.arange(1 << 19, dtype="<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    exact = (np.abs(d.sum() - 2 * signflip.subset_sums(d, patterns)) >= abs(d.sum()) * (1 - 1e-12)).mean()
    error = math.sqrt(exact * (1 - exact) / signflip.DRAWS)
    assert abs(SignFlip(d).p() - exact) < 4 * error
    assert SignFlip(d).p() == SignFlip(d).p() != SignFlip(d, seed=1).p()
    assert abs(SignFlip(d, seed=1).p() - exact) < 4 * error


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("n", [6, 8])
def test_the_interval_is_where_the_enumerated_test_does_not_reject(n, alpha):
    """p only changes at means of subsets: between two neighbours one point says all."""
    d = source(n).standard_t(3, n) + 0.5
    steps = sorted({np.mean(part) for size in range(1, n + 1) for part in itertools.combinations(d, size)})
    middles = [(a + b) / 2 for a, b in itertools.pairwise(steps)]
    kept = [x for x in middles if enumerated_p(d, x) > alpha]
    low, high = SignFlip(d).interval(alpha)
    assert low == pytest.approx(max(x for x in steps if x < kept[0]), abs=1e-10)
    assert high == pytest.approx(min(x for x in steps if x > kept[-1]), abs=1e-10)


@given(samples, st.sampled_from([0.01, 0.05, 0.25, 0.5, 0.75]), st.sampled_from([0.0, 0.5, -1.0, 2.0]))
def test_test_and_interval_never_disagree(d, alpha, at):
    test = SignFlip(d)
    low, high = test.interval(alpha)
    assert (test.p(at) <= alpha) == (not low <= at <= high)


@pytest.mark.parametrize("n", [20, 33])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 5000 / 100_001, 0.3])
def test_drawn_patterns_and_interval_never_disagree(n, alpha):
    for seed in range(5):
        d = source(seed).normal(0.3, 0.7, n).round(1)
        low, high = SignFlip(d).interval(alpha)
        assert (SignFlip(d).p() <= alpha) == (not low <= 0 <= high)
        assert SignFlip(d).p(low) > alpha >= SignFlip(d).p(np.nextafter(low, -INF))


def test_the_estimate_is_the_mean_where_p_is_one():
    d = source(1).normal(size=9)
    assert SignFlip(d).estimate == pytest.approx(d.mean(), abs=1e-15)
    assert SignFlip(d - d.mean()).p() == pytest.approx(1.0)


@pytest.mark.parametrize("places", [(0,), (0, 3), (1, 2, 5)])
@pytest.mark.parametrize("signs", list(itertools.product([1.0, -1.0], repeat=2)))
def test_infinite_differences_are_the_limit_of_large_ones(places, signs):
    d = source(7).normal(0.5, 1.0, 8)
    large, infinite = d.copy(), d.copy()
    for place, sign in zip(places, itertools.cycle(signs), strict=False):
        large[place], infinite[place] = sign * 1e9, sign * INF
    assert SignFlip(infinite).p() == enumerated_p_of_large(large)
    for ours, theirs in zip(SignFlip(infinite).interval(0.2), SignFlip(large).interval(0.2), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5) if math.isfinite(ours) else abs(theirs) > 1e7


def enumerated_p_of_large(d: np.ndarray) -> float:
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=d.size)))
    return float((np.abs(signs @ d) >= abs(d.sum()) - 1e-5).mean())


@pytest.mark.parametrize("n", [3, 8, 11, 18])
@pytest.mark.parametrize("exponent", [9, 12, 14, 17, 30, 300])
def test_a_run_that_nearly_diverged_leaves_the_other_pairs_their_evidence(n, exponent):
    d = np.array([10.0**exponent, *np.arange(1.0, n)])
    assert SignFlip(d).p() == SignFlip(np.arange(1.0, n + 1)).p() == SignFlip([INF, *d[1:]]).p()
    assert 0 < SignFlip(d).interval(0.3)[0] <= n


@given(st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=7), st.sampled_from([1e8, -1e13, 1e15, -1e40]))
def test_p_beside_a_large_difference_is_exact(small, large):
    sums = [sum((-x if turned else x for x, turned in zip(exact, signs, strict=True)), Fraction(0))
            for exact in [[Fraction(x) for x in (large, *small)]]
            for signs in itertools.product([False, True], repeat=len(exact))]  # fmt: skip
    assert SignFlip([large, *small]).p() == sum(abs(each) >= abs(sums[0]) for each in sums) / len(sums)


def test_one_lost_run_leaves_nothing_to_claim_for_its_side():
    d = np.array([0.5] * 9 + [-INF])
    assert SignFlip(d).p() == 1.0
    assert SignFlip(d).estimate == SignFlip(d).interval()[0] == -INF


def test_ties_in_decimals_are_ties_though_their_bits_differ():
    assert 0.1 + 0.2 - 0.3 != 0
    assert SignFlip([0.1, 0.2, -0.3, 1.0]).p() == enumerated_p([1.0, 2.0, -3.0, 10.0]) == 0.625
    assert SignFlip([0.1, 0.2, -0.3, 0.0]).p() == 1.0


@pytest.mark.parametrize("n", [1, 5, 16])
def test_smallest_p(n):
    assert SignFlip(np.ones(n)).p() == SignFlip(np.ones(n)).smallest_p == 2 / 2**n


@pytest.mark.parametrize("n", [*range(17, 34), 40, 64])
def test_smallest_p_above_sixteen_is_that_of_the_draws(n):
    """Among 100,000 patterns of few signs some turn none or all."""
    p = SignFlip(np.ones(n)).p()
    assert p == SignFlip(np.arange(1.0, n + 1)).p() == SignFlip(np.ones(n)).smallest_p == signflip.smallest_p(n)
    assert (p == 1 / 100_001) == (n > 20)


def test_an_alpha_out_of_reach_has_no_interval():
    assert SignFlip([1.0, 2.0, 3.0]).interval(0.05) == (-INF, INF)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 5])
def test_levels_lie_between_0_and_1(alpha):
    with pytest.raises(ValueError, match="alpha lies between 0 and 1"):
        SignFlip([1.0, 2.0]).interval(alpha)


@pytest.mark.parametrize("n", [10, 20])
def test_many_samples_at_once_have_the_bits_of_one(n):
    d = null_differences("t3", (30, n), seed=n).round(1)
    assert signflip.p_values(d).tolist() == [SignFlip(row).p() for row in d]


@pytest.mark.parametrize("kind", ["normal", "ties", "periodic", "infinite", "ascending"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.999, 1.0])
def test_an_order_statistic_is_that_of_all_however_they_lie(kind, share):
    values = np.random.default_rng(3).normal(size=50_001)
    values = {
        "normal": values,
        "ties": values.round(),
        "periodic": np.where(np.arange(values.size) % 12 == 0, values - 100, values),  # every twelfth makes the sample
        "infinite": np.where(values > 1.5, INF, np.where(values < -1.5, -INF, values)),
        "ascending": np.sort(values),
    }[kind]
    rank = round(share * (values.size - 1))
    assert signflip.order_statistic(values, rank) == np.sort(values)[rank]
