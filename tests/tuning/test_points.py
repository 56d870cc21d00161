"""Quasi-random points: our generator, evenly spread, the same everywhere."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import qmc

from mlpjit.kernels.arithmetic.random import STREAMS, uniforms
from mlpjit.tuning.points import PRIMES, philox, points


def test_random_words_are_those_of_the_compiled_generator() -> None:
    def fraction(high: int, low: int) -> float:
        return (((high << 32 | low) >> 11) + 1) * 2.0**-53

    seed = 0x123456789ABCDEF
    words = [philox(seed, (block, 0, 3, STREAMS["noise"])) for block in range(4)]
    expected = [fraction(*pair) for word in words for pair in (word[:2], word[2:])]
    np.testing.assert_array_equal(uniforms(seed, "noise", 8, place=3), expected)


POINTS = [
    (0.08080534328095901, 0.14116291377862142, 0.38819416175085336),
    (0.580805343280959, 0.8078295804452881, 0.5881941617508534),
    (0.330805343280959, 0.47449624711195476, 0.9881941617508534),
]


@pytest.mark.parametrize("count", [16, 25, 50])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 8])
def test_draws_are_evenly_spread(count: int, dimensions: int) -> None:
    """Against independent draws, and against scipy's scrambled Sobol sequence: the mean over twenty of each."""
    random = np.random.default_rng(0)
    ours = np.mean([qmc.discrepancy(np.array(points(count, dimensions, r))) for r in range(20)])
    independent = np.mean([qmc.discrepancy(random.random((count, dimensions))) for _ in range(50)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The balance properties")
        sobol = np.mean([qmc.discrepancy(qmc.Sobol(dimensions, rng=r).random(count)) for r in range(20)])
    assert ours < 0.5 * independent
    assert ours < 2.0 * sobol


def test_every_coordinate_is_uniform_over_repetitions() -> None:
    found = np.array([points(3, 2, repetition) for repetition in range(2000)])
    assert 0.0 <= found.min() < found.max() < 1.0
    np.testing.assert_allclose(found.mean(axis=0), 0.5, atol=0.025)
    np.testing.assert_allclose(found.var(axis=0), 1 / 12, atol=0.006)


def test_more_draws_or_dimensions_keep_what_is_there() -> None:
    few, many = points(5, 2), points(9, 4)
    assert [point[:2] for point in many[:5]] == few
    assert points(5, 2, repetition=1) != few


def test_the_points_are_these() -> None:
    """Written down: another machine or version has no others."""
    assert points(3, 3) == POINTS


def test_there_are_only_so_many_dimensions() -> None:
    with pytest.raises(ValueError, match="17 dimensions, need at most 16"):
        points(1, len(PRIMES) + 1)
