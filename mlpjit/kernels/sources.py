"""Hashes of source code that change with its meaning only: syntax trees without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

FOLDER = Path(__file__).parent
# Every run goes through these modules; a change in one makes all stored runs old.
RUN_MODULES = (
    "layout", "simd", "state_arrays", "tiles", "blocks", "matmul", "elementary", "polynomials", "random",
    "losses/records", "losses/softmax", "normalization", "linear_algebra", "passes", "evaluation", "steps", "outcomes",
    "training", "mapping", "optimizers/stages",
)  # fmt: skip


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            body[0] = ast.Pass()
    return tree


def tree_hash(source: str) -> str:
    """Return the SHA-256 of a source text's syntax tree, comments, docstrings and layout left out."""
    tree = _without_docstrings(ast.parse(textwrap.dedent(source)))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def module_hash(path: Path) -> str:
    """Return the tree hash of one module file."""
    return tree_hash(path.read_text(encoding="utf-8"))


@cache
def all_kernels_hash() -> str:
    """Return one hash over every module of `mlpjit.kernels`: what the compile cache depends on."""
    parts = [f"{p.relative_to(FOLDER)} {module_hash(p)}" for p in sorted(FOLDER.rglob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def run_modules_hash() -> str:
    """Return one hash over the modules that every training run goes through."""
    parts = [f"{name} {module_hash(FOLDER / f'{name}.py')}" for name in RUN_MODULES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def referenced_names(code: CodeType) -> set[str]:
    """Return the global names that a code object and the code objects inside it mention."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= referenced_names(constant)
    return names


@cache
def function_hash(function: Callable[..., Any]) -> str:
    """Return the hash of a function and of every device function and number that it uses."""
    return hashlib.sha256("\n".join(sorted(_parts(function, set()))).encode()).hexdigest()


def _parts(function: Callable[..., Any], seen: set[str]) -> list[str]:
    label = f"{function.__module__}.{function.__qualname__}"
    if label in seen:
        return []
    seen.add(label)
    parts = [f"{label} {tree_hash(inspect.getsource(function))}"]
    for name in sorted(referenced_names(function.__code__)):
        value: Any = function.__globals__.get(name)
        if hasattr(value, "device_dtype"):
            parts += _parts(value, seen)
        elif isinstance(value, int | float):
            parts.append(f"{label} {name} {value!r}")
    return parts
