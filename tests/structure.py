"""Who imports whom in the package, read from its files: rooms are folders, made of their children in turn."""

from __future__ import annotations

import ast
from functools import cache
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "mlpjit"
FILES = sorted(PACKAGE.rglob("*.py"))
Parts = tuple[str, ...]  # ("kernels", "run", "steps"): a file, the package itself left out


def parts_of(path: Path) -> Parts:
    """A file as the parts of its name; a package is its `__init__`."""
    return path.relative_to(PACKAGE).with_suffix("").parts


KNOWN = {parts_of(path) for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(tree: ast.AST) -> set[str]:
    """The modules (and `module.name`s) that a file imports anywhere, those for type checkers left out."""
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
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_face(path: Path) -> bool:
    """Whether a file only hands on what others define: an `__init__` of a docstring, imports and `__all__`."""
    body = tree_of(path).body
    rest = [node for node in body if not isinstance(node, ast.ImportFrom) and not _is_docstring(node)]
    return path.name == "__init__.py" and [ast.unparse(node).partition(" = ")[0] for node in rest] == ["__all__"]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@cache
def handed_on(parts: Parts) -> dict[str, str]:
    """The names that a face hands on, and where each comes from; nothing for other files."""
    path = PACKAGE.joinpath(*parts).with_suffix(".py")
    if not is_face(path):
        return {}
    imports = [node for node in tree_of(path).body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}


def file_of(name: str) -> Parts | None:
    """The file of the package that `module` or `module.name` stands in; None for what is not ours.

    A name that comes through a face stands in the file that the face has it from.
    """
    parts = tuple(name.split("."))
    if parts[0] != "mlpjit":
        return None
    for end in range(len(parts), 0, -1):
        for found in (parts[1:end], (*parts[1:end], "__init__")):
            if found in KNOWN:
                source = handed_on(found).get(parts[end]) if end < len(parts) else None
                return file_of(source) if source else found
    return None


@cache
def imports_of(path: Path) -> frozenset[Parts]:
    """The files of the package that a file imports."""
    found = {file_of(name) for name in imported_modules(tree_of(path))}
    return frozenset(parts for parts in found if parts and parts != parts_of(path))


def folders() -> list[Parts]:
    """Every folder of the package that holds Python files, the package itself first: ()."""
    return sorted({parts[:-1] for parts in KNOWN})


def arrows(folder: Parts) -> dict[str, dict[str, str]]:
    """Among the children of a folder: who imports whom, with one example of an importing file."""
    depth, found = len(folder), {}
    for path in FILES:
        own = parts_of(path)
        if own[:depth] != folder:
            continue
        mine = found.setdefault(own[depth], {})
        for other in imports_of(path):
            if other[:depth] == folder and other[depth] != own[depth]:
                mine.setdefault(other[depth], f"{'/'.join(own)} imports {'/'.join(other)}")
    return found


def circle(folder: Parts) -> list[str]:
    """One circle of imports among the children of a folder, as the imports it is made of; empty where there is none."""
    graph, done = arrows(folder), set()

    def search(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            ring = [*trail[trail.index(name) :], name]
            return [graph[a][b] for a, b in pairwise(ring)]
        if name in done:
            return []
        for other in sorted(graph.get(name, {})):
            if found := search(other, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := search(name, []))), [])
