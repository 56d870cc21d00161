"""The page of every synthetic study: whole, self-contained, and safe."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import RATES, STUDIES, SyntheticStore, make_run, store_of

from mlpjit.errors import StoreError
from mlpjit.report import page

VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """Collects what the page loads and checks that its tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="session", params=["quick", "hopeless", "two_datasets"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], Any]:
    directory = tmp_path_factory.mktemp(request.param)
    return directory, *page.write(STUDIES[request.param](), directory)[:2]


@pytest.fixture(scope="session")
def text(written: tuple[Path, list[str], Any]) -> str:
    return (written[0] / "report.html").read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_runs_nothing(text: str) -> None:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert reader.loads
    assert all(address.startswith("data:image/svg+xml;base64,") for address in reader.loads)
    assert not {"script", "iframe", "object", "link"} & reader.tags
    assert not re.search(r"url\(|@import", text)


def test_the_page_begins_with_the_answer(text: str) -> None:
    assert text.index('class="answer"') < text.index('class="answers"') < text.index("<figure")


def test_every_figure_has_its_files_and_its_table(written: tuple[Path, list[str], Any], text: str) -> None:
    directory, files, _ = written
    names = set(re.findall(r'<figure id="([^"]+)"', text))
    assert {f"figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")} <= set(files)
    assert {f"tables/{name}.csv" for name in names} <= set(files)
    assert all((directory / name).is_file() for name in files)


def test_the_answers_are_plain_data(written: tuple[Path, list[str], Any]) -> None:
    kinds = {type(value) for row in written[2] for value in row.values()}
    assert kinds <= {str, int, float, bool, list, type(None)}
    json.dumps(written[2], allow_nan=False)


def test_what_the_store_holds_is_escaped(tmp_path: Path) -> None:
    page.write(STUDIES["hopeless"](), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;float&lt;/b&gt; division by zero" in text
    assert "<b>" not in text


def test_two_datasets_are_two_answers(tmp_path: Path) -> None:
    files, rows, _ = page.write(STUDIES["two_datasets"](), tmp_path)
    assert [row["section"] for row in rows] == ["breast_cancer"] * 2 + ["digits"] * 2
    assert {"figures/digits-rate_curves.svg", "figures/breast_cancer-rate_curves.svg"} <= set(files)


def test_competitors_of_two_columns_have_a_row_for_each_combination(tmp_path: Path) -> None:
    runs = [
        make_run(stage, optimizer=o, depth=d, learning_rate=RATES[o][2], seed=s)
        for stage, seeds in (("tune", (0, 1)), ("final", (100, 101)))
        for o, d, s in itertools.product(["sgd", "adam"], [1, 2], seeds)
    ]
    store = store_of("pairs", runs, final={"per": ["optimizer", "depth"], "seeds": [100, 101]})
    _, rows, _ = page.write(store, tmp_path)
    assert {row["compared"] for row in rows} == {"optimizer and depth"}
    assert sorted(row["label"] for row in rows) == ["adam, depth 1", "adam, depth 2", "sgd, depth 1", "sgd, depth 2"]
    assert all(row["runs"] == 2 and row["stage"] == "final" and "depth" not in row for row in rows)
    assert "adam, depth 1" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_store_without_runs_is_one_clear_line(tmp_path: Path) -> None:
    store = STUDIES["lone"]()
    with pytest.raises(StoreError, match="no run is stored here yet"):
        page.write(SyntheticStore(store.runs.iloc[:0], store.plan), tmp_path)
