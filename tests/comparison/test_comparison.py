"""Which runs are compared with which, what is said of them, and that a pair depends on nobody else."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.comparison.compare import Comparison, compare, leaders
from mlpjit.comparison.scores import MEASURES
from mlpjit.errors import ConfigError
from mlpjit.statistics import signedrank, signflip
from mlpjit.study.study import Study

QUICK = Path(__file__).parents[2] / "results" / "reference" / "quick" / "runs.csv"
BOTH = {"adam", "sgd"}
FINAL = {"final": {"per": "optimizer", "seeds": [100, 101, 102]}}


def row(stage: str, seed: int, score: float | None, **given: Any) -> dict[str, Any]:
    """A run with its score; its validation loss is its learning rate unless one is given."""
    run = {"dataset": "digits", "loss": "cross_entropy", "optimizer": "sgd", "activation": "relu", "learning_rate": 0.1}
    run |= given
    seeds = dict.fromkeys(("seed", "split_seed", "init_seed", "order_seed"), seed)
    state = "diverged" if score is None else "done"
    return {"stage": stage, "state": state, "final_validation_loss": run["learning_rate"], "test_score": score,
            "final_validation_score": score, "train_seconds": 1.0, **run, **seeds}  # fmt: skip


def finals(scores: dict[str, list[float | None]], **given: Any) -> list[dict[str, Any]]:
    """A tuning run each, then a final run a score, on seeds 100, 101, ..."""
    tuning = [row("tune", 0, 0.5, optimizer=name, **given) for name in scores]
    return tuning + [
        row("final", 100 + at, score, optimizer=name, **given)
        for name, some in scores.items() for at, score in enumerate(some)
    ]  # fmt: skip


def pair(found: Comparison, competitor: str, control: str) -> dict[str, Any]:
    return next(each.record() for each in found.on_problems if (each.competitor, each.control) == (competitor, control))


SCORES: dict[str, list[float | None]] = {"sgd": [0.5, 0.6, 0.7], "adam": [0.8, 0.7, 0.75], "rmsprop": [0.6, 0.61, 0.7]}


def test_a_pair_by_hand() -> None:
    found = pair(compare(finals(SCORES), FINAL), "adam", "sgd")
    test = signflip.SignFlip([30.0, 10.0, 5.0])
    assert found["effect"] == pytest.approx(15.0)
    assert (found["p"], found["corrected_p"]) == (test.p(), pytest.approx(3 * 0.25))
    assert (found["wins"], found["ties"], found["losses"], found["pairs"]) == (3, 0, 0, 3)
    assert (found["unit"], found["problem"]) == ("points", "digits")
    assert found["family"] == "3 comparisons: every pair of 3 on 1 problem"
    assert found["verdict"].startswith("not enough: about ")
    assert found["verdict"].endswith(" more seeds")


def test_a_control_is_compared_with_all_others() -> None:
    found = compare(finals(SCORES), FINAL, control="sgd")
    assert [(each.competitor, each.control) for each in found.on_problems] == [("adam", "sgd"), ("rmsprop", "sgd")]
    assert found.on_problems[0].verdict.family == "2 comparisons: 2 against sgd on 1 problem"


def test_pairs_are_of_equal_seeds_alone() -> None:
    rows = finals({"sgd": [0.5, 0.6, 0.7], "adam": [0.8, 0.7]})
    assert pair(compare(rows, FINAL), "adam", "sgd")["effect"] == pytest.approx(20.0)
    assert pair(compare(rows, FINAL), "adam", "sgd")["pairs"] == 2


def test_an_optimizer_in_a_wrapper_is_named_with_it() -> None:
    rows = finals({"sgd": [0.5, 0.6]}, wrapper="none") + finals({"sgd": [0.7, 0.9]}, wrapper="sam(rho=0.1)")
    found = compare(rows, {"final": {"per": ["optimizer", "wrapper"], "seeds": [100, 101]}}, control="sgd")
    assert [each.competitor for each in found.on_problems] == ["sam[rho=0.1](sgd)"]


def test_competitors_that_differ_in_the_seventh_digit_are_two() -> None:
    rates = (0.1, 0.1000001, 1e-4)
    rows = [one for rate in rates for one in finals({"sgd": [rate, 0.6, 0.7]}, learning_rate=rate)]
    found = compare(rows, {"final": {"per": "learning_rate", "seeds": [100, 101, 102]}})
    assert found.reported.competitors == ["learning rate 0.0001", "learning rate 0.1", "learning rate 0.1000001"]
    assert len(found.on_problems) == 3


def test_a_lost_run_ranks_worst() -> None:
    found = pair(compare(finals({"sgd": [0.5, 0.6, None], "adam": [0.4, 0.5, 0.1]}), FINAL), "adam", "sgd")
    assert (found["effect"], found["wins"], found["losses"]) == (math.inf, 1, 2)


def test_a_lost_run_ranks_worst_by_what_it_has_too() -> None:
    found = pair(
        compare(finals({"sgd": [0.5, None], "adam": [0.4, 0.5]}), FINAL, metric="train_seconds"), "adam", "sgd"
    )
    assert (found["effect"], found["unit"], found["wins"], found["ties"]) == (math.inf, "s", 1, 1)


def test_the_best_setting_is_chosen_on_tuning_losses() -> None:
    rows = [
        row("tune", seed, score, optimizer=name, learning_rate=rate)
        for name, rate, score in [("sgd", 0.1, 0.5), ("sgd", 0.2, 0.9), ("adam", 0.1, 0.6), ("adam", 0.2, 0.1)]
        for seed in (0, 1)
    ]
    found = compare(rows, {})
    assert pair(found, "adam", "sgd")["effect"] == pytest.approx(10.0)
    assert found.notes[0].startswith("the study has no [final] stage: validation data over the very seeds")
    assert found.reported.stage == "tune"


def test_a_column_that_the_final_stage_is_not_for_is_compared_on_tuning_runs() -> None:
    rows = [*finals(SCORES), *(row("tune", seed, 0.7, activation="tanh", learning_rate=0.3) for seed in (0, 1))]
    found = compare(rows, FINAL, by=["activation"])
    assert found.reported.stage == "tune"
    assert "the best settings of each optimizer, not activation" in found.notes[0]


def test_of_finals_for_two_columns_one_takes_the_best() -> None:
    study = {"final": {"per": ["optimizer", "activation"], "seeds": [100, 101]}}
    rows = [
        row(stage, seed, score, optimizer=name, activation=activation, learning_rate=rate)
        for name, activation, rate, score in [("sgd", "relu", 0.1, 0.5), ("sgd", "tanh", 0.2, 0.9),
                                              ("adam", "relu", 0.2, 0.1), ("adam", "tanh", 0.1, 0.6)]
        for stage, seeds in (("tune", (0, 1)), ("final", (100, 101))) for seed in seeds
    ]  # fmt: skip
    assert len(compare(rows, study).on_problems) == 4 * 3 / 2
    found = compare(rows, study, by=["optimizer"])
    assert (found.reported.stage, found.notes) == ("final", ())
    assert pair(found, "adam", "sgd")["effect"] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("options", "line"),
    [({"control": "adm"}, "unknown control 'adm': did you mean 'adam'?"),
     ({"by": ["optimiser"]}, "unknown column 'optimiser': did you mean 'optimizer'?"),
     ({"metric": "test_scores"}, "unknown metric 'test_scores': did you mean 'test_score'?"),
     ({"margin": 0.0}, "margin: got 0, need a finite number above 0"),
     ({"by": ["dataset"]}, "nothing to compare: the only dataset is digits")],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        compare(finals(SCORES), FINAL, **options)
    assert str(raised.value).startswith(line)


def many(problems: int, seeds: int = 4) -> list[dict[str, Any]]:
    """Competitors on several problems, adam the better by half a point a problem's number."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(problems):
        base = random.normal(0.5, 0.01 * (number + 1), seeds)
        scores = {"sgd": base, "adam": base + 0.005 * (number + 1), "rmsprop": base - 0.01}
        rows += finals({name: some.tolist() for name, some in scores.items()}, dataset=f"digits(classes={number})")
    return rows


