"""Boundaries: who may import whom, who may call Numba, who may print, what may not be imported at start-up."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from structure import FILES, PACKAGE, Parts, arrows, circle, folders, handed_on, imported_modules, is_face, tree_of

IDS = [str(path.relative_to(PACKAGE)) for path in FILES]
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMPILER = "kernels/compiler/"
MOST_FILES = {(): 8, ("kernels",): 8}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 50


def picture() -> dict[Parts, list[list[str]]]:
    """The rooms as CONTRIBUTING draws them: for a folder its children, a list for each line, first what is imported.

    A line of the picture holds names, then two spaces or more and what they hold; what lies in a room is indented.
    """
    found: dict[Parts, list[list[str]]] = {(): []}
    block = re.search(r"## The house.*?```\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert block
    room = ""
    for line in block[1].splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].replace("/", "").split(", ")
        folder = (room,) if line.startswith(" ") else ()
        room = room if folder else names[0]
        found.setdefault(folder, []).append(names)
    return found


PICTURE = picture()


@pytest.mark.parametrize("folder", list(PICTURE), ids="/".join)
def test_the_picture_shows_every_room(folder):
    drawn = [name for line in PICTURE[folder] for name in line]
    there = set(arrows(folder)) - {"__init__"}
    assert sorted(drawn) == sorted(there)


@pytest.mark.parametrize("folder", list(PICTURE), ids="/".join)
def test_a_room_imports_from_rooms_above_it(folder):
    place = {name: at for at, line in enumerate(PICTURE[folder]) for name in line}
    wrong = [
        example
        for name, others in arrows(folder).items()
        for other, example in others.items()
        if name in place and other in place and place[other] >= place[name]
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", folders(), ids="/".join)
def test_inside_a_room_nothing_imports_in_circles(folder):
    assert circle(folder) == []


@pytest.mark.parametrize(("folder", "most"), MOST_FILES.items(), ids=["the package", "kernels"])
def test_what_lies_loose_is_little(folder, most):
    assert len(list(PACKAGE.joinpath(*folder).glob("*.py"))) <= most


FACES = ["extending"]


@pytest.mark.parametrize("room", FACES)
def test_a_face_holds_imports_alone(room):
    """So that what is imported through it counts as imported from where it is defined, and from no room below."""
    path = PACKAGE / room / "__init__.py"
    assert is_face(path)
    names = import_module(f"mlpjit.{room}").__all__
    assert sorted(names) == sorted(handed_on((room, "__init__")))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_the_compiler_imports_numba(path):
    heavy = {name.split(".")[0] for name in imported_modules(tree_of(path))} & {"numba", "llvmlite"}
    assert not heavy or str(path.relative_to(PACKAGE)).startswith(COMPILER)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            text = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1 - (len(text.splitlines()) if text else 0)
            assert lines <= MOST_LINES_OF_A_FUNCTION, node.name


def test_kernels_have_names_of_their_own():
    """Kernels call each other by a symbol made of the name: of two with one name the wrong one would be called."""
    kernels = [tree_of(path) for path in FILES if path.is_relative_to(PACKAGE / "kernels")]
    functions = [node for tree in kernels for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = [f.name for f in functions if any(isinstance(d, ast.Name) and d.id == "kernel" for d in f.decorator_list)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_the_command_line_prints(path):
    if not path.is_relative_to(PACKAGE / "cli"):
        calls = {node.func.id for node in ast.walk(tree_of(path)) if _named_call(node)}
        assert "print" not in calls


def _named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


TESTS = Path(__file__).parent
BESIDE = {"data", "facts", "goldens", "oracles"}  # what is tested across rooms, and what tests compare with


def test_tests_mirror_the_rooms():
    rooms = {name.removesuffix(".py") for line in PICTURE[()] for name in line}
    places = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")} - BESIDE
    assert {place for place in places if not place.endswith(".py")} <= rooms


def test_test_files_have_names_of_their_own():
    """Of two with one name, in whichever folders, pytest imports one alone."""
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


START_UP = {
    "--help": ["numba", "numpy", "pandas", "matplotlib", "pydantic", "rich", "scipy", "dask", "distributed"],
    "list optimizers": ["numba", "pandas", "matplotlib", "scipy", "distributed"],
    "plan quick": ["numba", "pandas", "matplotlib", "scipy", "distributed"],
}


def test_what_a_notebook_begins_with_stays_light():
    """Measured: 0.35 s, most of it NumPy and Pydantic; the target is 0.5 s."""
    code = "import sys, mlpjit as mj; mj.RunConfig(), mj.train, mj.Study, mj.optimizers, mj.Dataset, mj.load; "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    heavy = {"numba", "pandas", "matplotlib", "scipy", "jinja2", "typer", "rich"}
    assert sorted(heavy & set(done.stdout.split())) == []


@pytest.mark.parametrize("command", list(START_UP))
def test_start_up_stays_light(command):
    code = (
        f"import sys\nsys.argv = ['mlpjit', *{command.split()!r}]\nfrom mlpjit.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert [name for name in START_UP[command] if name in loaded] == []
