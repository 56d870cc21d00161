"""The only caller of Numba: links, compiles, caches and loads kernels.

A kernel becomes a C function (`numba.cfunc`): an address that Python calls through ctypes with the GIL
released, and that other kernels call by symbol or through a table. It is compiled when first asked for.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import blocks, buffers, chains, lane_tiles, simd, state_arrays, sums, tiles  # noqa: F401
from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler.building import OPTIONS, load_or_compile, publish
from mlpjit.kernels.compiler.columns import Columns
from mlpjit.kernels.compiler.pipeline import DeviceCompiler
from mlpjit.kernels.functions import function_hash, referenced_names
from mlpjit.kernels.language import ByDtype, DtypeConstant, InFloat64, Kernel, Pointer, Primitive
from mlpjit.kernels.sources import Code, bytes_hash, digest, texts

# LLVM leaves a long device function as a call, and the loop around it is no vector loop: gelu in float64 took 19 ns.
DEVICE_OPTIONS = {**OPTIONS, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
DTYPES: dict[str, Any] = {"float32": types.float32, "float64": types.float64}
SCALARS = {"float32": np.float32, "float64": np.float64}
# The address of what is never called.
UNCALLED = 1
_lock = threading.RLock()


def _numba_type(name: str, dtype: str) -> Any:
    real = DTYPES[dtype]
    return {
        "Int": types.int64, "Real": real, "Float64": types.float64, "None": types.void,
        "Reals": types.CPointer(real), "Ints": types.CPointer(types.int64),
        "Float64s": types.CPointer(types.float64), "Bytes": types.CPointer(types.uint8),
    }[name]  # fmt: skip


def _c_type(name: str, dtype: str) -> Any:
    real = ctypes.c_float if dtype == "float32" else ctypes.c_double
    scalars = {"Int": ctypes.c_int64, "Real": real, "Float64": ctypes.c_double, "None": None}
    return scalars.get(name, ctypes.c_void_p)


def _signature(record: Kernel | Pointer, dtype: str) -> Any:
    return _numba_type(record.returns, dtype)(*(_numba_type(p, dtype) for p in record.parameters))


@dataclass(frozen=True)
class Compiled:
    """A kernel in memory: its address, a callable that releases the GIL, and what it cost."""

    name: str
    address: int
    call: Callable[..., Any]
    from_cache: bool
    seconds: float
    cfunc: Any


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


def _unique(record: Kernel) -> str:
    """Return a kernel's name, with a hash of its code where it is a user's: it may have any name, and change alone."""
    ours = record.function.__module__.startswith("mlpjit.")
    return record.name if ours else f"{record.name}_{function_hash(record.function)[:16]}"


def _symbol(record: Kernel, dtype: str) -> str:
    return f"mlpjit_{_unique(record)}_{dtype}"


def _call_by_symbol(record: Kernel, dtype: str) -> Callable[..., Any]:
    """Return an intrinsic that calls another kernel by its process-wide symbol."""

    def callee(builder: Any, kind: Any, arguments: Any) -> Any:
        name = _symbol(record, dtype)
        known = builder.module.globals.get(name)
        return known or llvmlite.ir.Function(builder.module, kind, name)

    return _typed_call(_signature(record, dtype), _call_through(callee, record, dtype))


def _call_by_address(record: Pointer, dtype: str) -> Callable[..., Any]:
    """Return an intrinsic that calls through an address given as its first argument."""

    def callee(builder: Any, kind: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], kind.as_pointer())

    declared = _signature(record, dtype)
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


def _resolve(value: Any, dtype: str) -> Any:
    """Return what a global name of kernel code stands for in compiled code."""
    if isinstance(value, Primitive):
        varies = value.name in ("real", "reals")
        return simd.by_dtype(value.name, DTYPES[dtype]) if varies else simd.PRIMITIVES[value.name]
    if isinstance(value, DtypeConstant):
        number = getattr(value, dtype)
        return SCALARS[dtype](number) if type(number) is float else number
    if isinstance(value, InFloat64):
        return _device(value.function, "float64")
    if isinstance(value, ByDtype):
        return _device(getattr(value, dtype), dtype)
    if isinstance(value, Kernel):
        (load if _promised is None else _promise)(value, dtype)
        return _call_by_symbol(value, dtype)
    if isinstance(value, Pointer):
        return _call_by_address(value, dtype)
    own = getattr(value, "device_dtype", None)
    if own is not None:
        return _device(value, dtype if own == "caller" else own)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return Columns(value)
    if isinstance(value, tuple) and all(type(item) is float for item in value):
        return tuple(SCALARS[dtype](item) for item in value)
    return SCALARS[dtype](value) if type(value) is float else value


def link(function: Callable[..., Any], dtype: str, extra: dict[str, Any] | None = None) -> FunctionType:
    """Return the function over resolved globals and constants of the dtype, ready to compile."""
    assert isinstance(function, FunctionType)
    names = {**function.__globals__, **(extra or {})}
    used = {n: _resolve(names[n], dtype) for n in referenced_names(function.__code__) if n in names}
    linked = FunctionType(_rounded(function.__code__, dtype), used, function.__name__, function.__defaults__)
    linked.__module__, linked.__qualname__ = function.__module__, f"{function.__qualname__}_{dtype}"
    used["__name__"] = function.__module__
    return linked


@cache
def _device(function: Callable[..., Any], dtype: str) -> Any:
    # A function that only passes arguments on would be a library more, in which all it calls is optimized once again.
    inlined = {"inline": "always"} if getattr(function, "only_passes_on", False) else {}
    return numba.njit(**DEVICE_OPTIONS | inlined, pipeline_class=DeviceCompiler)(link(function, dtype))


def target() -> tuple[str, str, str]:
    """Return (triple, CPU name, features) that code is generated for, NUMBA_CPU_* respected."""
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return str(triple), str(name), str(features)


def _sources() -> str:
    """Return the hash of the kernels' meaning; parsing them all takes a tenth of a second, so it is kept on disk."""
    kernels = texts(["kernels"])
    return disk.remembered(
        f"kernels {sys.version_info[:2]} {bytes_hash(kernels)}",
        lambda: digest([*kernels, Code(kernels, frozenset()).shared]),
    )


