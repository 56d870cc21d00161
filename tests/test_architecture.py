"""Boundaries: who may import whom, who may call Numba, who may print, what may not be imported at start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlpjit"
# A room imports from itself and from rooms above it. A module stands with the longest prefix that names it.
ROOMS = [
    ["errors", "limits", "registry"],
    ["kernels"],
    ["initialization", "mean_field", "registries", "datasets", "specs"],
    ["extending", "named_arguments", "optimizer_files"],
    ["network", "compiled", "workspace", "stages", "forward", "parameters"],
    ["identity", "rules", "config", "grid", "studyfile", "signals", "progress", "provenance"],
    ["warm", "result", "readout", "step_values", "dry_run", "run", "model", "stage_calls", "single_step"],
    ["executors", "workers", "outcome", "store"],
    ["selection", "statistics", "estimate", "plan", "study", "sweep", "trial", "export"],
    ["figures", "report"],
    ["measure"],
    ["doctor"],
    ["cli"],
    ["__init__"],
]
PLACE = {name: place for place, room in enumerate(ROOMS) for name in room}
FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]
# Numba's front door is kernels/jit; these write LLVM code and need its types.
GENERATORS = {
    f"kernels/{name}.py"
    for name in ("jit", "llvm", "simd", "sums", "tiles", "blocks", "buffers", "state_arrays", "chains", "inspection")
}


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    """The modules that a file imports anywhere, those for type checkers left out."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | ({f"mlpjit.{a.name}" for a in node.names} if node.module == "mlpjit" else set())
    return found


def test_every_module_has_a_room():
    assert {top(path) for path in FILES} == set(PLACE)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_go_one_way(path):
    own = PLACE[top(path)]
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "mlpjit" and len(parts) > 1 and parts[1] in PLACE:
            assert PLACE[parts[1]] <= own, f"{path.name} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_jit_calls_numba(path):
    name = str(path.relative_to(PACKAGE))
    heavy = {module.split(".")[0] for module in imports(ast.parse(path.read_text()))} & {"numba", "llvmlite"}
    assert not heavy or name in GENERATORS, f"{name} imports {heavy}"
    text = path.read_text()
    assert name == "kernels/jit.py" or ("numba.njit" not in text and "numba.cfunc" not in text)


def test_kernels_have_names_of_their_own():
    """Kernels call each other by a symbol made of the name: of two with one name the wrong one would be called."""
    trees = [ast.parse(path.read_text()) for path in FILES if top(path) == "kernels"]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = [f.name for f in functions if any(isinstance(d, ast.Name) and d.id == "kernel" for d in f.decorator_list)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_the_command_line_prints(path):
    if top(path) != "cli":
        calls = {n.func.id for n in ast.walk(ast.parse(path.read_text())) if _named_call(n)}
        assert "print" not in calls


def _named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


START_UP = {
    "--help": ["numba", "numpy", "pandas", "matplotlib", "pydantic", "rich", "scipy"],
    "list optimizers": ["numba", "pandas", "matplotlib", "scipy"],
    "plan quick": ["numba", "pandas", "matplotlib", "scipy"],
}


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
