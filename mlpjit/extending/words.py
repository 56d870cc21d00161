"""What the functions of a user's own may be written with: what cannot be compiled is told before it is tried.

Each finding says what is there and what to write in its place, in words of the language that rules are written in.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from mlpjit.kernels.functions import Finding, values_read
from mlpjit.registry import suggestion

Function = Callable[..., Any]
Told = Iterator[tuple[int, str]]
NUMBERS = "it works with numbers alone"
KEEP = "keep numbers in variables, what lasts in a state"
ABOVE = "define it at the top of the file"
# What has no place in compiled code: what it is called, and what to do instead.
STATEMENTS: dict[type[ast.AST], tuple[str, str]] = {
    ast.JoinedStr: ("makes a text", NUMBERS),
    ast.Dict: ("makes a dictionary", KEEP), ast.DictComp: ("makes a dictionary", KEEP),
    ast.List: ("makes a list", KEEP), ast.ListComp: ("makes a list", KEEP),
    ast.Set: ("makes a set", KEEP), ast.SetComp: ("makes a set", KEEP),
    ast.GeneratorExp: ("makes a generator", "write a for loop"),
    ast.Yield: ("yields", "return all that there is to return at once"),
    ast.YieldFrom: ("yields", "return all that there is to return at once"),
    ast.Lambda: ("defines a function inside", ABOVE), ast.ClassDef: ("defines a class inside", "use functions alone"),
    ast.Try: ("catches errors", "nothing in it raises any: test with if, or select(condition, a, b)"),
    ast.Raise: ("raises an error", "which compiled code cannot: write NaN, which ends the run"),
    ast.Assert: ("raises an error", "which compiled code cannot: write NaN, which ends the run"),
    ast.With: ("opens a context", "which compiled code cannot"),
    ast.Import: ("imports inside", "import at the top of the file"),
    ast.ImportFrom: ("imports inside", "import at the top of the file"),
    ast.Global: ("changes a global", "which the next step does not see: keep it in a state"),
    ast.Nonlocal: ("changes a variable of another function", "keep it in a state"),
    ast.Delete: ("deletes", "which compiled code need not"), ast.Await: ("awaits", "which compiled code cannot"),
}  # fmt: skip
MOST_BYTES = 10**6  # of an array; of larger ones Numba would compile in where this process has them
BUILTINS = ("range", "min", "max", "int", "float", "bool", "abs", "len", "round")
# What takes the place of functions of NumPy and of math.
OURS = {
    **{name: name for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "sign", "copysign", "fma", "dot")},
    **dict.fromkeys(("abs", "fabs", "absolute"), "absolute"), **dict.fromkeys(("pow", "power"), "power"),
    "maximum": "larger", "fmax": "larger", "where": "select", "matmul": "product", "erf": "erf", "sum": "a for loop",
    **dict.fromkeys(("zeros", "empty", "ones", "zeros_like", "empty_like"), "a state or scratch"),
    **dict.fromkeys(("clip", "minimum", "fmin"), "select"), "linalg": "products and factorizations", "random": "draws",
}  # fmt: skip


def forbidden(function: Function) -> Iterator[Finding]:
    """Yield what a function holds that cannot be compiled, the first line first."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    node = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)), None)
    if isinstance(
        node, ast.FunctionDef
    ):  # a lambda may stand anywhere in a statement: Numba says what is wrong with it
        found = sorted(dict.fromkeys(_found(function, node)), key=lambda each: each[0])
        yield from (Finding(function, first + line - 1, problem) for line, problem in found)
    yield from large_arrays(function)


def large_arrays(function: Function) -> Iterator[Finding]:
    """Yield the arrays that a function reads and compiled code cannot hold."""
    for name, value in values_read(function):
        if isinstance(value, np.ndarray) and (told := _too_much(value)):
            yield Finding(function, 0, f"reads {name}, {told}")


def _too_much(array: np.ndarray) -> str:
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        return "a part of another array: write numpy.ascontiguousarray(...) where it is defined"
    size = f"an array of {array.nbytes / 1e6:.3g} MB"
    return f"{size}: compiled code holds arrays of 1 MB at most" if array.nbytes > MOST_BYTES else ""


def _found(function: Function, node: ast.FunctionDef) -> Told:
    arguments = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
    if node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        yield node.lineno, "takes arguments by * or by name alone: name each, one behind the other"
    yield from _unknown(function, node, arguments)
    if _falls_through(node.body) and any(isinstance(each, ast.Return) and each.value for each in ast.walk(node)):
        yield node.lineno, "returns something on one way and nothing on another: return the same on every way"
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    for statement in body:
        for each in ast.walk(statement):
            yield from _here(function, each, arguments)


