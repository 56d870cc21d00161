"""What the page answers beside who is best: tuning, importance, speed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import STUDIES, suite, tuned_store

from mlpjit.report import certainty, page
from mlpjit.report.figures.results import Results
from mlpjit.report.importance import balanced, importance
from mlpjit.report.screen import spoken
from mlpjit.report.tuned import budget, tuned
from mlpjit.report.within import within


def looks(results: Results) -> dict:
    found, keys = spoken(results)
    return {name: (look, keys[name]) for name, look in found.items()}


def test_overtuning_is_the_finding() -> None:
    results = Results.read(tuned_store(["digits"]))
    found = certainty.compared(results)
    topic = tuned(found.tunings, looks(results))
    assert topic.chart.finding == (
        "Tuning is certainly worth it for 1 of 2 competitors, certainly harmful for 1. "
        "Overtuned, worse on test data than untuned, are 1 (50%)."
    )
    told = dict(re.findall(r"<title>(\w+): .*?, gain (.*?) \(", topic.chart.panels[0]))
    assert float(told["sgd"]) == pytest.approx(5.0, abs=0.2)
    assert float(told["adam"].replace("\N{MINUS SIGN}", "-")) == pytest.approx(-2.0, abs=0.2)
    (note,) = topic.notes
    assert note.startswith("Of 2 choices 2 stand at an edge of what was tried, so that better may lie beyond:")


def test_over_problems_gains_are_medians() -> None:
    results = Results.read(suite())
    topic = tuned(certainty.compared(results).tunings, looks(results))
    assert topic.chart.finding == (
        "On the typical problem tuning gains for 1 of 2 competitors and harms 1, by the intervals of the medians. "
        "Overtuned, worse on test data than untuned, are 6 of all 12 choices (50%)."
    )
    told = re.search(r"<title>sgd: .*?, gain \+(.*?) \(.*?\), 6 problems", topic.chart.panels[0])
    assert float(told[1]) == pytest.approx(5.0, abs=0.2)


def test_without_untuned_runs_nothing_is_asked() -> None:
    results = Results.read(STUDIES["quick"]())
    tunings = certainty.compared(results).tunings
    assert tuned(tunings, looks(results)) is None
    assert budget(tunings, looks(results)) is not None


def test_the_rate_alone_explains_what_it_alone_makes() -> None:
    topic = importance([Results.read(tuned_store(["digits"]))])
    assert topic.chart.finding.startswith(
        "The learning rate explains 100\N{NO-BREAK SPACE}% (100 to 100) of the variance"
    )
    assert topic.table["share"].sum() == pytest.approx(1)
    assert "on average 1.0 is best and 0.01 worst" in topic.chart.panels[0]


def test_a_grid_with_a_gap_is_not_balanced() -> None:
    results = Results.read(tuned_store(["digits"]))
    assert balanced(results).scores.shape == (2, 3, 3)
    assert balanced(Results(results.source, results.runs.drop(index=results.tuning.index[0]))) is None


def test_rates_of_their_own_are_told_by_their_place() -> None:
    results = Results.read(tuned_store(["digits"]))
    runs = results.runs.copy()
    runs.loc[runs["optimizer"] == "adam", "learning_rate"] /= 100
    grid = balanced(Results(results.source, runs))
    assert grid.placed
    assert list(grid.levels["learning_rate"]) == [1.0, 2.0, 3.0]


def test_speed_is_asked_of_many_problems_alone() -> None:
    results = Results.read(suite())
    parts = list(results.sections())
    names = list(looks(results))
    assert within(parts[:4], names, looks(results)) is None
    topic = within(parts, names, looks(results))
    assert sorted(topic.table["competitor"]) == sorted(names)
    assert (topic.table["within_1"] <= topic.table["within_4"]).all()
    assert topic.table["within_1"].sum() > 99  # one is the fastest on each


def test_the_page_has_them_all_with_their_tables(tmp_path: Path) -> None:
    files, _, _ = page.write(suite(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in ("problems", "tuned", "importance", "within"):
        assert f'<section id="{name}">' in text
        assert f"tables/{name}.csv" in files


def test_choices_at_an_edge_and_unequal_numbers_are_marked_in_the_answer(tmp_path: Path) -> None:
    made = tuned_store(["digits"])
    made.runs = made.runs[(made.runs["optimizer"] == "sgd") | (made.runs["learning_rate"] != 0.1)].reset_index(
        drop=True
    )
    page.write(made, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.search(r"adam<sup>&dagger;</sup></th>", text)
    assert "settings to choose from are unequal, and the best of more is better by luck: " in text
    assert text.count("<sup>*</sup>") == 2
