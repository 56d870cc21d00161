"""Statistics against numbers worked by hand and against SciPy and NumPy where those are defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlpjit.statistics import quantiles

INF = math.inf
numbers = st.floats(-1e6, 1e6)


def test_quartiles_by_hand() -> None:
    assert [float(q) for q in quantiles.quartiles([4.0, 1.0, 2.0, 3.0])] == [1.75, 2.5, 3.25]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 2.0, INF], [1.5, 2.0, INF]), ([1.0, INF], [INF, INF, INF]), ([INF, INF, INF], [INF, INF, INF]),
     ([-INF, 0.0, 1.0], [-INF, 0.0, 0.5]), ([1.0, 2.0, 3.0, 4.0, INF], [2.0, 3.0, 4.0]), ([7.0], [7.0] * 3)],
)  # fmt: skip
def test_infinite_values_are_ranked_not_lost(values: list[float], expected: list[float]) -> None:
    assert [float(q) for q in quantiles.quartiles(values)] == expected


def test_nan_is_never_lost_and_nothing_gives_nan() -> None:
    assert math.isnan(float(quantiles.median([1.0, math.nan, 2.0])))
    assert math.isnan(float(quantiles.median([])))


def test_columns_are_independent() -> None:
    table = [[1.0, INF], [3.0, 2.0], [2.0, 4.0]]
    np.testing.assert_array_equal(quantiles.median(table), [2.0, 4.0])


@given(st.lists(numbers, min_size=1, max_size=30), st.floats(0, 1))
def test_finite_quantiles_agree_with_numpy(values: list[float], share: float) -> None:
    np.testing.assert_allclose(quantiles.quantile(values, share), np.quantile(values, share), rtol=1e-9, atol=1e-7)


def test_bootstrap_is_deterministic_and_ignores_order() -> None:
    values = np.random.default_rng(1).normal(size=12)
    first = quantiles.median_interval(values, resamples=20)
    assert first == quantiles.median_interval(values[::-1], resamples=20)
    assert first != quantiles.median_interval(values, resamples=20, seed=1)


def test_bootstrap_agrees_with_scipy() -> None:
    values = np.random.default_rng(2).normal(size=25)
    theirs = scipy.stats.bootstrap((values,), np.median, method="percentile", n_resamples=20_000, rng=3)
    low, high = quantiles.median_interval(values, resamples=20_000)
    np.testing.assert_allclose([low, high], list(theirs.confidence_interval), atol=0.06)


def test_bootstrap_of_few_values() -> None:
    assert quantiles.median_interval([3.0]) == (3.0, 3.0)
    assert all(math.isnan(end) for end in quantiles.median_interval([]))
    assert quantiles.median_interval([0.5, INF])[1] == INF


def test_line_through_points_on_a_line() -> None:
    line = quantiles.fit_line([1.0, 2.0, 4.0], [5.0, 7.0, 11.0])
    assert (line.slope, line.intercept, line.r_squared) == pytest.approx((2.0, 3.0, 1.0))
    assert float(line.at(10.0)) == pytest.approx(23.0)


def test_line_by_hand() -> None:
    line = quantiles.fit_line([0.0, 1.0, 2.0], [0.0, 0.0, 3.0])
    assert (line.slope, line.intercept, line.r_squared) == pytest.approx((1.5, -0.5, 0.75))


def test_line_agrees_with_scipy() -> None:
    x, noise = np.arange(10.0), np.random.default_rng(4).normal(size=10)
    theirs = scipy.stats.linregress(x, 2 * x + noise)
    ours = quantiles.fit_line(x, 2 * x + noise)
    assert (ours.slope, ours.intercept, ours.r_squared) == pytest.approx(
        (theirs.slope, theirs.intercept, theirs.rvalue**2)
    )


def test_line_of_constant_y_has_no_r_squared_and_of_one_x_is_refused() -> None:
    assert math.isnan(quantiles.fit_line([1.0, 2.0], [3.0, 3.0]).r_squared)
    with pytest.raises(ValueError, match="two different x"):
        quantiles.fit_line([1.0, 1.0], [2.0, 3.0])
