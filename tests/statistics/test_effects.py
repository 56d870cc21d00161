"""Planted effects come back; shares of variance against statsmodels in test_golden_statistics.py."""

from __future__ import annotations

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import effects
from mlpjit.statistics.signflip import SignFlip

MAIN, OTHER = np.array([-1.0, 0.0, 1.0]), np.array([-0.5, 0.5])
TOGETHER = np.array([[0.25, -0.25], [-0.5, 0.5], [0.25, -0.25]])
NOISE = source(0).normal(0.0, 0.1, (3, 2, 4, 8)) + source(1).normal(size=8)  # a seed is hard or easy everywhere
GRID = 3 + MAIN[:, None, None, None] + OTHER[:, None, None] + TOGETHER[:, :, None, None] + NOISE


def test_main_effects_are_planted_ones():
    for effect, wanted in zip(effects.main_effects(GRID, 0), MAIN, strict=True):
        assert effect.estimate == pytest.approx(wanted, abs=0.05)
        assert effect.low < wanted < effect.high
        assert effect.high - effect.low < 0.2  # the seeds' own levels cancel
    assert [e.p < 0.05 for e in effects.main_effects(GRID, 2)] == [False] * 4


def test_main_effects_are_differences_of_means():
    found = [e.estimate for e in effects.main_effects(GRID, 1)]
    assert found == pytest.approx(GRID.mean(axis=(0, 2, 3)) - GRID.mean(), abs=1e-10)


def test_interactions_are_planted_ones_in_either_order():
    found = effects.interactions(GRID, 0, 1)
    assert np.array([[e.estimate for e in row] for row in found]) == pytest.approx(TOGETHER, abs=0.05)
    turned = effects.interactions(GRID, 1, 0)
    assert [[turned[j][i] for j in range(2)] for i in range(3)] == found


def test_interval_and_p_are_the_sign_flip_tests_over_seeds():
    per_seed = GRID.mean(axis=(1, 2))[0] - GRID.mean(axis=(0, 1, 2))
    found, test = effects.main_effects(GRID, 0, alpha=0.1)[0], SignFlip(per_seed)
    assert (found.p, found.low, found.high) == pytest.approx((test.p(), *test.interval(0.1)), abs=1e-10)


def test_a_factor_that_changes_nothing_has_no_effect_at_all():
    """Clipping that never bites leaves every bit as it was: means of equal numbers may still differ by rounding."""
    same = np.repeat(GRID[:, :, :1], 7, axis=2)
    assert [(e.estimate, e.low, e.high, e.p) for e in effects.main_effects(same, 2)] == [(0.0, 0.0, 0.0, 1.0)] * 7
    assert {e.p for row in effects.interactions(same, 0, 2) for e in row} == {1.0}


def test_shares_of_variance_sum_to_one():
    found = effects.variance_shares(GRID)
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-10)
    assert list(found)[:3] == [(0,), (1,), (0, 1)]
    assert effects.variance_shares(np.ones((2, 2, 3))) == {}


@pytest.mark.parametrize("shape", [(3, 1), (2, 3, 4), (7, 3, 3)])
def test_cells_that_are_alike_have_no_shares_though_their_mean_is_rounded(shape):
    assert effects.variance_shares(np.full(shape, 0.1)) == {}


@pytest.mark.parametrize(
    ("scores", "message"), [(np.ones(3), "an axis for each factor"), ([[1.0, np.inf]], "name the score of a lost run")]
)
def test_what_is_no_grid_is_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        effects.main_effects(scores, 0)


@pytest.mark.parametrize("factors", [(0, 0), (3,), (-1,)])
def test_factors_are_axes(factors):
    with pytest.raises(ValueError, match="factors are different axes"):
        effects.contrasts(GRID, factors)