@cache
def cache_folder() -> Path:
    """Return the folder of everything compiled from these sources, by these versions, for this CPU."""
    parts = (_sources(), numba.__version__, llvmlite.__version__, np.__version__, *target(), repr(OPTIONS))
    return disk.root() / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


_loaded: dict[tuple[Kernel, str, str], Compiled] = {}
# In a process that only publishes: the kernels that those it has published call, in that order.
_promised: list[tuple[Kernel, str]] | None = None


def load(record: Kernel, dtype: str, extra: dict[str, Any] | None = None, key: str = "") -> Compiled:
    """Return a kernel compiled for a dtype, from memory, from disk, or now.

    `extra` gives names that the kernel's module does not define (a rule inside a loop); `key` is then a hash
    of them and goes into the record's place on disk.
    """
    found = _loaded.get((record, dtype, key))
    if found is not None:
        return found
    with _lock:
        if (record, dtype, key) not in _loaded:
            _loaded[record, dtype, key] = (_load if _promised is None else _publish)(record, dtype, extra, key)
        return _loaded[record, dtype, key]


def only_publish() -> None:
    """From now on compile into the cache what `load` asks for, and let others call it: nothing can be called here.

    A kernel then needs no other to be compiled before it, so that processes may share a study's kernels out.
    """
    global _promised
    _promised = []


def publish_promised() -> None:
    """Publish every kernel that those published before call."""
    for record, dtype in _promised or []:  # which grows
        load(record, dtype)


def _promise(record: Kernel, dtype: str) -> None:
    """Note a kernel that another calls, and give its symbol an address, since LLVM ends a process that lacks one."""
    assert _promised is not None
    _promised.append((record, dtype))
    if not llvmlite.binding.address_of_symbol(_symbol(record, dtype)):
        llvmlite.binding.add_symbol(_symbol(record, dtype), UNCALLED)


def _publish(record: Kernel, dtype: str, extra: dict[str, Any] | None, key: str) -> Compiled:
    check_rounding()
    function = link(record.function, dtype, extra)
    publish(function, _signature(record, dtype), _folder(record, dtype, extra or {}, key))
    return Compiled(record.name, UNCALLED, _uncallable, False, 0.0, None)


def _uncallable(*arguments: Any) -> Any:
    raise RuntimeError("this process only publishes kernels")


def on_disk(record: Kernel, dtype: str, extra: dict[str, Any] | None = None, key: str = "") -> bool:
    """Say whether a kernel has been published to the cache."""
    return _folder(record, dtype, extra or {}, key).is_dir()


def published() -> int:
    """Return how many kernels of these sources and this CPU lie in the cache."""
    folder = cache_folder()
    return sum(not name.name.startswith(".") for name in folder.iterdir()) if folder.is_dir() else 0


def _folder(record: Kernel, dtype: str, extra: dict[str, Any], key: str) -> Path:
    """Return a kernel's place: its name, and where names are filled in a hash of the key and of the plain ones."""
    plain = [f"{name}={value!r}" for name, value in sorted(extra.items()) if isinstance(value, int | float | str)]
    filled = hashlib.sha256("\n".join([key, *plain]).encode()).hexdigest()[:24] if key or plain else ""
    return cache_folder() / "-".join(filter(None, (_unique(record), dtype, filled)))


def _load(record: Kernel, dtype: str, extra: dict[str, Any] | None, key: str) -> Compiled:
    check_rounding()  # before constants are worked out that the cache would keep
    start = time.perf_counter()
    folder = _folder(record, dtype, extra or {}, key)
    made = load_or_compile(link(record.function, dtype, extra), _signature(record, dtype), folder)
    llvmlite.binding.add_symbol(_symbol(record, dtype), made.address)
    prototype = ctypes.CFUNCTYPE(_c_type(record.returns, dtype), *(_c_type(p, dtype) for p in record.parameters))
    seconds = time.perf_counter() - start
    return Compiled(record.name, made.address, prototype(made.address), bool(made.cache_hits), seconds, made)


def loaded() -> Iterable[Compiled]:
    """Return every kernel that this process has compiled or loaded so far."""
    return list(_loaded.values())
