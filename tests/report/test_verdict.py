"""The answer in rows and in words, on runs worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import STUDIES, make_run, store_of

from mlpjit.report import certainty, verdict
from mlpjit.report.figures.results import Results
from mlpjit.report.machines import spans, toml
from mlpjit.report.section import Section
from mlpjit.statistics import paired
from mlpjit.statistics.verdict import verdicts

FINAL = {"per": "optimizer", "seeds": [100, 101, 102]}


def study(scores: dict[str, list[float | None]]) -> Results:
    """Two rates each, the second better, one tuning run in four diverged; then one final run a score."""
    runs = []
    for optimizer, finals in scores.items():
        tuned = [(0.1, 0, 0.5), (0.1, 1, math.nan), (1.0, 0, 0.2), (1.0, 1, 0.3)]
        runs += [
            make_run("tune", optimizer=optimizer, learning_rate=rate, seed=seed)
            | {"final_validation_loss": loss, "state": "diverged" if math.isnan(loss) else "done"}
            for rate, seed, loss in tuned
        ]
        runs += [
            make_run("final", optimizer=optimizer, learning_rate=1.0, seed=100 + seed)
            | {"test_score": score, "test_loss": 0.25, "state": "diverged" if score is None else "done",
               "train_seconds": 2.0 + seed}
            for seed, score in enumerate(finals)
        ]  # fmt: skip
    return Results.read(store_of("tiny", runs, final=FINAL))


def words(scores: dict[str, list[float | None]]) -> str:
    results = study(scores)
    pairs = certainty.on_problem(certainty.compared(results), results)
    told = " ".join(verdict.sentences(verdict.rows(results), results.score_unit, pairs))
    return told.replace("\N{NO-BREAK SPACE}", " ")


def test_row_by_hand() -> None:
    first, second = verdict.rows(study({"sgd": [0.5, 0.75, 0.7], "adam": [0.9, 0.8, 1.0]}))
    assert (first["label"], second["label"]) == ("adam", "sgd")
    assert (first["score"], first["score_low"], first["score_high"]) == pytest.approx((0.9, 0.85, 0.95))
    assert first["score_ci_low"] == 0.8
    assert first["score_ci_high"] == 1.0
    assert (first["learning_rate"], first["good_rates"], first["edge"]) == (1.0, [1.0], "high")
    assert (first["tuning_runs"], first["tuning_diverged"], first["divergence_rate"]) == (4, 1, 0.25)
    assert (first["runs"], first["lost"], first["train_seconds"], first["loss"]) == (3, 0, 3.0, 0.25)


def test_a_lost_final_run_counts() -> None:
    rows = verdict.rows(study({"sgd": [0.9, None, None], "adam": [0.5, 0.6, None]}))
    assert [(row["label"], row["score"], row["lost"]) for row in rows] == [("adam", 0.5, 1), ("sgd", -math.inf, 2)]


EIGHT = [0.80, 0.82, 0.84, 0.86, 0.88, 0.90, 0.92, 0.94]


def shifted(shifts: list[float]) -> list[float | None]:
    return [score + shift for score, shift in zip(EIGHT, shifts, strict=True)]


BELOW = shifted([-0.10, -0.12, -0.09, -0.11, -0.10, -0.12, -0.09, -0.11])
BESIDE = shifted([-0.03, 0.01, -0.02, -0.01, -0.01, 0.02, -0.03, -0.01])


def test_a_clear_winner_is_named_with_its_lead() -> None:
    text = words({"sgd": BELOW, "adam": list(EIGHT)})
    assert text == (
        "adam reaches 87.0 % median test accuracy over 8 fresh seeds (quartiles 83.5 % to 90.5 %), the highest of 2. "
        "adam is better than sgd by 10.5 points (95 % interval 9.5 to 11.5, corrected p = 0.0078)."
    )


def test_the_lead_is_that_of_compare() -> None:
    results = study({"sgd": BELOW, "adam": list(EIGHT)})
    (pair,) = certainty.on_problem(certainty.compared(results), results)
    found = verdicts({"adam": paired.differences(EIGHT, BELOW, True) * 100}, "", "points")["adam"]
    assert pair.verdict.estimate == pytest.approx(found.estimate)
    assert (pair.verdict.p, pair.verdict.answer) == (found.p, "better")
    assert pair.verdict.family in " ".join(Section(results, verdict.rows(results), [], [pair]).notes)


@pytest.mark.parametrize(
    ("scores", "end"),
    [({"sgd": BESIDE}, "Between adam and sgd there is not enough evidence (about 19 more seeds)."),
     ({"sgd": BESIDE, "rmsprop": BELOW},
      "adam is better than rmsprop by 10.5 points (95 % interval 9.5 to 11.5, corrected p = 0.023). "
      "Between adam and sgd there is not enough evidence (about 28 more seeds)."),
     ({"a": BELOW, "b": BELOW, "c": BELOW}, "adam is better than a, b and c, by 10.5 points or more "
      "(corrected p at most 0.047)."),
     ({"sgd": [*BELOW[:7], None]}, "adam is better than sgd, which lost more runs (corrected p = 0.0078).")],
)  # fmt: skip
def test_certainty_is_that_of_paired_tests(scores: dict[str, Any], end: str) -> None:
    assert words({"adam": list(EIGHT), **scores}).endswith(end)


def test_each_problem_has_its_own_verdict() -> None:
    """adam is first on wine, sgd on iris; the family is that of both."""
    lead = {("wine", "adam"): EIGHT, ("wine", "sgd"): BELOW, ("iris", "adam"): BELOW, ("iris", "sgd"): EIGHT}
    runs = [
        make_run(stage, optimizer=name, dataset=dataset, learning_rate=1.0, seed=seed)
        | {"state": "done", "final_validation_loss": 0.2, "test_score": score}
        for (dataset, name), scores in lead.items()
        for seed, score in enumerate(scores)
        for stage in ("tune", "final")
    ]
    results = Results.read(store_of("two", runs, final=FINAL))
    found = certainty.compared(results)
    told = {
        part.section: " ".join(
            verdict.sentences(verdict.rows(part), part.score_unit, certainty.on_problem(found, part))
        )
        for part in results.sections()
    }
    assert told["wine"].count(" is better than ") == told["iris"].count(" is better than ") == 1
    assert "adam is better than sgd by 10.5" in told["wine"]
    assert "sgd is better than adam by 10.5" in told["iris"]
    assert "corrected p = 0.016" in told["iris"]


def test_several_that_cannot_be_told_apart_are_named_once() -> None:
    ends = words({"adam": list(EIGHT), "momentum": list(EIGHT), "sgd": BESIDE, "rmsprop": BELOW})
    assert "adam is better than rmsprop" in ends
    assert "Between some of adam, momentum and sgd there is not enough evidence (about " in ends


def over(problems: int, scores: dict[str, list[float | None]]) -> str:
    """The answer over problems that are alike but for a shift."""
    runs = [
        make_run(stage, optimizer=name, dataset=f"digits(classes={number})", learning_rate=1.0, seed=seed)
        | {"state": "done", "final_validation_loss": 0.2, "test_score": score + number / 1000}
        for number in range(problems)
        for name, some in scores.items()
        for seed, score in enumerate(some)
        for stage in ("tune", "final")
    ]
    results = Results.read(store_of("problems", runs, final=FINAL))
    return certainty.overall(certainty.compared(results)).replace("\N{NO-BREAK SPACE}", " ")


def test_over_problems_the_first_is_named_with_its_lead_in_seed_spreads() -> None:
    spread = np.std(EIGHT, ddof=1)
    worse = [score - spread for score in EIGHT]
    assert over(6, {"adam": list(EIGHT), "sgd": worse}) == (
        "Over 6 problems, in seed SDs of the pair: adam is better than sgd by 1.0 SDs "
        "(95 % interval 1.0 to 1.0, corrected p = 0.031)."
    )
    assert over(6, {"adam": list(EIGHT), "sgd": worse, "rmsprop": worse}).endswith(
        "6 problems are too few to say which is better: it takes at least 7."
    )
    assert over(3, {"adam": list(EIGHT), "sgd": worse}) == (
        "3 problems are too few for a verdict over them: it takes 6."
    )
    assert over(1, {"adam": list(EIGHT), "sgd": worse}) == ""


def test_too_few_seeds_for_any_claim_are_said() -> None:
    text = words({"sgd": [0.5, 0.6, 0.7], "adam": [0.8, 0.9, 1.0]})
    assert text.endswith("3 seeds are too few to say which is better: it takes at least 6.")


def test_one_seed_names_no_clear_winner() -> None:
    assert words({"sgd": [0.5], "adam": [0.9]}) == (
        "adam reaches 90.0 % test accuracy over 1 fresh seed, the highest of 2. "
        "One run tells nothing about the spread, so this names no clear winner."
    )


@pytest.mark.parametrize(
    ("scores", "text"),
    [({"sgd": [0.8, 0.9, 1.0], "adam": [0.9] * 3, "rmsprop": [0.5] * 3},
      "adam and sgd share the highest median test accuracy of 3: 90.0 % over 3 fresh seeds each. "
      "3 seeds are too few to say which is better: it takes at least 7."),
     ({"sgd": list(EIGHT), "adam": list(EIGHT), "rmsprop": BELOW},
      "adam and sgd share the highest median test accuracy of 3: 87.0 % over 8 fresh seeds each. "
      "adam is better than rmsprop by 10.5 points (95 % interval 9.5 to 11.5, corrected p = 0.023). "
      "sgd is better than rmsprop by 10.5 points (95 % interval 9.5 to 11.5, corrected p = 0.023). "
      "Between adam and sgd there is not enough evidence."),
     ({"sgd": [0.9], "adam": [0.9]},
      "adam and sgd share the highest test accuracy of 2: 90.0 % over 1 fresh seed each. "
      "One run tells nothing about the spread, so this names no clear winner.")],
)  # fmt: skip
def test_equal_medians_share_the_first_place(scores: dict[str, Any], text: str) -> None:
    assert words(scores) == text


@pytest.mark.parametrize(
    ("scores", "text"),
    [({"adam": [0.8, 0.9, 1.0]},
      "adam reaches 90.0 % median test accuracy over 3 fresh seeds (quartiles 85.0 % to 95.0 %)."),
     ({"adam": [0.9]}, "adam reaches 90.0 % test accuracy over 1 fresh seed."),
     ({"adam": [None] * 3, "sgd": [None] * 3},
      "The median run of every best setting was lost, so nothing can be recommended."),
     ({"adam": [0.9, 0.9, None, None, 0.9], "sgd": [None] * 5},
      "adam reaches 90.0 % median test accuracy over 5 fresh seeds (upper quartile 90.0 %; the lower is a lost run), "
      "the highest of 2. 5 seeds are too few to say which is better: it takes at least 6."),
     ({"adam": [0.9] * 3, "sgd": []},
      "adam reaches 90.0 % median test accuracy over 3 fresh seeds (quartiles 90.0 % to 90.0 %). "
      "sgd has no final run yet.")],
)  # fmt: skip
def test_the_sentence_is_true_at_the_edges(scores: dict[str, Any], text: str) -> None:
    assert words(scores) == text


def test_a_negative_r_squared_is_no_success() -> None:
    runs = [make_run("tune", dataset="diabetes", loss="mse", activation=a, learning_rate=0.01)
            | {"state": "done", "final_validation_loss": 1.0, "final_validation_score": score}
            for a, score in (("relu", -0.25), ("tanh", -0.5))]  # fmt: skip
    results = Results.read(store_of("negative", runs))
    text = " ".join(verdict.sentences(verdict.rows(results), results.score_unit))
    assert text.startswith("relu reaches -0.250 validation R² over 1 tuning run, the highest of 2.")
    assert text.endswith("Below 0, predicting the mean of the targets would be better.")


def test_a_number_or_none_says_what_it_is() -> None:
    same = {"state": "done", "final_validation_score": 0.9, "final_validation_loss": 0.1}
    runs = [make_run("tune", depth=depth, seed=seed) | same for depth in (1, 2) for seed in (0, 1)]
    results = Results.read(store_of("depths", runs, final={"per": "depth", "seeds": [7]}))
    text = " ".join(verdict.sentences(verdict.rows(results), results.score_unit))
    assert text.startswith("depth 1 and depth 2 share the highest median validation accuracy of 2")


def test_tied_rows_are_both_marked_best() -> None:
    results = study({"sgd": [0.9] * 3, "adam": [0.9] * 3, "rmsprop": [0.5] * 3})
    section = Section(results, verdict.rows(results), [])
    assert [section.is_best(row) for row in section.rows] == [True, True, False]


def test_nothing_finished_recommends_nothing() -> None:
    results = Results.read(STUDIES["hopeless"]())
    section = Section(results, verdict.rows(results), [])
    assert "nothing can be recommended" in section.sentence
    assert (section.rate(section.rows[0]), section.good(section.rows[0])) == ("-", "none")
    assert any("lost at every setting" in note for note in section.notes)
    assert not section.is_best(section.rows[0])


def test_a_final_stage_that_has_not_run_yet_is_not_missing() -> None:
    runs = [make_run("tune", optimizer=name) for name in ("sgd", "adam")]
    results = Results.read(store_of("unfinished", runs, final=FINAL))
    assert Section(results, verdict.rows(results), []).notes[0].startswith("The final stage has not run yet: scores")


def test_without_a_final_stage_validation_data_speaks_and_the_page_says_so() -> None:
    results = Results.read(STUDIES["two_optimizers"]())
    section = Section(results, verdict.rows(results), [])
    assert section.data == "validation"
    assert "no [final] stage" in section.notes[0]


def test_one_rate_has_no_range() -> None:
    results = Results.read(STUDIES["lone"]())
    section = Section(results, verdict.rows(results), [])
    assert [section.good(row) for row in section.rows] == ["-"]
    assert not any("Good range" in note for note in section.notes)


def test_the_edge_of_a_grid_is_noted() -> None:
    results = study({"sgd": [0.5, 0.6, 0.7]})
    notes = Section(results, verdict.rows(results), []).notes
    assert "* sgd: its best rate is the highest of its grid, so a higher one may be better still." in notes


def test_regression_is_scored_by_r_squared() -> None:
    results = Results.read(STUDIES["regression"]())
    assert (results.score_name, results.score_unit, results.label) == ("R²", 1.0, "activation")


def test_mean_squared_error_on_classes_is_scored_by_accuracy() -> None:
    assert Results.read(store_of("mse", [make_run("tune", loss="mse")])).score_name == "accuracy"


@pytest.mark.parametrize(
    ("numbers", "text"), [([3, 0, 1, 2], "0-3"), ([0, 2, 3, 9], "0, 2-3, 9"), ([], ""), ([5, 5], "5")]
)
def test_seeds_are_written_briefly(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


def test_toml_by_hand() -> None:
    plan = {
        "name": "mine", "title": "", "final": {"per": "optimizer", "seeds": [7]}, "timing": None,
        "blocks": [{"fixed": {"width": 8, "clip": None, "shuffle": True}, "axes": {"depth": [1, 2]}},
                   {"fixed": {"width": 8, "clip": {"name": "value", "max_value": 1e-05}, "shuffle": True}, "axes": {}}],
    }  # fmt: skip
    assert toml(plan) == (
        'name = "mine"\nwidth = 8\nshuffle = true\n\n[[sweep]]\ndepth = [1, 2]\n\n'
        '[[sweep]]\nclip = {name = "value", max_value = 1e-05}\n\n[final]\nper = "optimizer"\nseeds = [7]\n'
    )
