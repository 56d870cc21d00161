"""Aggregates by hand and against SciPy; against rliable in test_golden_statistics.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from samples import source

from mlpjit.statistics import aggregate

SCORES = source(0).normal(0.5, 0.3, (10, 6))


def test_interquartile_mean_by_hand():
    assert aggregate.interquartile_mean([[0.0, 1.0], [2.0, 9.0]]) == 1.5


def test_a_lost_run_is_the_lowest_and_may_be_trimmed():
    assert aggregate.interquartile_mean([[math.nan, 1.0], [2.0, 9.0]]) == 1.5
    assert aggregate.interquartile_mean([[math.nan, math.inf], [2.0, 9.0]]) == -math.inf


def test_optimality_gap_by_hand():
    assert aggregate.optimality_gap([[0.5, 1.5], [0.0, 1.0]]) == 0.375
    assert aggregate.optimality_gap([[0.5, 1.5]], target=2.0) == 1.0


def test_probability_of_improvement_is_mann_whitneys():
    other = source(1).normal(0.4, 0.3, (12, 6)).round(1)
    mine = SCORES.round(1)
    u = [scipy.stats.mannwhitneyu(mine[:, p], other[:, p]).statistic / 120 for p in range(6)]
    assert aggregate.probability_of_improvement(mine, other) == pytest.approx(np.mean(u), abs=1e-10)


def test_intervals_are_stratified_reproducible_and_labelled():
    found = aggregate.described(aggregate.interquartile_mean, SCORES)
    assert found == aggregate.described(aggregate.interquartile_mean, SCORES)
    assert found.low < found.value < found.high
    assert "descriptive" in found.label
    levels = np.broadcast_to(np.arange(6.0), (10, 6))  # no spread within a problem: nothing to resample
    flat = aggregate.described(aggregate.interquartile_mean, levels)
    assert flat.low == flat.value == flat.high


def test_intervals_of_two_samples_resample_both():
    found = aggregate.described(aggregate.probability_of_improvement, SCORES, SCORES[:7] - 0.2, resamples=500)
    assert found.low < found.value < found.high


def test_intervals_are_about_as_wide_as_the_error_of_a_mean():
    def mean(scores):
        return np.asarray(np.mean(scores, axis=(-2, -1)))

    found = aggregate.described(mean, SCORES, resamples=4000)
    error = math.sqrt((SCORES.var(axis=0) / 10).mean() / 6)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
