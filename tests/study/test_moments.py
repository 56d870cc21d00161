"""Moments as texts: many at once are those of one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from mlpjit.study.moments import text_of, texts_of


def test_many_moments_are_those_of_one_by_one():
    """Across the ends of seconds, minutes and days."""
    seconds = np.random.default_rng(0).uniform(0.0, 3.0, (200, 2))
    for place, micro in enumerate(range(0, 1_000_000, 99_991)):
        start = datetime(2026, 12, 31, 23, 59, 56 + place % 4, micro, UTC)
        wanted = [[text_of(start + timedelta(seconds=each)) for each in column] for column in seconds.T.tolist()]
        assert texts_of(start, seconds) == wanted


def test_a_moment_has_milliseconds():
    start = datetime(2026, 11, 30, 4, 5, 6, 789_999, UTC)
    assert texts_of(start, np.array([[0.0, 0.0002]])) == [
        ["2026-11-30T04:05:06.789+00:00"], ["2026-11-30T04:05:06.790+00:00"],
    ]  # fmt: skip
    assert texts_of(start, np.empty((0, 2))) == [[], []]
