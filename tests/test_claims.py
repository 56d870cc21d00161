"""What the README says the built-in studies found is what the committed runs say today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlpjit.report.exported import compare_kept

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)`: [^|]*\| `([^`]+)` \| (.*) \|$", README, re.MULTILINE)
CLAIM = re.compile(r"`([^`]+)`[^`(]*?([+-]\d+\.\d\d) \((-?\d+\.\d\d) to (-?\d+\.\d\d), p (\.\d+)\)")


def close(text: str, value: float) -> bool:
    """Say whether a number is a value as rounded as it is written."""
    return f"{value:.{len(text.partition('.')[2])}f}".lstrip("-+").removeprefix("0") == text.lstrip("-+").removeprefix(
        "0"
    )


def test_each_study_on_the_suite_has_a_row():
    assert [row[0] for row in ROWS] == ["optimizers", "activations", "initialization", "schedules"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_claims_quote_what_the_runs_say(row: tuple[str, str, str]) -> None:
    study, control, found = row
    compared = compare_kept(ROOT / "results" / "reference" / study, control, (), "", None, None)
    verdicts = {pair.competitor: pair.verdict for pair in compared.over_problems}
    claims = CLAIM.findall(found)
    assert claims
    for name, effect, low, high, p in claims:
        said = verdicts[name]
        assert (said.estimate > 0) == (effect[0] == "+")
        assert all(map(close, (effect, low, high, p), (said.estimate, said.low, said.high, said.corrected_p)))