def test_over_problems_the_unit_is_the_controls_seed_spread() -> None:
    rows = many(6)
    found = compare(rows, FINAL, control="sgd")
    over = next(each for each in found.over_problems if each.competitor == "adam")
    spreads = [
        np.std([r["test_score"] for r in rows if r["stage"] == "final" and r["optimizer"] == "sgd"
                and r["dataset"] == f"digits(classes={number})"], ddof=1) for number in range(6)
    ]  # fmt: skip
    expected = signedrank.SignedRank(0.005 * np.arange(1, 7) / spreads)
    assert (over.verdict.p, over.verdict.pairs, over.verdict.unit) == (2 / 2**6, 6, "seed SDs of sgd")
    assert over.verdict.estimate == pytest.approx(expected.estimate)
    assert over.verdict.family == "2 comparisons: 2 against sgd over 6 problems"


def test_five_problems_are_too_few_for_a_verdict_over_them() -> None:
    found = compare(many(5), FINAL, control="sgd")
    assert (len(found.on_problems), found.over_problems) == (10, [])
    assert found.notes == ("5 problems are too few for a verdict over them: it takes 6",)


def test_a_control_that_does_not_vary_gives_no_unit() -> None:
    rows = [r | {"test_score": 0.5} if r["dataset"] == "digits(classes=2)" and r["optimizer"] == "sgd" else r
            for r in many(6)]  # fmt: skip
    found = compare(rows, FINAL, control="sgd")
    assert found.over_problems == []
    assert "adam and sgd over problems: no unit, as seeds do not vary on digits(classes=2)" in found.notes


