"""Functions in memory: the names they read, and the hash of one with all that it uses, a user's own included."""

from __future__ import annotations

import dis
import hashlib
import inspect
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from mlpjit.errors import ConfigError
from mlpjit.kernels.language import WRITTEN, ByDtype, DtypeConstant, InFloat64, Kernel
from mlpjit.kernels.sources import PACKAGE, digest
from mlpjit.kernels.syntax import taken_apart

ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
KNOWN = "numbers, texts, tuples, arrays and functions"


def referenced_names(code: CodeType) -> set[str]:
    """Return the global names that a code object and the code objects inside it read; attributes are none."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= referenced_names(constant)
    return names


@cache
def function_hash(function: Callable[..., Any]) -> str:
    """Return the hash of a function and of every function and value that it uses.

    Raises ConfigError where a user's own function reads something whose value no hash can cover.
    """
    return digest(sorted(_parts(function, set())))


def _parts(function: Callable[..., Any], seen: set[Any]) -> list[str]:
    if function in seen:
        return []
    seen.add(function)
    label = f"{function.__module__}.{function.__qualname__}"
    # A registry's decorator may say in which dtype a function computes without a word in its own source.
    parts = [" ".join([label, getattr(function, "device_dtype", ""), *_text(function)])]
    if is_users(function):
        for name, value in values_read(function):
            parts += _own_value(label, name, value, seen)
        return parts
    for name in sorted(referenced_names(function.__code__)):
        value = function.__globals__.get(name)
        for inner in _functions_in(value):
            parts += _parts(inner, seen)
        if isinstance(value, int | float | tuple | DtypeConstant):
            parts.append(f"{label} {name} {value!r}")
    return parts


def _text(function: Callable[..., Any]) -> list[str]:
    """Return a function's source by its meaning; of a lambda, which may stand anywhere in a statement, its code."""
    if function.__name__ == "<lambda>":
        return [repr(word) for word in _code_words(function.__code__)]
    return [each.text for each in taken_apart(textwrap.dedent(inspect.getsource(function))).statements]


def _code_words(code: CodeType) -> Iterator[Any]:
    yield from (code.co_code, code.co_names, code.co_varnames)
    for constant in code.co_consts:
        yield from _code_words(constant) if isinstance(constant, CodeType) else (constant,)


def _functions_in(value: Any) -> list[Callable[..., Any]]:
    """Return the functions that a global name of kernel code stands for."""
    if isinstance(value, ByDtype):
        return [value.float32, value.float64]
    if isinstance(value, InFloat64 | Kernel):
        return [value.function]
    return [value] if hasattr(value, "device_dtype") else []


def is_users(function: Callable[..., Any]) -> bool:
    """Say whether a function is a user's: neither of this package nor written by it."""
    file = function.__code__.co_filename
    return not (file.startswith(WRITTEN) or Path(file).is_relative_to(PACKAGE))


def values_read(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a function reads beside its arguments: globals, what modules hold, closures, defaults."""
    for path in sorted(set(_paths(function.__code__))):
        if path[0] in function.__globals__:
            yield _followed(function.__globals__[path[0]], path)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    yield from _numbered("default", function.__defaults__ or ())
    yield from sorted((function.__kwdefaults__ or {}).items())


def _numbered(name: str, values: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Yield values with a numbered name."""
    yield from ((f"{name} {number}", value) for number, value in enumerate(values))


def _paths(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the global names that code reads, each with the attributes asked of it: ("helper", "K")."""
    path: tuple[str, ...] = ()
    for each in dis.get_instructions(code):
        if path and each.opname in ATTRIBUTES:
            path = (*path, each.argval)
            continue
        if path:
            yield path
        path = (each.argval,) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME") else ()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _paths(constant)


def _followed(value: Any, path: tuple[str, ...]) -> tuple[str, Any]:
    """Return what a path leads to through modules of the user's own, and its name."""
    name, *rest = path
    while rest and isinstance(value, ModuleType) and not _is_library(value):
        name = f"{name}.{rest[0]}"
        value = getattr(value, rest.pop(0), None)
    return ".".join([name, *rest]), value


def _is_library(module: ModuleType) -> bool:
    top = module.__name__.partition(".")[0]
    if top in (*sys.stdlib_module_names, PACKAGE.name):
        return True
    file = getattr(module, "__file__", None)
    return file is not None and any(Path(file).resolve().is_relative_to(folder) for folder in LIBRARIES)


def _own_value(label: str, name: str, value: Any, seen: set[Any]) -> list[str]:
    """Return the words for a value that a user's function reads."""
    inner = _functions_in(value) or ([value] if isinstance(value, FunctionType) else [])
    compiled = getattr(value, "py_func", None)  # what `numba.njit` made of a function
    if isinstance(compiled, FunctionType):
        return [f"{label} {name} {getattr(value, 'targetoptions', '')!r}", *_parts(compiled, seen)]
    if inner:
        return [part for each in inner for part in _parts(each, seen)]
    return [f"{label} {name} {_told(label, name, value)}"]


def _told(label: str, name: str, value: Any) -> str:
    """Return a value as text that differs where the value does."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | DtypeConstant | np.dtype):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"({', '.join(_told(label, name, each) for each in value)})"
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return f"{value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, ModuleType) and _is_library(value):
        return value.__name__
    if isinstance(value, np.ufunc):
        return f"numpy {value.__name__}"
    called = str(getattr(value, "__module__", None) or type(value).__module__)
    kinds = isinstance(value, type | BuiltinFunctionType) or called.startswith(f"{PACKAGE.name}.")
    if kinds and (called == "builtins" or _is_library(sys.modules[called])):
        return f"{called} {getattr(value, '__qualname__', None) or repr(value)}"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise ConfigError(f"{label.partition('.')[2]}: reads {name}, a {kind}: it may read {KNOWN}, whose values are known")
