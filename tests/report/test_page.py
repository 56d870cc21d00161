"""The page of every synthetic study: whole, self-contained, and safe."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import PAGES, RATES, STUDIES, SyntheticStore, make_run, store_of

from mlpjit.errors import StoreError
from mlpjit.report import page

VOID = {"meta", "img", "br", "link", "input"}


@dataclass
class Tag:
    """An element with what stands in it as text."""

    name: str
    attributes: dict[str, str | None]
    within: list[str]
    text: str = ""


class Reader(HTMLParser):
    """Collects the page's elements and checks that its tags nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[Tag] = []
        self.tags: list[Tag] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs), [one.name for one in self.open]))
        if tag not in VOID:
            self.open.append(self.tags[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs), [one.name for one in self.open]))

    def handle_data(self, data: str) -> None:
        for one in self.open:
            one.text += data

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def all(self, *names: str) -> list[Tag]:
        return [tag for tag in self.tags if tag.name in names]


@pytest.fixture(scope="session", params=["quick", "pathologies", "hopeless", "two_datasets", "suite"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], Any]:
    directory = tmp_path_factory.mktemp(request.param)
    return directory, *page.write(PAGES[request.param](), directory)[:2]


@pytest.fixture(scope="session")
def text(written: tuple[Path, list[str], Any]) -> str:
    return (written[0] / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def read(text: str) -> Reader:
    return Reader(text)


ADDRESSES = ("src", "href", "srcset", "data", "action", "poster", "xlink:href")


def test_the_page_loads_nothing(text: str, read: Reader) -> None:
    addresses = [tag.attributes[name] or "" for tag in read.tags for name in ADDRESSES if name in tag.attributes]
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert not read.all("iframe", "object", "link", "img", "embed")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", text.replace("http://www.w3.org", ""))


def test_links_lead_somewhere_and_ids_are_unique(read: Reader) -> None:
    ids = [tag.attributes["id"] for tag in read.tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    assert {tag.attributes["href"] for tag in read.all("a")} <= {f"#{name}" for name in ids}


def test_the_script_is_one_small_one_of_ours(read: Reader) -> None:
    (script,) = read.all("script")
    assert script.attributes == {}
    assert len(script.text.encode()) <= 20_000


def test_the_page_is_small(text: str) -> None:
    assert len(text.encode()) <= 600_000


def test_every_chart_tells_itself_in_words(read: Reader) -> None:
    charts = [tag for tag in read.all("svg") if tag.attributes.get("aria-hidden") != "true"]
    told = {tag.attributes["id"]: tag.text for tag in read.all("title", "desc") if "id" in tag.attributes}
    assert charts
    for chart in charts:
        assert told[chart.attributes["aria-labelledby"]]
        assert told[chart.attributes["aria-describedby"]].rstrip(".")


def test_text_is_of_one_size_in_all_charts(text: str) -> None:
    """However much room there is: at most so many pixels of a unit, in which text is 11 high."""
    sizes = re.findall(r'<svg viewBox="0 0 ([0-9.]+) [0-9.]+" (?:style="max-width:([0-9.]+)px" )?role="img"', text)
    assert sizes
    assert {round(float(most or "inf") / float(width), 2) for width, most in sizes} == {1.15}


def test_headings_go_down_step_by_step(read: Reader) -> None:
    levels = [int(tag.name[1]) for tag in read.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_have_captions_and_scopes(read: Reader) -> None:
    heads = read.all("th")
    assert heads
    assert all(tag.attributes.get("scope") in ("col", "row") for tag in heads)
    assert len(read.all("caption")) >= len(read.all("table")) - 1  # that of failed runs has its heading


def test_every_section_begins_with_its_finding(text: str) -> None:
    titles = re.findall(r"<h3>[^<]*\?</h3>\n(.*)", text)
    assert all(line.startswith('<p class="finding">') and line.endswith(".</p>") for line in titles)


def test_the_page_begins_with_the_answer(text: str) -> None:
    places = [text.find(one) for one in ("<h1>", 'class="answer"', 'class="matrix', "<nav", 'class="answers')]
    found = [place for place in places if place >= 0]  # what never ends has no pairs
    assert len(found) >= 4
    assert found == sorted(found)


def test_every_figure_has_its_files_and_its_table(written: tuple[Path, list[str], Any], text: str) -> None:
    directory, files, _ = written
    told = set(re.findall(r'<span class="file">tables/([^<]+).csv', text))
    names = told - {"tuned", "importance", "within", "budget", "problems", "answer"}  # of the page alone
    assert told
    assert {f"figures/{name}.{suffix}" for name in names for suffix in ("svg", "png")} <= set(files)
    assert {f"tables/{name}.csv" for name in told} <= set(files)
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
