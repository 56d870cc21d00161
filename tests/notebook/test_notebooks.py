"""The notebooks of the documentation run from top to bottom, and are kept without outputs."""

from __future__ import annotations

import ast
import json
import linecache
from pathlib import Path
from typing import Any

import pytest

from mlpjit.catalogue.datasets import datasets
from mlpjit.catalogue.registries import optimizers

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FORMAT = (4, 5)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def run_cell(source: str, names: dict[str, Any], file: str) -> Any:
    """Execute a cell as a kernel does; return the value of its last line, if that is an expression.

    Its source can be read, as in a kernel: what `__main__` is differs between processes that run tests.
    """
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), file, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), file, "eval"), names)


@pytest.fixture(autouse=True)
def forgotten():
    """The registries as they were: other tests look at all of them."""
    before = {registry: set(registry) for registry in (datasets, optimizers)}
    yield
    for registry, known in before.items():
        for name in set(registry) - known:
            registry.remove(name)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    """Every value that a cell ends with can be shown."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "code":
            value = run_cell("".join(cell["source"]), names, f"<{path.stem}, cell {cell['id']}>")
            assert repr(value)
            shows = [show for show in ("_repr_html_", "_repr_png_") if hasattr(value, show)]
            assert not shows or any(getattr(value, show)() for show in shows)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == FORMAT
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == ["first_run", "own_data", "own_optimizer", "reading_results"]
