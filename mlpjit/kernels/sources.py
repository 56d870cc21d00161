"""Hashes of source code that change with its meaning only: syntax trees without comments and docstrings."""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from mlpjit.kernels.language import ByDtype, DtypeConstant, InFloat64, Kernel

FOLDER = Path(__file__).parent
# Every run goes through these modules; a change in one makes all stored runs old.
RUN_MODULES = (
    "tables", *(f"compiler/{n}" for n in ("llvm", "simd", "sums", "state_arrays", "tiles", "blocks", "buffers", "jit")),
    *(f"arithmetic/{n}" for n in (
        "matmul", "elementary", "polynomials", "random", "matrices", "orthonormal", "matrix_products", "matrix_rows",
        "matrix_factors", "one_row", "mapping", "scalars",
    )),
    *(f"network/{n}" for n in (
        "losses/records", "losses/softmax", "dropout", "residuals", "normalizations/records", "passes",
        "activations/loops",
    )),
    *(f"run/{n}" for n in ("evaluation", "penalties", "steps", "outcomes", "training", "plateau")),
    "optimizers/stages",
)  # fmt: skip
# Runs whose optimizer asks for Hessian-vector products go through these too.
CURVATURE_MODULES = ("network/curvature", "network/pairs", "network/tangents")
# What every run uses of a module that also holds catalogue entries, to which more may be added.
RUN_FUNCTIONS = {"schedules": ("schedule_loop", "_settings", "settings", "loop")}


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
def functions_hash(path: Path, names: tuple[str, ...]) -> str:
    """Return the tree hash of some functions of a module file."""
    text = path.read_text(encoding="utf-8")
    found = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    return tree_hash("\n".join(ast.unparse(found[name]) for name in names))


def all_kernels_bytes() -> str:
    """Return one hash over the bytes of every module of `mlpjit.kernels`."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.py")):
        text = path.read_bytes()
        found.update(f"{path.relative_to(FOLDER)} {len(text)} ".encode() + text)
    return found.hexdigest()


@cache
def all_kernels_hash() -> str:
    """Return one hash over every module of `mlpjit.kernels`: what the compile cache depends on."""
    parts = [f"{p.relative_to(FOLDER)} {module_hash(p)}" for p in sorted(FOLDER.rglob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def run_modules_hash() -> str:
    """Return one hash over the modules that every training run goes through."""
    parts = [f"{name} {module_hash(FOLDER / f'{name}.py')}" for name in RUN_MODULES]
    parts += [f"{name} {functions_hash(FOLDER / f'{name}.py', names)}" for name, names in RUN_FUNCTIONS.items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def curvature_hash() -> str:
    """Return one hash over the modules of Hessian-vector products."""
    return hashlib.sha256("".join(module_hash(FOLDER / f"{n}.py") for n in CURVATURE_MODULES).encode()).hexdigest()


def referenced_names(code: CodeType) -> set[str]:
    """Return the global names that a code object and the code objects inside it read; attributes are none."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= referenced_names(constant)
    return names


def reached(function: Callable[..., Any], found: dict[str, str]) -> None:
    """Add, by name, the sources of a function and of all of the package's functions, classes and numbers that it uses.

    Not those of the kernels, which every run's hash covers; only these may be imported inside a function.
    """
    label = f"{function.__module__}.{function.__qualname__}"
    if label in found:
        return
    found[label] = textwrap.dedent(inspect.getsource(function))
    for name in sorted(referenced_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, int | float | tuple | dict):
            found[f"{label} {name}"] = f"{name} = {value!r}"
        elif _ours(value) and inspect.isfunction(value):
            reached(value, found)
        elif _ours(value) and inspect.isclass(value) and not issubclass(value, Exception):
            found[f"{value.__module__}.{value.__qualname__}"] = textwrap.dedent(inspect.getsource(value))
            for method in filter(inspect.isfunction, vars(value).values()):
                if method.__code__.co_filename == inspect.getsourcefile(value):  # a dataclass makes others of its own
                    reached(method, found)


def _ours(value: Any) -> bool:
    """Say whether something is the package's, outside the kernels."""
    home = getattr(value, "__module__", None) or ""
    return home.startswith("mlpjit.") and not home.startswith("mlpjit.kernels")


def reached_hash(*functions: Callable[..., Any], also: str = "") -> str:
    """Return the hash of what some functions reach, and of a module's text."""
    found: dict[str, str] = {"": also}
    for function in functions:
        reached(function, found)
    return tree_hash("\n".join(found[name] for name in sorted(found)))


@cache
def function_hash(function: Callable[..., Any]) -> str:
    """Return the hash of a function and of every device function, kernel and number that it uses."""
    return hashlib.sha256("\n".join(sorted(_parts(function, set()))).encode()).hexdigest()


def _parts(function: Callable[..., Any], seen: set[str]) -> list[str]:
    label = f"{function.__module__}.{function.__qualname__}"
    if label in seen:
        return []
    seen.add(label)
    # A registry's decorator may say in which dtype a function computes without a word in its own source.
    parts = [f"{label} {getattr(function, 'device_dtype', '')} {tree_hash(inspect.getsource(function))}"]
    for name in sorted(referenced_names(function.__code__)):
        value: Any = function.__globals__.get(name)
        for inner in _functions_in(value):
            parts += _parts(inner, seen)
        if isinstance(value, int | float | tuple | DtypeConstant):
            parts.append(f"{label} {name} {value!r}")
    return parts


def _functions_in(value: Any) -> list[Callable[..., Any]]:
    """Return the functions that a global name of kernel code stands for."""
    if isinstance(value, ByDtype):
        return [value.float32, value.float64]
    if isinstance(value, InFloat64 | Kernel):
        return [value.function]
    return [value] if hasattr(value, "device_dtype") else []
