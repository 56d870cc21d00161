"""What a study's answer looks like on a terminal: 80 columns, the data's name, the verdict in words."""

from __future__ import annotations

from typing import Any

import pytest

from mlpjit.cli import tables
from mlpjit.cli.answers import answer_tables

ROW: dict[str, Any] = {
    "section": "", "problem": "digits", "label": "momentum", "compared": "optimizer", "depth": 4, "width": 64,
    "activation": "leaky_relu", "init": "xavier_normal", "learning_rate": 0.1, "stage": "final",
    "score_name": "accuracy", "score": 0.97, "score_low": 0.96, "score_high": 0.98, "good_rates": [0.1],
    "good_contiguous": True, "edge": None, "divergence_rate": 0.1, "train_seconds": 0.5,
}  # fmt: skip
VERDICT = {"": "momentum reaches 97.0 % median test accuracy over 10 fresh seeds, the highest of 4, and so on and on."}


def shown(monkeypatch: pytest.MonkeyPatch, width: int | None, *rows: dict[str, Any]) -> list[str]:
    monkeypatch.setattr(tables, "terminal_width", lambda: width)
    return answer_tables([ROW, *rows], VERDICT).splitlines()


@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_breaks_no_line_of_an_answer(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = shown(monkeypatch, width)
    assert lines[0] == "digits"
    assert lines[4].startswith("left out at this width: time, diverged, good rates")
    assert " ".join(lines[5:]) == VERDICT[""]
    assert all(len(line) <= width for line in lines[5:])
    assert width < 80 or max(map(len, lines)) <= width


def test_a_pipe_gets_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, None)
    assert lines[1].endswith("init           rate  good rates  diverged  time")
    assert lines[4] == VERDICT[""]


def test_narrower_and_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    header, rows = ("name", "p", "text"), [("adam", "0.5", "better"), ("sgd", "0.25", "worse")]
    assert tables.narrowed(header, rows, ("p",)).splitlines()[0] == "name  p     text"
    assert tables.narrowed(header, rows, ("p",), (1,), width=15).splitlines()[0] == "name  text"
    monkeypatch.setattr(tables, "terminal_width", lambda: 28)
    assert tables.listed(("what", "value"), [("data", "one two three four five six seven")]).splitlines() == [
        "what  value", "----  ------------------", "data  one two three four", "      five six seven",
    ]  # fmt: skip
