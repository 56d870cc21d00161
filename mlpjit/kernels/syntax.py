"""A source file as its top-level statements: what each is called, what it says, and what the names in it stand for."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PACKAGE = "mlpjit"
TELLING = {"formula", "citation"}  # arguments of a decorator that only tell of what it registers
Target = tuple[str, str]  # a module and a name in it, "" for the module itself
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
OWN_SCOPE = FUNCTIONS | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Statement:
    """A top-level statement.

    names: what it defines. text: the hash of its syntax tree, names of the package as they are called where they are
    defined, other imported ones with their module. refers: the (module, name)s of the package that it mentions, those
    of the file itself with the module "".
    """

    names: tuple[str, ...]
    text: str
    refers: tuple[Target, ...]


@dataclass(frozen=True)
class File:
    """A file taken apart: its statements without imports, and what its imports call by which names."""

    statements: tuple[Statement, ...]
    imports: dict[str, list[Target]]


@lru_cache(maxsize=2048)
def taken_apart(text: str) -> File:
    """Return the parts of a source text."""
    tree = ast.parse(text)
    imports: dict[str, list[Target]] = {}
    for node in ast.walk(tree):
        for name, target in _imported(node):
            if target not in imports.setdefault(name, []):
                imports[name].append(target)
    kept = [node for node in _meant(tree.body) if not _is_all(node)]
    return File(tuple(_statement(node, imports) for node in kept), imports)


def _imported(node: ast.AST) -> Iterator[tuple[str, Target]]:
    """Yield each name that an import binds, and what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, (alias.name if alias.asname else top, "")
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, (node.module or "", alias.name)


def _is_all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"


def _meant(body: list[Any]) -> list[Any]:
    """Return the statements of a body that do something: no docstrings, no imports, nothing for type checkers."""
    return [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom) and not _mere_text(node)]


def _mere_text(node: ast.AST) -> bool:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _statement(node: ast.stmt, imports: dict[str, list[Target]]) -> Statement:
    written = _Writer(imports)
    written.add(node)
    text = hashlib.sha256("\n".join(written.words).encode()).hexdigest()
    return Statement(tuple(_names(node)), text, tuple(dict.fromkeys(written.refers)))


def _names(node: ast.stmt) -> list[str]:
    """Return what a statement defines, where it stands inside an `if`, a loop or a `try` too."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    found = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return found + [n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Return the names that are local throughout a function: its parameters, and what its own statements assign."""
    given = function.args
    kinds = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    found = {each.arg for each in kinds if each}
    left: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else [*function.body]
    while left:
        node = left.pop()
        if isinstance(node, OWN_SCOPE):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        left += ast.iter_child_nodes(node)
    return found


class _Writer:
    """Writes a syntax tree as words, and notes which names it mentions that are not local."""

    def __init__(self, imports: dict[str, list[Target]]) -> None:
        self.imports = imports
        self.local: list[set[str]] = []
        self.words: list[str] = []
        self.refers: list[Target] = []

    def add(self, value: Any) -> None:
        if isinstance(value, ast.AST):
            self._add_node(value)
        elif isinstance(value, list):
            self.words.append("[")
            for each in value:
                self.add(each)
            self.words.append("]")
        else:
            self.words.append(repr(value))

    def _add_node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._add_name(node.id)
        elif (meant := self._in_module(node)) is not None:
            self.words.append(meant)
        else:
            self.words.append(type(node).__name__)
            for name, value in ast.iter_fields(node):
                # What is empty is left out: other versions of Python have fields that this one has not.
                if name not in ("ctx", "type_comment", "kind") and value is not None and value != []:
                    self._add_field(node, name, value)
            self.words.append(".")

    def _add_field(self, node: ast.AST, name: str, value: Any) -> None:
        inside = isinstance(node, FUNCTIONS) and name == "body"
        if inside:
            self.local.append(_locals(node))  # type: ignore[arg-type]
        self.words.append(name)
        self.add(self._kept(name, value))
        if inside:
            self.local.pop()

    @staticmethod
    def _kept(name: str, value: Any) -> Any:
        """Return what counts of a field."""
        if name in ("body", "orelse", "finalbody") and isinstance(value, list):
            return _meant(value)
        if name == "decorator_list":
            return [_without_telling(each) for each in value]
        return value

    def _add_name(self, name: str) -> None:
        if any(name in names for names in self.local):
            self.words.append(name)
            return
        targets = self.imports.get(name)
        if targets is None:
            self.refers.append(("", name))
            self.words.append(name)
        for module, attribute in targets or ():
            self.words.append(self._called(module, attribute))

    def _in_module(self, node: ast.AST) -> str | None:
        """Return how `module.name` is called, where the module is one of the package."""
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return None
        for module, attribute in self.imports.get(node.value.id, ()):
            if module.split(".")[0] == PACKAGE:
                self.refers.append((module, attribute))
                return self._called(f"{module}.{attribute}" if attribute else module, node.attr)
        return None

    def _called(self, module: str, name: str) -> str:
        """Return a name of the package as it is called there, any other with its module."""
        if module.split(".")[0] != PACKAGE:
            return f"{module}.{name}"
        self.refers.append((module, name))
        return name


def _without_telling(decorator: ast.expr) -> ast.expr:
    """Return a decorator without the arguments that only tell of what it registers: formula, citation, plain texts."""
    if not isinstance(decorator, ast.Call):
        return decorator
    spoken = [each for each in decorator.args if not _text_alone(each)]
    return ast.Call(decorator.func, spoken, [each for each in decorator.keywords if each.arg not in TELLING])


def _text_alone(node: ast.expr) -> bool:
    """Say whether an expression is a text, or texts joined."""
    if isinstance(node, ast.BinOp):
        return _text_alone(node.left) or _text_alone(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