def test_without_a_control_the_unit_is_the_pairs_and_the_two_are_alike() -> None:
    renamed = [r | {"optimizer": {"adam": "sgd", "sgd": "adam"}.get(r["optimizer"], "rmsprop")} for r in many(6)]
    one, other = (
        next(each.verdict for each in compare(rows, FINAL).over_problems if {each.competitor, each.control} == BOTH)
        for rows in (many(6), renamed)
    )
    assert one.unit == "seed SDs of the pair"
    assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low))
    assert one.p == other.p


def test_a_margin_needs_one_unit() -> None:
    rows = [*finals(SCORES), *finals(SCORES, dataset="diabetes", loss="mse")]
    with pytest.raises(ConfigError, match="margin: scores of these problems are in R² and points, so none fits all"):
        compare(rows, FINAL, margin=1.0)
    assert {each.verdict.unit for each in compare(rows, FINAL).on_problems} == {"points", "R²"}


def test_equal_within_a_margin_names_its_unit() -> None:
    scores = np.linspace(0.5, 0.6, 10)
    rows = finals({"sgd": scores.tolist(), "adam": (scores + 0.001).tolist()})
    assert pair(compare(rows, FINAL, margin=0.5), "adam", "sgd")["verdict"] == "equal within 0.5 points"


def test_another_competitor_and_another_problem_change_nothing_of_a_pair() -> None:
    rows = many(6)
    own = ("competitor", "control", "problem", "effect", "low", "high", "p")
    few = compare([r for r in rows if r["optimizer"] != "rmsprop"], FINAL)
    more = compare([*rows, *finals({"adam": [0.1] * 9, "sgd": [0.2] * 9}, dataset="wine")], FINAL)
    before = [tuple(each.record()[name] for name in own) for each in few.on_problems]
    after = [tuple(each.record()[name] for name in own) for each in more.on_problems]
    assert len(before) == 6
    assert set(before) < set(after)


def test_momentum_is_better_than_rmsprop_on_quicks_own_finals() -> None:
    with QUICK.open(newline="", encoding="utf-8") as file:
        rows = [
            {name: float(text) if name in MEASURES and text else text for name, text in each.items()}
            for each in csv.DictReader(file)
        ]
    found = pair(compare(rows, Study.load("quick").canonical()), "momentum", "rmsprop")
    assert (found["verdict"], found["pairs"]) == ("better", 10)
    assert found["p"] == pytest.approx(0.008, abs=5e-4)


