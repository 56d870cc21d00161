"""Expected best of k against every subset written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import best_of_k

SCORES = source(0).normal(size=8)


@pytest.mark.parametrize(("higher_is_better", "best"), [(True, max), (False, min)])
def test_it_is_the_mean_over_all_subsets(higher_is_better, best):
    wanted = [np.mean([best(s) for s in itertools.combinations(SCORES, k)]) for k in range(1, 9)]
    assert best_of_k.expected_best(SCORES, None, higher_is_better) == pytest.approx(wanted, abs=1e-10)


def test_chosen_on_validation_and_reported_on_test():
    validation, test = SCORES, source(1).normal(size=8)
    wanted = [
        np.mean([test[max(s, key=lambda i: validation[i])] for s in itertools.combinations(range(8), k)])
        for k in range(1, 9)
    ]
    assert best_of_k.expected_best(validation, test) == pytest.approx(wanted, abs=1e-10)


def test_settings_that_tie_are_as_likely_chosen():
    found = best_of_k.expected_best([1.0, 1.0, 0.0], [4.0, 2.0, 0.0])
    assert found.tolist() == pytest.approx([2.0, 3.0, 3.0])


def test_lost_settings_count_until_k_must_draw_another():
    found = best_of_k.expected_best([math.nan, math.inf, 3.0, 2.0], higher_is_better=False)
    assert found.tolist() == pytest.approx([math.inf, math.inf, 2.25, 2.0])


def test_the_biased_estimator_differs():
    """Dodge et al. 2019 draw with replacement: too low for every k > 1."""
    ordered = np.sort(SCORES)
    i = np.arange(1, 9)
    biased = [(ordered * ((i / 8) ** k - ((i - 1) / 8) ** k)).sum() for k in range(1, 9)]
    found = best_of_k.expected_best(SCORES)
    assert found[0] == pytest.approx(biased[0])
    assert (found[1:] > np.array(biased[1:])).all()


@pytest.mark.parametrize("scores", [[], [1.0]])
def test_every_setting_has_a_score(scores):
    with pytest.raises(ValueError, match="a score for each setting"):
        best_of_k.expected_best(scores, [1.0, 2.0])
