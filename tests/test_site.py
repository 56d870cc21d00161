"""What the documentation's hooks promise, without building the site: `.ci/run` does that, and warnings end it."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import mlpjit

DOCS = Path(__file__).parents[1] / "docs"
MATHEMATICS = (DOCS / "mathematics.md").read_text(encoding="utf-8")
SECTIONS = "1 2 3 3.1 3.2 4 4.1 4.2 5 5.1 6 6.1 6.2 7 7.1 7.2 7.3 7.4 8 8.1 9 10"


def hook(name: str) -> ModuleType:
    spec = spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KERNELS, OFFLINE, NOTEBOOKS = hook("kernels"), hook("offline"), hook("notebooks")
NAMED = [(path, name) for path, names in KERNELS.named(MATHEMATICS) for name in names]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_implements_a_formula_exists(path, name):
    assert f"def {name}(" in KERNELS.code(path, name)


def test_the_mathematics_go_through_the_sections_in_order():
    assert " ".join(re.findall(r"^##+ (\d+(?:\.\d+)?)", MATHEMATICS, re.MULTILINE)) == SECTIONS


def test_every_section_with_a_formula_names_what_implements_it():
    sections = re.split(r"^##+ ", MATHEMATICS, flags=re.MULTILINE)[1:]
    assert [text.splitlines()[0] for text in sections if "$$" in text and not KERNELS.named(text)] == []


def test_every_line_that_begins_with_a_file_names_functions_of_it():
    """A line that misses the form by a comma would stay folded in silence."""
    assert len(re.findall(r"^`mlpjit/", MATHEMATICS, re.MULTILINE)) == len(KERNELS.named(MATHEMATICS))


def test_code_is_unfolded_as_it_is_run():
    page = KERNELS.on_page_markdown("before\n\n`mlpjit/kernels/optimizers/accelerated.py`: `sgd`\n")
    assert '??? quote "sgd in mlpjit/kernels/optimizers/accelerated.py"' in page
    assert "    @elementwise(formula=" in page
    assert "        return learning_rate * g" in page


@pytest.mark.parametrize("name", mlpjit.__all__)
def test_every_public_name_stands_on_the_page_of_the_api(name):
    page, home = (DOCS / "api.md").read_text(encoding="utf-8"), f"mlpjit.{mlpjit._HOMES[name]}"
    assert re.search(rf"^::: {re.escape(home)}(\.{name})?$", page, re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://a.example/b.js"></script>',
        "<link rel=stylesheet href=//a.example/b.css>",
        "<img alt=\"x\" src='http://a.example/b.png'>",
        "@font-face {src: url(https://a.example/f.woff2)}",
        '@import "https://a.example/b.css";',
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(text):
    assert len(OFFLINE.loaded_from_elsewhere(text)) == 1


def test_links_and_own_files_are_no_matter():
    text = '<a href="https://arxiv.org/abs/1412.6980">Adam</a> <img src="rate_curves.png"> <link href="assets/a.css">'
    assert OFFLINE.loaded_from_elsewhere(text) == []


def test_notebooks_are_pages_with_the_outputs_they_hold():
    cells = [
        {"cell_type": "markdown", "source": ["# A first\n", "run"]},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": ["2"]}}]},
        {"cell_type": "code", "source": "svg()", "outputs": [{"data": {"image/svg+xml": ["<svg>\n", "</svg>"]}}]},
        {"cell_type": "code", "source": "plot()", "outputs": [{"data": {"image/png": "AAAA\n", "text/plain": "x"}}]},
    ]
    page = NOTEBOOKS.page({"cells": cells})
    assert page.startswith("# A first\nrun\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n")
    assert 'src="data:image/svg+xml;base64,PHN2Zz4KPC9zdmc+">' in page
    assert 'src="data:image/png;base64,AAAA">' in page


def test_notebooks_stand_behind_their_first_page():
    nav = [{"Overview": "index.md"}, {"Start": ["try.md", "notebooks/index.md"]}]
    pages = ["try.md", "notebooks/index.md", "notebooks/a.md", "notebooks/b.md"]
    assert NOTEBOOKS.with_notebooks(nav, ["a", "b"]) == [{"Overview": "index.md"}, {"Start": pages}]