def test_against_the_leader_alone_a_pair_has_the_verdict_it_has_among_all() -> None:
    rows = many(7)
    every, few = compare(rows, FINAL), compare(rows, FINAL, most=2)
    assert (every.leader, few.leader) == ("", "adam")
    assert [(each.competitor, each.control) for each in few.on_problems[:2]] == [("rmsprop", "adam"), ("sgd", "adam")]
    for alone, among in ((few.on_problems, every.on_problems), (few.over_problems, every.over_problems)):
        known = {(each.problem, *sorted((each.competitor, each.control))): each for each in among}
        assert len(alone) * 3 == len(among) * 2
        for each in alone:
            other = known[each.problem, *sorted((each.competitor, each.control))]
            turned = each.competitor == other.control
            ends = (-other.verdict.high, -other.verdict.low) if turned else (other.verdict.low, other.verdict.high)
            assert (each.verdict.low, each.verdict.high) == pytest.approx(ends)
            assert (each.verdict.p, each.verdict.corrected_p) == (other.verdict.p, other.verdict.corrected_p)
            assert (each.verdict.family, each.family) == (other.verdict.family, other.family)


def test_the_leader_has_the_best_mean_rank_and_lost_runs_rank_last() -> None:
    found = compare(finals({"sgd": [0.9, None], "adam": [0.5, 0.6], "rmsprop": [0.4, 0.9]}), FINAL)
    assert leaders(found.reported) == ["rmsprop", "adam", "sgd"]


def test_a_final_stage_that_is_not_at_its_end_names_who_lacks_runs() -> None:
    rows = [*finals(SCORES)[:-1], row("tune", 0, 0.5, optimizer="lion")]
    found = compare(rows, FINAL)
    assert {each.competitor for each in found.on_problems} == {"adam", "rmsprop"}
    (note,) = found.notes
    assert note.endswith("runs are missing, 3 of lion, 1 of rmsprop")
    assert compare(finals(SCORES), FINAL).notes == ()


def test_a_best_setting_without_final_runs_yet_is_named_though_another_speaks_for_it() -> None:
    better = row("tune", 0, 0.5, optimizer="adam", activation="tanh", learning_rate=0.05)
    study = {"final": {"per": ["optimizer", "activation"], "seeds": [100, 101, 102]}}
    assert compare([*finals(SCORES), better], study, by=["optimizer"]).notes[0].endswith("missing, 3 of adam")


def test_a_problem_without_final_runs_yet_does_not_rename_the_others() -> None:
    tuned = [one for one in finals(SCORES, loss="mse") if one["stage"] == "tune"]
    found = compare([*finals(SCORES), *tuned], FINAL)
    assert {each.problem for each in found.on_problems} == {"digits"} == {each.problem for each in found.tunings}


REPEATED = {"final": {"per": "optimizer", "seeds": [100, 101, 102, 103]}, "tuning": {"repeats": 2, "seeds": [0, 1]}}


def repeated(scores: dict[str, list[float]]) -> list[dict[str, Any]]:
    return [*finals(scores), *(row("tune", 1, 0.5, optimizer=name) for name in scores)]


@pytest.mark.parametrize("runs", [2, 3])
def test_a_repetition_that_is_not_at_its_end_is_no_pair(runs: int) -> None:
    """The mean of one run beside that of two would be over other seeds."""
    scores = {"sgd": [0.5, 0.6, 0.7, 0.8][:runs], "adam": [0.9, 0.8, 0.1, 0.2]}
    found = compare(repeated(scores), REPEATED)
    alone = pair(found, "adam", "sgd")
    assert (alone["effect"], alone["pairs"]) == (pytest.approx(30.0), 1)
    assert found.notes[0].endswith(f"missing, {4 - runs} of sgd")
    sgd = next(each for each in found.tunings if each.competitor == "sgd")
    assert sgd.tuned == pytest.approx(55.0)
    assert len(sgd.chosen) == len(sgd.edges) == (1 if runs == 2 else 2)


def test_tuning_runs_report_a_repeated_tuning_though_they_are_fewer_than_final_ones() -> None:
    rows = [row("tune", seed, 0.5, optimizer=name) for name in ("sgd", "adam") for seed in (0, 1)]
    found = compare([{**one, "final_validation_score": 0.7} for one in rows], REPEATED)
    assert [each.tuned for each in found.tunings] == [pytest.approx(70.0)] * 2
