"""From a kernel's function to what Numba compiles: the names it reads replaced by compiled ones, constants rounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import llvmlite.ir
import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from mlpjit.kernels.compiler import blocks, buffers, chains, lane_tiles, simd, state_arrays, sums, tiles  # noqa: F401
from mlpjit.kernels.compiler.columns import Columns
from mlpjit.kernels.compiler.pipeline import DeviceCompiler
from mlpjit.kernels.compiler.target import OPTIONS, symbol
from mlpjit.kernels.functions import referenced_names
from mlpjit.kernels.language import ByDtype, DtypeConstant, InFloat64, Kernel, Pointer, Primitive

# LLVM leaves a long device function as a call, and the loop around it is no vector loop: gelu in float64 took 19 ns.
DEVICE_OPTIONS = {**OPTIONS, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
DTYPES: dict[str, Any] = {"float32": types.float32, "float64": types.float64}
SCALARS = {"float32": np.float32, "float64": np.float64}
# What has a kernel that another calls, and its dtype, compiled or loaded.
Called = Callable[[Kernel, str], None]


def _numba_type(name: str, dtype: str) -> Any:
    real = DTYPES[dtype]
    return {
        "Int": types.int64, "Real": real, "Float64": types.float64, "None": types.void,
        "Reals": types.CPointer(real), "Ints": types.CPointer(types.int64),
        "Float64s": types.CPointer(types.float64), "Bytes": types.CPointer(types.uint8),
    }[name]  # fmt: skip


def signature_of(record: Kernel | Pointer, dtype: str) -> Any:
    """Return a kernel's signature in Numba's types."""
    return _numba_type(record.returns, dtype)(*(_numba_type(p, dtype) for p in record.parameters))


def _call_through(address: Any, record: Kernel | Pointer, dtype: str) -> Callable[..., Any]:
    """Return the code generator of a C call; `address(builder, type, arguments)` gives the callee."""
    returns = _numba_type(record.returns, dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        passed = arguments[-len(record.parameters) :]
        kinds = [a.type for a in passed]
        kind = llvmlite.ir.FunctionType(
            llvmlite.ir.VoidType() if returns == types.void else context.get_value_type(returns), kinds
        )
        result = builder.call(address(builder, kind, arguments), passed)
        return context.get_dummy_value() if returns == types.void else result

    return generate


def _call_by_symbol(record: Kernel, dtype: str) -> Callable[..., Any]:
    """Return an intrinsic that calls another kernel by its process-wide symbol."""

    def callee(builder: Any, kind: Any, arguments: Any) -> Any:
        name = symbol(record, dtype)
        known = builder.module.globals.get(name)
        return known or llvmlite.ir.Function(builder.module, kind, name)

    return _typed_call(signature_of(record, dtype), _call_through(callee, record, dtype))


def _call_by_address(record: Pointer, dtype: str) -> Callable[..., Any]:
    """Return an intrinsic that calls through an address given as its first argument."""

    def callee(builder: Any, kind: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], kind.as_pointer())

    declared = signature_of(record, dtype)
    with_address = declared.return_type(types.int64, *declared.args)
    return _typed_call(with_address, _call_through(callee, record, dtype))


def _typed_call(signature: Any, generate: Callable[..., Any]) -> Callable[..., Any]:
    # An intrinsic cannot take *arguments, so the parameter list is spelt out once for each arity.
    names = ", ".join(f"a{i}" for i in range(len(signature.args)))
    scope: dict[str, Any] = {"signature": signature, "generate": generate}
    exec(f"def typed(typing, {names}):\n    return signature, generate", scope)
    made: Callable[..., Any] = intrinsic(scope["typed"])
    return made


def _rounded(code: CodeType, dtype: str) -> CodeType:
    """Return the code with its float constants rounded to the dtype, as a literal in C would be."""
    scalar = SCALARS[dtype]
    constants = tuple(scalar(c) if type(c) is float else c for c in code.co_consts)
    return code.replace(co_consts=constants)


def _resolve(value: Any, dtype: str, called: Called) -> Any:
    """Return what a global name of kernel code stands for in compiled code."""
    if isinstance(value, Primitive):
        varies = value.name in ("real", "reals")
        return simd.by_dtype(value.name, DTYPES[dtype]) if varies else simd.PRIMITIVES[value.name]
    if isinstance(value, DtypeConstant):
        number = getattr(value, dtype)
        return SCALARS[dtype](number) if type(number) is float else number
    if isinstance(value, InFloat64):
        return device(value.function, "float64", called)
    if isinstance(value, ByDtype):
        return device(getattr(value, dtype), dtype, called)
    if isinstance(value, Kernel):
        called(value, dtype)
        return _call_by_symbol(value, dtype)
    if isinstance(value, Pointer):
        return _call_by_address(value, dtype)
    own = getattr(value, "device_dtype", None)
    if own is not None:
        return device(value, dtype if own == "caller" else own, called)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return Columns(value)
    if isinstance(value, tuple) and all(type(item) is float for item in value):
        return tuple(SCALARS[dtype](item) for item in value)
    return SCALARS[dtype](value) if type(value) is float else value


def link(function: Callable[..., Any], dtype: str, extra: dict[str, Any] | None, called: Called) -> FunctionType:
    """Return the function over resolved globals and constants of the dtype, ready to compile."""
    assert isinstance(function, FunctionType)
    names = {**function.__globals__, **(extra or {})}
    used = {n: _resolve(names[n], dtype, called) for n in referenced_names(function.__code__) if n in names}
    linked = FunctionType(_rounded(function.__code__, dtype), used, function.__name__, function.__defaults__)
    linked.__module__, linked.__qualname__ = function.__module__, f"{function.__qualname__}_{dtype}"
    used["__name__"] = function.__module__
    return linked


@cache
def device(function: Callable[..., Any], dtype: str, called: Called) -> Any:
    """Return a device function as Numba's, to be compiled into those that call it."""
    # A function that only passes arguments on would be a library more, in which all it calls is optimized once again.
    inlined = {"inline": "always"} if getattr(function, "only_passes_on", False) else {}
    return numba.njit(**DEVICE_OPTIONS | inlined, pipeline_class=DeviceCompiler)(link(function, dtype, None, called))
