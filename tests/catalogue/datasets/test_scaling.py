"""Sums in a fixed order, and scaling that has no surprises in constant, tiny and huge columns."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from mlpjit.catalogue.datasets.records import NO_SCALING, STANDARDIZE, divide_by
from mlpjit.catalogue.datasets.scaling import BLOCK, column_sums, fit
from mlpjit.errors import DatasetError

SIZES = [1, 2, 3, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]


def folded(values: list[float]) -> float:
    """Return the sum in the order that `column_sums` promises, number by number."""
    total = 0.0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        while len(block) > 1:
            half = (len(block) + 1) // 2
            block = [block[i] + block[half + i] if half + i < len(block) else block[i] for i in range(half)]
        total += block[0]
    return total


@pytest.mark.parametrize("samples", SIZES)
@pytest.mark.parametrize("columns", [1, 3])
def test_sums_have_the_bits_of_the_stated_order(samples: int, columns: int) -> None:
    rows = np.random.default_rng(samples).normal(size=(samples, columns))
    assert column_sums(rows).tolist() == [folded(rows[:, j].tolist()) for j in range(columns)]


@pytest.mark.parametrize("samples", SIZES)
def test_sums_are_accurate(samples: int) -> None:
    rows = np.random.default_rng(samples).normal(size=(samples, 2))
    exact = [math.fsum(rows[:, j]) for j in range(2)]
    np.testing.assert_allclose(column_sums(rows), exact, atol=1e-13 * samples**0.5)


def test_sums_do_not_depend_on_memory_layout() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 5))
    assert column_sums(np.asfortranarray(rows)).tolist() == column_sums(rows).tolist()


def test_sums_leave_their_input_alone() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    column_sums(rows)
    np.testing.assert_array_equal(rows, np.arange(12.0).reshape(6, 2))


@pytest.mark.parametrize("samples", [10, 2000])
def test_standardize_agrees_with_scikit_learn(samples: int) -> None:
    rows = np.random.default_rng(1).normal(3.0, [0.1, 1.0, 1e6], size=(samples, 3))
    expected = StandardScaler().fit_transform(rows)
    np.testing.assert_allclose(fit(STANDARDIZE, rows).apply(rows), expected, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e300, 5e-324, 1 / 3])
def test_constant_column_becomes_zero(value: float) -> None:
    rows = np.stack([np.full(13, value), np.arange(13.0)], axis=1)
    transform = fit(STANDARDIZE, rows)
    assert transform.divisor[0] == 1.0
    assert transform.apply(rows)[:, 0].tolist() == [0.0] * 13


def test_constant_in_training_only_is_shifted_and_kept() -> None:
    transform = fit(STANDARDIZE, np.full((5, 1), 2.0))
    assert transform.apply(np.array([[2.5]])).tolist() == [[0.5]]


@pytest.mark.parametrize("size", [3e-308, 1e-300, 1e-200, 1e-162, 1e-150, 1e-140, 1.0, 1e145, 1e154, 1e200, 1e300])
@pytest.mark.parametrize("samples", [2, 7, 1500])
def test_deviations_of_any_size(size: float, samples: int) -> None:
    """`statistics.pstdev` works in rational numbers: no square of its underflows or overflows."""
    rows = np.random.default_rng(samples).uniform(-3.0, 3.0, (samples, 2)) * [size, 1.0]
    transform = fit(STANDARDIZE, rows)
    expected = [statistics.pstdev(column) for column in rows.T.tolist()]
    np.testing.assert_allclose(transform.divisor, expected, rtol=1e-13)
    np.testing.assert_allclose(transform.apply(rows).std(axis=0), 1.0, rtol=1e-12)


def test_ordinary_columns_keep_their_bits_beside_a_tiny_one() -> None:
    rows = np.random.default_rng(3).normal(size=(70, 3))
    beside = fit(STANDARDIZE, np.hstack([rows, rows[:, :1] * 1e-200]))
    assert beside.divisor[:3].tolist() == fit(STANDARDIZE, rows).divisor.tolist()
    assert beside.divisor[3] == pytest.approx(beside.divisor[0] * 1e-200, rel=1e-14)


@pytest.mark.parametrize("size", [5e-324, 1e-320, 1e-308])
def test_a_deviation_that_double_cannot_hold_is_refused(size: float) -> None:
    rows = np.array([[0.0, 0.0], [1.0, size], [2.0, 0.0], [3.0, size]])
    with pytest.raises(DatasetError, match=r"^mine: column 2 varies by less than 2.2e-308, too little to standardize$"):
        fit(STANDARDIZE, rows, "mine")


@pytest.mark.parametrize("size", [1e308, -1.7e308])
def test_numbers_whose_sum_overflows_are_refused(size: float) -> None:
    rows = np.array([[1.0, size], [2.0, 0.9 * size], [3.0, size]])
    with pytest.raises(DatasetError, match=r"^mine: column 2 holds numbers too large to standardize$"):
        fit(STANDARDIZE, rows, "mine")


@pytest.mark.parametrize(("scaling", "words"), [(NO_SCALING, "none"), (divide_by(16), "divide by 16")])
def test_declared_scaling_in_words(scaling, words: str) -> None:
    assert str(scaling) == words


def test_divide_and_none_are_exact() -> None:
    rows = np.array([[0.0, 5.0, 16.0]])
    assert fit(divide_by(16), rows).apply(rows).tolist() == [[0.0, 0.3125, 1.0]]
    assert fit(NO_SCALING, rows).apply(rows).tolist() == rows.tolist()


@given(arrays(np.float64, st.tuples(st.integers(2, 30), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32)))
def test_scaling_is_finite_and_undone(rows: np.ndarray) -> None:
    transform = fit(STANDARDIZE, rows)
    scaled = transform.apply(rows)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(transform.undo(scaled), rows, atol=1e-8)
