"""The sizes of the three parts: exact totals, nobody left out, fair shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpjit.catalogue.datasets.parts import check_groups, part_sizes
from mlpjit.errors import DatasetError

groups = st.lists(st.integers(3, 400), min_size=1, max_size=12)


@given(groups)
def test_every_sample_is_in_one_part_and_every_part_has_every_group(counts: list[int]) -> None:
    sizes = part_sizes(counts)
    for total, *parts in zip(counts, sizes.train, sizes.validation, sizes.test, strict=True):
        assert sum(parts) == total
        assert min(parts) >= 1


@given(st.lists(st.integers(7, 400), min_size=1, max_size=12))
def test_validation_and_test_hold_fifteen_percent(counts: list[int]) -> None:
    sizes = part_sizes(counts)
    fifteen_percent = (15 * sum(counts) + 50) // 100
    assert sum(sizes.validation) == sum(sizes.test) == fifteen_percent


@given(st.lists(st.integers(7, 400), min_size=1, max_size=12))
def test_no_group_is_more_than_one_sample_off_its_share(counts: list[int]) -> None:
    sizes = part_sizes(counts)
    for total, train in zip(counts, sizes.train, strict=True):
        assert abs(train - 0.7 * total) <= 1


@pytest.mark.parametrize(
    ("counts", "train", "validation", "test"),
    [
        ([3, 3], (1, 1), (1, 1), (1, 1)),
        ([10], (6,), (2,), (2,)),
        ([442], (310,), (66,), (66,)),
        # 2 x 85 are held out: 63.6 and 107.1 are due, the whole parts fill 170. Odd ones: validation, then test.
        ([212, 357], (149, 250), (32, 53), (31, 54)),
        ([100, 3], (70, 1), (15, 1), (15, 1)),
        # Shares of 3.0, 3.0, 3.3 and 3.3: the odd samples go to validation, test, validation, test.
        ([10, 10, 11, 11], (7, 7, 8, 8), (2, 1, 2, 1), (1, 2, 1, 2)),
    ],
)
def test_worked_examples(
    counts: list[int], train: tuple[int, ...], validation: tuple[int, ...], test: tuple[int, ...]
) -> None:
    sizes = part_sizes(counts)
    assert (sizes.train, sizes.validation, sizes.test) == (train, validation, test)


@pytest.mark.parametrize(
    ("counts", "classes", "message"),
    [
        ([9], (), "d: 9 samples; regression needs at least 10"),
        ([50], ("a",), "d: only one class, 'a'; classification needs at least two"),
        ([50, 2], ("a", "b"), "d: class 'b' has 2 samples; each class needs at least 3"),
        ([1, 50], ("a", "b"), "d: class 'a' has 1 sample; each class needs at least 3"),
    ],
)
def test_too_small(counts: list[int], classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        check_groups("d", counts, classes)


@pytest.mark.parametrize(("counts", "classes"), [([10], ()), ([3, 3], ("a", "b"))])
def test_just_large_enough(counts: list[int], classes: tuple[str, ...]) -> None:
    check_groups("d", counts, classes)
    assert min(part_sizes(counts).train) >= 1
