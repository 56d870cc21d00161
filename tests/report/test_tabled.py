"""What was tried, as the page tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import SyntheticStore, quick

from mlpjit.report import page
from mlpjit.report.tabled import raced, tried


def record(control: str, answer: str, pairs: int = 20, problem: str = "digits") -> dict[str, Any]:
    return {
        "control": control, "problem": problem, "answer": answer, "verdict": answer, "pairs": pairs,
        "effect": 1.234, "low": 0.5, "high": 2.0, "unit": "points", "corrected_p": 0.031,
    }  # fmt: skip


def kept(*verdicts: dict[str, Any], name: str = "mine") -> dict[str, Any]:
    return {
        "name": name, "optimizer": name, "version": name, "study": "quick", "ended_at": "2026-01-02T03:04:05Z",
        "settings": {name: 5, "adam": 5, "sgd": 9}, "best": {}, "cap": 100, "margin": None,
        "family": "2 comparisons: mine against 2 on 1 problem",
        "verdicts": [{**one, "competitor": name} for one in verdicts],
    }  # fmt: skip


def source(*tries: dict[str, Any]) -> SyntheticStore:
    made = quick()
    made.notes = {"tries": list(tries)}
    return made


def test_the_finding_is_the_verdicts_in_words():
    one = kept(record("adam", "worse", 31), record("sgd", "better"), record("lion", "undecided", 100))
    one["settings"]["lion"] = 5
    found = tried(source(one))
    assert found is not None
    assert (
        found.finding
        == "mine is better than sgd, worse than adam, not yet told from lion, after 20 to 100 fresh seeds."
    )


def test_problems_are_named_where_there_are_several():
    found = tried(source(kept(record("sgd", "better"), record("sgd", "worse", problem="wine"))))
    assert found is not None
    assert found.finding == "mine is better than sgd on digits, worse than sgd on wine, after 20 fresh seeds."


def test_the_newest_comes_first_and_all_are_shown():
    found = tried(source(kept(record("sgd", "better")), kept(record("sgd", "worse"), name="newer")))
    assert found is not None
    assert [row[0] for row in found.rows] == ["newer, 2026-01-02", "mine, 2026-01-02"]
    assert any(note.startswith("2 tries are kept") for note in found.notes)


def test_another_number_of_settings_is_marked():
    found = tried(source(kept(record("sgd", "better"), record("adam", "worse"))))
    assert found is not None
    assert [row[7] for row in found.rows] == ["9*", "5"]
    assert any(note.startswith("* mine was tuned over 5 settings") for note in found.notes)


def test_it_stands_on_the_page(tmp_path: Path):
    page.write(source(kept(record("sgd", "better"))), tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert '<a href="#tries">What was tried, and is it better?</a>' in text
    assert "mine is better than sgd, after 20 fresh seeds." in text
    assert "+1.23 points" in text


def test_without_tries_there_is_no_section(tmp_path: Path):
    assert tried(quick()) is None
    page.write(quick(), tmp_path)
    assert 'id="tries"' not in (tmp_path / "report.html").read_text()


RACE = {"competitor": "adam", "problem": "digits", "settings": 40, "seeds": 20, "dropped": 36, "audited": 4,
        "gradients": 400.0, "grid_gradients": 1000.0, "regret": 0.0}  # fmt: skip


def test_what_racing_saved_is_told(tmp_path: Path):
    made = quick()
    made.plan = {**made.plan, "tuning": {"race": True}}
    made.notes = {"races": [RACE, {**RACE, "competitor": "sgd", "regret": 0.25}]}
    found = raced(made)
    assert found is not None
    told = "in 1 of 2 an audited setting was better than all that were left"
    assert found.finding == f"Racing took 40% of the gradients of the whole grid; {told}."
    assert found.rows[1] == ("sgd", "digits", "40", "36", "4", "20", "60%", "0.25")
    page.write(made, tmp_path)
    assert 'href="#races"' in (tmp_path / "report.html").read_text()


def test_a_study_that_does_not_race_says_nothing_of_races():
    made = quick()
    made.notes = {"races": [RACE]}  # of another study in this folder
    assert raced(made) is None


def test_what_another_version_wrote_is_left_out():
    assert tried(source({"name": "mine"})) is None
