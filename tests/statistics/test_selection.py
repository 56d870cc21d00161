"""Selection on rows small enough to judge by hand."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys
from typing import Any

import pytest

from mlpjit.statistics import selection

SETTING = ("dataset", "depth", "width", "optimizer", "learning_rate", "clip")


def row(rate: float, seed: int, loss: float | None, **more: Any) -> dict[str, Any]:
    return {"optimizer": "sgd", "learning_rate": rate, "depth": 1, "width": 64, "seed": seed,
            "split_seed": seed, "state": "done", "stage": "tune", "final_validation_loss": loss,
            **more}  # fmt: skip


def test_median_over_seeds_decides_and_diverged_counts_as_infinite() -> None:
    rows = [row(0.1, s, loss) for s, loss in enumerate([0.2, 0.4, 0.3])]
    rows += [row(1.0, 0, 0.01), row(1.0, 1, 0.01, state="diverged"), row(1.0, 2, 0.01, state="failed")]
    best, second = selection.settings(rows, SETTING)
    assert (best.factors["learning_rate"], best.median, list(best.losses)) == (0.1, 0.3, [0.2, 0.3, 0.4])
    assert (second.median, second.diverged, list(second.members)) == (math.inf, 2, [3, 4, 5])


def test_even_number_of_seeds_with_one_diverged_is_infinite() -> None:
    (only,) = selection.settings([row(0.1, 0, 0.5), row(0.1, 1, None, state="diverged")], SETTING)
    assert only.median == math.inf


@pytest.mark.parametrize("state", ["diverged", "failed", "timed_out", "stopped"])
def test_every_unfinished_state_is_infinite(state: str) -> None:
    assert selection.validation_loss(row(0.1, 0, 0.5, state=state)) == math.inf


@pytest.mark.parametrize("loss", [None, math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_infinite(loss: float | None) -> None:
    assert selection.validation_loss(row(0.1, 0, loss)) == math.inf


def test_final_runs_never_take_part() -> None:
    rows = [row(0.1, 0, 0.5), row(1.0, 0, 0.6), row(1.0, 100, 0.0, stage="final")]
    assert selection.best_settings(rows, "optimizer", SETTING)["sgd"]["learning_rate"] == 0.1


def test_seeds_are_no_factor_and_a_missing_width_groups() -> None:
    rows = [row(0.1, 0, 0.5, width=math.nan), row(0.1, 1, 0.7, width=math.nan)]
    (only,) = selection.settings(rows, SETTING)
    assert only.median == pytest.approx(0.6)
    assert not {"seed", "split_seed"} & set(only.factors)


def test_ties_break_the_same_way_in_every_order() -> None:
    rows = [row(rate, seed, 0.5, depth=depth) for rate in (0.1, 0.01) for depth in (2, 1) for seed in (0, 1)]
    for shuffled in itertools.islice(itertools.permutations(rows), 0, 40320, 997):
        best = selection.best_settings(shuffled, "optimizer", SETTING)["sgd"]
        assert (best["learning_rate"], best["depth"]) == (0.01, 1)


def test_equal_medians_prefer_fewer_lost_runs() -> None:
    rows = [row(0.01, s, loss) for s, loss in enumerate([0.1, 0.5, math.nan])]
    rows += [row(0.1, s, loss) for s, loss in enumerate([0.4, 0.5, 0.9])]
    assert selection.best_settings(rows, "optimizer", SETTING)["sgd"]["learning_rate"] == 0.1


@pytest.mark.parametrize("none", [None, "none"])
def test_clipping_that_never_bites_is_not_chosen(none: str | None) -> None:
    rows = [row(0.1, 0, 0.5, clip="global_norm(max_norm=1.0)"), row(0.1, 0, 0.5, clip=none)]
    assert selection.best_settings(rows, "optimizer", SETTING)["sgd"]["clip"] == none


def test_best_per_any_column_in_stable_order() -> None:
    rows = [row(0.1, 0, 0.5, depth=8), row(0.1, 0, 0.4, depth=2), row(1.0, 0, 0.3, depth=2)]
    best = selection.best_per(rows, ("depth",), SETTING)
    assert list(best) == [(2,), (8,)]
    assert best[2,].factors["learning_rate"] == 1.0


def test_losses_of_two_datasets_are_never_compared() -> None:
    losses = {("easy", 0.1): 0.01, ("easy", 1.0): 0.02, ("hard", 0.1): 5.0, ("hard", 1.0): 4.0}
    rows = [row(rate, 0, loss, dataset=d) for (d, rate), loss in losses.items()]
    best = selection.best_per(rows, ("dataset", "optimizer"), SETTING)
    rates = {label: found.factors["learning_rate"] for label, found in best.items()}
    assert rates == {("easy", "sgd"): 0.1, ("hard", "sgd"): 1.0}


def test_everything_diverged_still_gives_a_setting() -> None:
    rows = [row(rate, 0, None, state="diverged") for rate in (1.0, 0.1)]
    assert selection.best_settings(rows, "optimizer", SETTING)["sgd"]["learning_rate"] == 0.1


def test_good_range_within_ten_percent() -> None:
    found = selection.rate_range({0.001: 0.5, 0.01: 0.109, 0.1: 0.1, 1.0: 0.1101, 10.0: math.inf})
    assert found.good == (0.01, 0.1)
    assert (found.best, found.contiguous, found.edge) == (0.1, True, None)


def test_good_range_with_a_gap_is_not_contiguous() -> None:
    found = selection.rate_range({1.0: 0.105, 0.1: 0.3, 0.01: 0.1})
    assert (found.good, found.contiguous, found.edge) == ((0.01, 1.0), False, "low")


@pytest.mark.parametrize(
    ("medians", "edge"),
    [({0.1: 0.2, 1.0: 0.1}, "high"), ({0.1: 0.1, 1.0: 0.2}, "low"), ({0.1: 0.1}, "only"),
     ({0.1: math.inf, 1.0: math.nan}, "all diverged"), ({0.1: 0.2, 1.0: 0.1, 2.0: 0.3}, None)],
)  # fmt: skip
def test_edges_of_the_grid(medians: dict[float, float], edge: str | None) -> None:
    assert selection.rate_range(medians).edge == edge


def test_nothing_is_good_where_everything_diverged() -> None:
    assert selection.rate_range({0.1: math.inf}).good == ()


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        selection.rate_range({})


def test_best_rate_per_combination() -> None:
    losses = {(1, 0.1): 0.5, (1, 1.0): 0.4, (2, 0.1): 0.2, (2, 1.0): 0.6}
    rows = [row(rate, 0, loss, depth=depth) for (depth, rate), loss in losses.items()]
    random.Random(0).shuffle(rows)
    ranges = selection.best_rates(selection.settings(rows, SETTING))
    assert {dict(key)["depth"]: found.best for key, found in ranges.items()} == {1: 1.0, 2: 0.1}


def test_selection_imports_neither_numpy_nor_pandas() -> None:
    code = "import sys, mlpjit.statistics.selection as s; assert not {'numpy', 'pandas', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
