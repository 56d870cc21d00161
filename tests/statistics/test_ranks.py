"""Ranks, Friedman and Nemenyi against SciPy and Demsar's own example; scikit-posthocs in test_golden_statistics.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from samples import source

from mlpjit.statistics import ranks

# Demsar 2006, table 6: C4.5 and three variants on 14 data sets. The 13th is not tied there, behind what is printed.
DEMSAR = [
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
]  # fmt: skip


def test_the_example_of_the_paper():
    found = ranks.friedman(DEMSAR, higher_is_better=True)
    assert found.average_ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert ranks.critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=0.005)
    assert ranks.critical_difference(4, 14) == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


def test_friedman_is_scipys():
    theirs = scipy.stats.friedmanchisquare(*np.array(DEMSAR).T)
    found = ranks.friedman(DEMSAR, higher_is_better=True)
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-10)


def test_lost_runs_are_last_and_level():
    found = ranks.ranks([[math.nan, 1.0, math.inf, 3.0]], higher_is_better=False)
    assert found.tolist() == [[3.5, 1.0, 3.5, 2.0]]


def test_fields_all_alike_do_not_differ():
    found = ranks.friedman(np.ones((5, 3)), higher_is_better=True)
    assert (found.statistic, found.p) == (0.0, 1.0)


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="2 problems and 3 competitors"):
        ranks.friedman([[1.0, 2.0]] * 5, higher_is_better=True)


@pytest.mark.parametrize(("problems", "competitors", "refused"), [(5, 8, True), (14, 4, False), (3, 3, True)])
def test_nemenyi_is_refused_where_it_could_tell_little_apart(problems, competitors, refused):
    found = ranks.nemenyi(source(0).normal(size=(problems, competitors)), higher_is_better=True)
    assert (found.critical_difference > (competitors - 1) / 2) == refused == (found.p is None)
    assert (found.refused is not None) == refused
    if refused:
        assert f"{problems} problems are too few to compare {competitors} competitors" in found.refused


def test_nemenyi_agrees_with_its_critical_difference():
    scores = source(1).normal(size=(20, 5)) + np.arange(5.0) / 2
    found, average = ranks.nemenyi(scores, True), ranks.ranks(scores, True).mean(axis=0)
    apart = np.abs(average[:, None] - average[None, :]) >= found.critical_difference
    assert 0 < apart.sum() < 20
    assert ((found.p <= 0.05) == apart).all()
