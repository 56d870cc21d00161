"""Names that a browser, a spreadsheet, a database or a shell would carry out: from the data to page and tables."""

from __future__ import annotations

import csv
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mlpjit import report
from mlpjit.display import cell, uncell
from mlpjit.report.export import export, read_rows
from mlpjit.study.study import Study

SCRIPT, DROP, FORMULA = "<script>alert(1)</script>", "'; DROP TABLE runs; --", "=cmd|'/c calc'!A1"
DATA, TITLE = f"{FORMULA.replace('/', ' ')}<b>.csv", f"{SCRIPT}{DROP}"
STUDY = """
name = "strangers"
epochs = 1
[sweep]
seed = [0, 1]
learning_rate = [0.01, 0.1]
"""


class Page(HTMLParser):
    """The elements of a page, and the text of those that a name would add."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows = [(i, i % 7, i % 3, (DROP, FORMULA, SCRIPT)[i % 3]) for i in range(40)]
        with Path(DATA).open("w", newline="") as file:
            csv.writer(file).writerows([(SCRIPT, FORMULA, DROP, "label"), *rows])
        table = (
            f"dataset = {{name = '''{DATA}''', target = 'label'}}\nquestion = '''{TITLE}'''\ntitle = '''{TITLE}'''\n"
        )
        Path("strangers.toml").write_text(table + STUDY)
        Study.load("strangers.toml").run("out", threads=1)
        report.write(Path("out"))
        export(Path("out"))
        assert sorted(path.name for path in Path().iterdir()) == sorted([DATA, "out", "strangers.toml"])
    return folder / "out"


def test_the_page_shows_them_as_text(made):
    text = (made / "report.html").read_text(encoding="utf-8")
    tags = Page(text).tags
    assert tags.count("script") == 1
    assert "alert(1)" not in text.split("<script>")[1].split("</script>")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_no_figure_has_a_script(made):
    for path in (made / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def test_no_cell_is_a_formula(made):
    tables = [*made.glob("*.csv"), *made.rglob("tables/*.csv")]
    assert len(tables) > 3
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            cells = [text for row in csv.reader(file) for text in row]
        assert not [text for text in cells if text.startswith(("=", "@", "+", "\t"))]


def test_a_table_that_is_read_again_has_the_names(made):
    assert {row["dataset"] for row in read_rows(made / "runs.csv")} == {f"{DATA}(target=label)"}


def test_the_store_has_its_tables(made):
    with sqlite3.connect(made / "store.sqlite") as store:
        assert store.execute("SELECT count(*) FROM runs").fetchone() == (4,)
    store.close()


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", "+1", "-x", "@a", "\tx", "plain", "'plain", "", "a=1"])
def test_an_apostrophe_is_taken_off_again(text):
    assert uncell(cell(text)) == text
    assert not cell(text).startswith(("=", "+", "-", "@", "\t"))
