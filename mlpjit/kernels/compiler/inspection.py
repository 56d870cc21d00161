"""What Numba makes of a user's function: whether it can be compiled, what it returns, and where it computes in double.

Everything that is wrong is a `Finding`, with the line it was found at where Numba knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from numba.core import types
from numba.core.analysis import compute_cfg_from_blocks

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.compiler.wording import reworded
from mlpjit.kernels.functions import Finding, referenced_names


def returned(function: Callable[..., Any], dtype: str, arguments: Sequence[str]) -> tuple[str, ...] | Finding:
    """Compile a device function for arguments of these type names; return the names of what it returns.

    Type names are `int64`, `float32`, `float64`, and `*` in front for pointers. Nothing returned is ().
    """
    signature = tuple(_type(name) for name in arguments)
    try:
        made = jit.device(function, dtype)
        made.compile(signature)
    except Exception as error:  # whatever Numba, or a primitive, has to say
        return Finding(function, _line(error, function), reworded(error))
    kind = made.overloads[signature].signature.return_type
    if isinstance(kind, types.NoneType):
        return ()
    kinds: Any = kind if isinstance(kind, types.BaseTuple) else [kind]
    return tuple(str(types.unliteral(each)) for each in kinds)


def _type(name: str) -> Any:
    kind = getattr(types, name.lstrip("*"))
    return types.CPointer(kind) if name.startswith("*") else kind


def promotions(function: FunctionType, dtype: str, everywhere: bool) -> list[Finding]:
    """Return where a compiled function, or one of its module that it calls, turns float32 into double by arithmetic.

    In loops only, unless `everywhere`: a number for each tensor may well be computed in double. A function without a
    loop that the rule calls may stand in one.
    """
    found = []
    for each in _reached(function, []):
        for made in jit.device(each, dtype).overloads.values():
            found += _promotions(each, made.type_annotation, everywhere, each is function)
    return sorted(set(found), key=lambda finding: (finding.line, "1.0" not in finding.problem))  # the cause first


def _reached(function: FunctionType, seen: list[FunctionType]) -> list[FunctionType]:
    """Return a function and those of its own module that are compiled into it."""
    if function not in seen:
        seen.append(function)
        for name in referenced_names(function.__code__):
            value: Any = function.__globals__.get(name)
            if getattr(value, "device_dtype", "") == "caller" and value.__module__ == function.__module__:
                _reached(value, seen)
    return seen


def _promotions(function: FunctionType, typed: Any, everywhere: bool, outermost: bool) -> list[Finding]:
    loops = compute_cfg_from_blocks(typed.blocks).loops().values()
    inside = {label for loop in loops for label in loop.body}
    everywhere = everywhere or not (loops or outermost)
    found = []
    for label, block in typed.blocks.items():
        for statement in block.body if everywhere or label in inside else ():
            if kinds := _promoted(statement, typed.typemap):
                whole = any(isinstance(kind, types.Integer) for kind in kinds)
                cure = "write 1.0 where it says 1" if whole else "convert with real(...)"
                found.append(Finding(function, statement.loc.line, f"computes in double, not float32: {cure}"))
    return found


def _promoted(statement: Any, kinds: Any) -> list[Any]:
    """Return the types of the operands where arithmetic makes float64 of something else."""
    value: Any = getattr(statement, "value", None)
    if getattr(value, "op", "") not in ("binop", "inplace_binop") or kinds[statement.target.name] != types.float64:
        return []
    operands = [types.unliteral(kinds[each.name]) for each in (value.lhs, value.rhs)]
    return [] if operands == [types.float64] * 2 else operands


def _line(error: BaseException, function: Callable[..., Any]) -> int:
    """Return the line that an error of the compiler is about: its own, or that of the frames it came through."""
    code = function.__code__
    places: list[Any] = [getattr(error, "loc", None)]
    trace = error.__traceback__
    while trace is not None:
        names = trace.tb_frame.f_locals
        places += [
            names.get("loc"),
            *(getattr(names.get(name), "loc", None) for name in ("self", "inst", "constraint")),
        ]
        trace = trace.tb_next
    found = [p.line for p in places if getattr(p, "filename", "") == code.co_filename and p.line]
    inner = [line for line in found if line > code.co_firstlineno]
    told = re.findall(r"\((\d+)\)\s*$", str(error).partition("During: typing of")[2].partition("\n")[0])
    return int(told[-1]) if told else (inner or found or [0])[-1]
