"""`mlpjit bench --compare` as it is printed, kept and exits; what it finds is made up here."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.measure.versions import compare, revisions

SLOWER = compare.CaseVerdict("optimizer/adam", "slower", 1.21, 1.18, 1.24, 0.9997, 1.041, 8)
OPEN = compare.CaseVerdict("optimizer/sgd", "no evidence", 1.024, 0.99, 1.06, 0.4, 1.083, 16)


@pytest.fixture
def found(monkeypatch):
    """Let a comparison find these cases; return what it was asked for."""
    asked = []

    def finding(*cases):
        verdict, confidence = ("slower", 0.9997) if SLOWER in cases else ("no evidence", 0.0)

        def compared(before, after, dtype, tell, only):
            asked.append((before, after, dtype, only))
            return compare.Comparison(before, after, verdict, confidence, 2, 1.05, 1.083, list(cases))

        monkeypatch.setattr(compare, "compare", compared)
        monkeypatch.setattr(revisions, "against", lambda *_: nullcontext(("main", "working tree")))
        return asked

    return finding


def bench(folder, *arguments):
    return CliRunner().invoke(app, ["bench", "--compare", "main", "--out", str(folder), *arguments])


def test_it_exits_with_1_on_the_verdict_that_is_to_fail(found, tmp_path):
    found(SLOWER)
    assert [bench(tmp_path, *given).exit_code for given in ((), ("--fail-on", "slower"))] == [0, 1]
    assert bench(tmp_path, "--fail-on", "faster").exit_code == 0
    found(OPEN)
    assert bench(tmp_path, "--fail-on", "slower").exit_code == 0


def test_only_is_handed_on_and_json_is_data(found, tmp_path):
    asked = found(SLOWER)
    printed = json.loads(bench(tmp_path, "--only", "adam", "--json").stdout)
    assert asked == [("main", "working tree", "float32", "adam")]
    assert (printed["verdict"], printed["cases"][0]["seen"]) == ("slower", 1.041)


def test_no_evidence_says_what_it_sees(found, tmp_path):
    found(OPEN)
    lines = bench(tmp_path).stdout.splitlines()
    assert lines[1].startswith("a change by 5.0 % would have been seen in the middle case, by 8.3 % in the noisiest")
    assert any("optimizer/sgd" in line and "sees 8.3 %" in line for line in lines)


def test_comparisons_are_kept(found, tmp_path):
    found(OPEN)
    bench(tmp_path)
    found(SLOWER)
    bench(tmp_path, "--only", "adam")
    kept = [json.loads(line) for line in (tmp_path / "comparisons.jsonl").read_text().splitlines()]
    assert [(row["verdict"], row["only"]) for row in kept] == [("no evidence", ""), ("slower", "adam")]
    assert {"time", "commit", "dtype", "host"} < set(kept[0])


def test_what_it_cannot_fail_on_is_refused_before_anything_is_measured(found, tmp_path):
    asked = found(SLOWER)
    result = bench(tmp_path, "--fail-on", "sloww")
    assert (result.exit_code, asked) == (2, [])