def _falls_through(body: Sequence[ast.stmt]) -> bool:
    """Say whether a function may come to the end of these statements without a return."""
    last = body[-1]
    if isinstance(last, ast.If):
        return not last.orelse or _falls_through(last.body) or _falls_through(last.orelse)
    endless = isinstance(last, ast.While) and isinstance(last.test, ast.Constant)
    return not (isinstance(last, ast.Return | ast.Raise) or endless)


def _here(function: Function, node: ast.AST, arguments: set[str]) -> Told:
    line = getattr(node, "lineno", 0)
    if type(node) in STATEMENTS:
        what, instead = STATEMENTS[type(node)]
        yield line, f"{what}: {instead}" if not instead.startswith("which") else f"{what}, {instead}"
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield line, f"defines a function inside: {ABOVE}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes | complex):
        kind = "a complex number" if isinstance(node.value, complex) else "a text"
        yield line, f"holds {kind}: {NUMBERS}"
    elif isinstance(node, ast.For) and isinstance(node.iter, ast.Name) and node.iter.id in arguments:
        yield line, f"goes through {node.iter.id}: write for i in range(...), and load({node.iter.id}, i)"
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in arguments:
        name, store = node.value.id, isinstance(node.ctx, ast.Store)
        yield line, f"takes {name}[...]: write {f'store({name}, i, x)' if store else f'load({name}, i)'}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from _called(function, node.func.id, line)
    elif isinstance(node, ast.Attribute):
        yield from _attribute(function, node, arguments)


def _called(function: Function, name: str, line: int) -> Told:
    if name == function.__name__:
        yield line, "calls itself: write a for or while loop"
    elif name not in function.__globals__ and hasattr(builtins, name) and name not in BUILTINS:
        yield line, f"calls {name}, which compiled code cannot: {_instead(name)}"


def _instead(name: str) -> str:
    """Return what to write in the place of a function of Python's."""
    if name == "print":
        return "take it out; mlpjit.optimizers[...].update(...) calls a rule one step at a time"
    return f"write {OURS[name]}" if name in OURS else f"it may call {', '.join(BUILTINS)} and what mlpjit.extending has"


def _attribute(function: Function, node: ast.Attribute, arguments: set[str]) -> Told:
    """What is asked of a module that is no user's own, or of a number."""
    if not isinstance(node.value, ast.Name):
        return
    name = node.value.id
    module = function.__globals__.get(name)
    if isinstance(module, ModuleType) and module.__name__.partition(".")[0] in ("numpy", "math", "cmath", "scipy"):
        if isinstance(getattr(module, node.attr, None), float):
            return
        instead = OURS.get(node.attr, "")
        told = f"use {instead} of mlpjit.extending" if instead.isidentifier() else f"use {instead}" if instead else ""
        reason = f"{module.__name__} has not the same bits on every machine, or not in compiled code"
        yield node.lineno, f"uses {name}.{node.attr}: {told or 'mlpjit.extending has what rules may call'} ({reason})"
    elif name in arguments:
        yield (
            node.lineno,
            f"asks for {name}.{node.attr}: {name} is a number or a place in memory alone",
        )


def _unknown(function: Function, node: ast.FunctionDef, arguments: set[str]) -> Told:
    """Names that are read and defined nowhere."""
    offered: Sequence[str] = import_module("mlpjit.extending").__all__  # which imports this file
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    inside = {each.id for each in names if isinstance(each.ctx, ast.Store)} | arguments
    inside |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    known: Mapping[str, Any] = function.__globals__
    for each in names:
        value = known.get(each.id)
        if each.id not in inside and isinstance(value, list | dict | set):
            yield each.lineno, f"reads {each.id}, a {type(value).__name__}: write a tuple of numbers, or a NumPy array"
        missing = each.id not in inside and each.id not in known and not hasattr(builtins, each.id)
        if not missing or each.id in function.__code__.co_freevars or each.lineno < node.body[0].lineno:
            continue
        if each.id in offered:
            yield each.lineno, f"uses {each.id}, which is not imported: from mlpjit.extending import {each.id}"
        else:
            near = suggestion(each.id, [*inside, *known, *offered]).partition(" (known")[0]
            told = near or ": a state or hyperparameter is declared in the decorator and stands among the arguments"
            yield each.lineno, f"uses {each.id}, which is not defined{told}"
