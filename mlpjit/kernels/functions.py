"""Functions in memory: the names they read, and the hash of one with all that it uses, a user's own included."""

from __future__ import annotations

import dis
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

from mlpjit.kernels.language import ByDtype, DtypeConstant, InFloat64, Kernel
from mlpjit.kernels.sources import digest
from mlpjit.kernels.syntax import taken_apart


def referenced_names(code: CodeType) -> set[str]:
    """Return the global names that a code object and the code objects inside it read; attributes are none."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= referenced_names(constant)
    return names


@cache
def function_hash(function: Callable[..., Any]) -> str:
    """Return the hash of a function and of every device function, kernel and number that it uses."""
    return digest(sorted(_parts(function, set())))


def _parts(function: Callable[..., Any], seen: set[str]) -> list[str]:
    label = f"{function.__module__}.{function.__qualname__}"
    if label in seen:
        return []
    seen.add(label)
    source = taken_apart(textwrap.dedent(inspect.getsource(function)))
    # A registry's decorator may say in which dtype a function computes without a word in its own source.
    parts = [" ".join([label, getattr(function, "device_dtype", ""), *(each.text for each in source.statements)])]
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
