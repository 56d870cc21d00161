"""The generated pages of the documentation are what the commands that write them print today."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.cli.listing import records

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"optimizers.md": ["list", "optimizers", "--markdown"], "catalogue.md": ["list", "--markdown"]}


def printed(arguments: list[str]) -> str:
    return CliRunner().invoke(app, arguments).stdout


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_current(name):
    """After a change to the catalogue: `mlpjit list ... --markdown > docs/...`, as the page itself says."""
    assert (DOCS / name).read_text(encoding="utf-8") == printed(PAGES[name])


def test_optimizers_say_what_they_keep_and_ask_for():
    found = {record["name"]: record for record in records("optimizers")}
    assert found["adam"] | {"kind": "elementwise", "state": ["mu", "nu"], "extra_gradients": 0} == found["adam"]
    assert found["madgrad"]["initial"] == {"start": "params"}
    header, _, *rows = printed(["list", "optimizers"]).splitlines()
    assert header.split() == ["name", "kind", "state", "formula"]
    assert [row.split()[:3] for row in rows if row.startswith("adan ")] == [["adan", "elementwise", "4"]]


def test_bars_and_underscores_stay_text_in_a_table():
    rows = [
        line for line in printed(["list", "optimizers", "--markdown"]).splitlines() if line.startswith("| `adamax`")
    ]
    assert "max(b2 u, \\|g\\| + eps)" in rows[0]
    assert "eps\\_root" in printed(["list", "optimizers", "--markdown"])
