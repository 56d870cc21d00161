"""Races: whom they drop, whom never, and that results in the order of the seeds alone decide."""

from __future__ import annotations

import numpy as np
import pytest
from samples import source
from scipy import stats

from mlpjit.statistics import race

INF = np.inf


def losses(settings: int = 12, seeds: int = 20, seed: int = 0) -> np.ndarray:
    """Settings 0, 1, 2, ... are worse and worse; a seed is lucky or not for all of them."""
    rng = source(seed)
    return (
        np.arange(settings)[:, None] * 0.4 + rng.standard_normal(seeds) + 0.3 * rng.standard_normal((settings, seeds))
    )


def run(values: np.ndarray, draws: np.ndarray | None = None) -> tuple[race.Race, np.ndarray]:
    """Race to the end as a sweep does, making what is needed only."""
    stored = np.zeros(values.shape, dtype=bool)
    draws = np.arange(len(values))[::-1] if draws is None else draws
    for _ in range(1000):
        found = race.race(np.where(stored, values, np.nan), stored, draws)
        if found.has_ended:
            return found, stored
        assert not (found.needed & stored).any()
        stored |= found.needed
    raise AssertionError("it does not end")


def test_the_best_stays_and_most_others_go():
    values = losses()
    found, stored = run(values)
    assert found.dropped[0] == 0
    assert (found.dropped[4:] > 0).all()
    assert stored.mean() < 0.5
    assert stored[found.to_the_end].all()
    dropped = ~found.to_the_end
    assert stored[dropped].sum(axis=1).tolist() == found.dropped[dropped].tolist()


def test_a_tenth_of_what_was_dropped_is_audited():
    found, _ = run(losses(settings=40))
    gone = np.count_nonzero(found.dropped)
    assert np.count_nonzero(found.is_audited) == -(-gone // 10)
    assert (found.dropped[found.is_audited] > 0).all()


def test_the_lowest_draws_are_audited():
    draws = source(1).random(12)
    found, _ = run(losses(), draws)
    first = found.dropped[found.dropped > 0].min()
    out = np.flatnonzero(found.dropped == first)
    assert found.is_audited[out[np.argmin(draws[out])]]


def test_decisions_are_replayed_from_what_is_stored():
    """Also where more is stored than the race asked for, as of a study that ran without one."""
    values = losses()
    found, stored = run(values)
    draws = np.arange(len(values))[::-1]
    for there in (stored, np.ones_like(stored)):
        again = race.race(np.where(there, values, np.nan), there, draws)
        assert (again.dropped == found.dropped).all()
        assert (again.is_audited == found.is_audited).all()
        assert again.has_ended


def test_only_the_order_of_losses_matters():
    values = losses()
    assert (run(np.exp(3 * values))[0].dropped == run(values)[0].dropped).all()


def test_lost_runs_rank_last():
    values = losses()
    values[3] = INF
    found, _ = run(values)
    assert found.dropped[3] == race.FIRST


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_few_seeds_are_all_run(seeds):
    found, stored = run(losses(seeds=seeds))
    assert stored.all()
    assert not found.dropped.any()


def test_settings_alike_all_stay():
    values = source(4).standard_normal((400, 6, 10))
    assert np.mean([race.worse(each).any() for each in values]) <= 0.06
    assert not race.worse(np.zeros((5, 8))).any()


def test_the_critical_difference_is_that_of_the_paired_t_test_on_ranks():
    """With the pooled variance: Conover's statistic is the t of a two-way analysis of ranks."""
    ranked = stats.rankdata(losses(settings=5, seeds=9), axis=0).T
    rows, columns = ranked.mean(axis=1, keepdims=True), ranked.mean(axis=0)
    residual = ((ranked - rows - columns + ranked.mean()) ** 2).sum() / (8 * 4)
    wanted = stats.t.ppf(0.975, 8 * 4) * np.sqrt(2 * 9 * residual)
    assert race.conover(ranked, 0.05) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize(("lead", "wanted"), [(1.0, [False, True]), (-1.0, [True, False]), (0.0, [False, False])])
def test_of_two_the_signed_ranks_judge(lead, wanted):
    noise = 0.1 * source(5).standard_normal(12)
    noise -= np.median(noise)
    assert race.worse(np.stack([noise, noise[::-1] + lead])).tolist() == wanted


def test_a_late_starter_is_not_dropped_for_its_start():
    """Runs are whole, so a setting is judged by its end: the planted winner loses every early epoch."""
    kept = 0
    for seed in range(100):
        curves = losses(seed=seed)[:, :, None] + np.array([1.0, 0.5, 0.2])  # epochs
        curves[7] = np.array([9.0, 9.0, -1.0]) + 0.3 * source(1000 + seed).standard_normal((20, 1))
        found, _ = run(curves[:, :, -1])
        kept += found.dropped[7] == 0
    assert kept >= 95
