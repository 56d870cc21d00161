"""`mlpjit list`: narrow tables, all about one name, and the words that help begins with."""

from __future__ import annotations

import json
import tomllib

import pytest
from typer.testing import CliRunner

from mlpjit import Dataset, __version__
from mlpjit.catalogue.datasets import datasets
from mlpjit.cli import COMMANDS, app, tables
from mlpjit.cli.listing import KINDS, records, singular


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_breaks_no_line(kind: str | None, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "terminal_width", lambda: width)
    lines = printed("list", *([kind] if kind else [])).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("name", ["adam", "schedule_free_adamw", "cross_entropy", "digits", "mup", "hard_swish"])
def test_nor_a_line_of_all_about_one_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "terminal_width", lambda: 60)
    assert max(map(len, printed("list", name).splitlines())) <= 60


def test_what_is_cut_is_a_text_and_no_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "terminal_width", lambda: 80)
    heads, rule, *lines = printed("list", "spaces").splitlines()
    assert heads.split() == ["space", "tunes"]
    assert set(rule) == {"-", " "}
    assert lines[0].endswith("0.1")


def test_a_pipe_gets_whole_lines() -> None:
    formulas = [record["formula"] for record in records("optimizers")]
    text = printed("list", "optimizers")
    assert all(formula in text for formula in formulas)


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_a_kind_is_called_in_the_singular(kind: str) -> None:
    assert printed("list", singular(kind)) == printed("list", kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "studies"])
def test_all_about_a_name_is_its_whole_record(kind: str) -> None:
    for record in records(kind):
        text = " ".join(printed("list", singular(kind), record["name"]).split())
        told = [record["description"], record["formula"], *record["defaults"]]
        told += [] if record["citation"] == "-" else [record["citation"]]
        assert [part for part in told if " ".join(part.split()) not in text] == []


def test_a_name_alone_is_found_in_every_kind_that_has_it() -> None:
    assert [each["of"] for each in json.loads(printed("list", "constant", "--json"))] == ["initializers", "schedules"]
    assert "adam, an optimizer" in printed("list", "adam")
    assert "2 gradients more a step" in printed("list", "adahessian")


def test_a_study_is_told_as_its_file() -> None:
    assert tomllib.loads(printed("list", "study", "quick"))["name"] == "quick"
    assert printed("list", "quick") == printed("list", "study", "quick")


def test_data_in_memory_are_not_listed() -> None:
    """They are registered, but no file can name them."""
    known = records("datasets")
    name = Dataset([[float(row), row % 3.0] for row in range(40)], [float(row) for row in range(40)]).name
    try:
        assert name in datasets
        assert records("datasets") == known
    finally:
        datasets.remove(name)


def test_version() -> None:
    assert printed("--version") == f"mlpjit {__version__}\n"


def test_help_says_each_command_in_a_whole_sentence() -> None:
    text = printed("--help").partition("Commands:")[2]
    assert all(line in text and line.endswith(".") for _, line in COMMANDS.values())
    assert "..." not in text
    assert "..." not in printed("data", "--help").partition("Commands:")[2]
