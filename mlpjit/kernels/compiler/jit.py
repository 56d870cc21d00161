"""Kernels in memory: loaded from the cache without Numba, or compiled by it, which is imported then only.

A kernel becomes a C function (`numba.cfunc`): an address that Python calls through ctypes with the GIL
released, and that other kernels call by symbol or through a table. It is compiled when first asked for.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite.binding

from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler import objects
from mlpjit.kernels.compiler.target import OPTIONS, place, symbol, target
from mlpjit.kernels.language import Kernel
from mlpjit.kernels.sources import Code, bytes_hash, digest, texts

# Who makes code of the same sources.
MAKERS = ("numba", "llvmlite", "numpy")
# The address of what is never called.
UNCALLED = 1
_lock = threading.RLock()
_listeners: list[Callable[[], None]] = []


def _c_type(name: str, dtype: str) -> Any:
    real = ctypes.c_float if dtype == "float32" else ctypes.c_double
    scalars = {"Int": ctypes.c_int64, "Real": real, "Float64": ctypes.c_double, "None": None}
    return scalars.get(name, ctypes.c_void_p)


@dataclass(frozen=True)
class Compiled:
    """A kernel in memory: its address, a callable that releases the GIL, and what it cost."""

    name: str
    address: int
    call: Callable[..., Any]
    from_cache: bool
    seconds: float
    cfunc: Any


@contextmanager
def telling(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` before each function that this process compiles, not before what it loads."""
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


def link(function: Callable[..., Any], dtype: str, extra: dict[str, Any] | None = None) -> FunctionType:
    """Return the function over resolved globals and constants of the dtype, ready to compile; imports Numba."""
    from mlpjit.kernels.compiler import linking

    return linking.link(function, dtype, extra, _called)


def device(function: Callable[..., Any], dtype: str) -> Any:
    """Return a device function as Numba's, to be compiled into those that call it; imports Numba."""
    from mlpjit.kernels.compiler import linking

    return linking.device(function, dtype, _called)


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
    parts = (_sources(), *map(version, MAKERS), *target(), repr(OPTIONS))
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


def _called(record: Kernel, dtype: str) -> None:
    """Have a kernel that another calls."""
    (load if _promised is None else _promise)(record, dtype)


def _promise(record: Kernel, dtype: str) -> None:
    """Note a kernel that another calls, and give its symbol an address, since LLVM ends a process that lacks one."""
    assert _promised is not None
    _promised.append((record, dtype))
    if not llvmlite.binding.address_of_symbol(symbol(record, dtype)):
        llvmlite.binding.add_symbol(symbol(record, dtype), UNCALLED)


def _publish(record: Kernel, dtype: str, extra: dict[str, Any] | None, key: str) -> Compiled:
    from mlpjit.kernels.compiler import building

    check_rounding()
    building.publish(_wanted(record, dtype, extra), _folder(record, dtype, extra or {}, key))
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
    return cache_folder() / "-".join(filter(None, (place(record, dtype), filled)))


def _ours(record: Kernel, extra: dict[str, Any]) -> bool:
    """Say whether a kernel and all that is filled into it is this package's."""
    values = [record, *(value for value in extra.values() if not isinstance(value, int | float | str))]
    modules = [getattr(getattr(value, "function", value), "__module__", None) for value in values]
    return all(str(module).startswith("mlpjit.") for module in modules)


def _tell() -> None:
    for tell in _listeners:
        tell()


def _load(record: Kernel, dtype: str, extra: dict[str, Any] | None, key: str) -> Compiled:
    check_rounding()  # before constants are worked out that the cache would keep
    start = time.perf_counter()
    folder = _folder(record, dtype, extra or {}, key)
    disk.touch(folder.parent)
    address, cfunc, hit = objects.load(folder), None, True
    if address is None:
        address, cfunc, hit = _compile(record, dtype, extra, folder)
    llvmlite.binding.add_symbol(symbol(record, dtype), address)
    prototype = ctypes.CFUNCTYPE(_c_type(record.returns, dtype), *(_c_type(p, dtype) for p in record.parameters))
    return Compiled(record.name, address, prototype(address), hit, time.perf_counter() - start, cfunc)


def _compile(record: Kernel, dtype: str, extra: dict[str, Any] | None, folder: Path) -> tuple[int, Any, bool]:
    """Return the address of a kernel compiled by Numba, or loaded by it; Numba's record; and whether it was loaded."""
    from mlpjit.kernels.compiler import building

    return building.load_or_compile(_wanted(record, dtype, extra), folder)


def _wanted(record: Kernel, dtype: str, extra: dict[str, Any] | None) -> Any:
    """Return what is to be compiled; what it calls is there then."""
    from mlpjit.kernels.compiler import building, linking

    function = link(record.function, dtype, extra)
    return building.Wanted(function, linking.signature_of(record, dtype), _ours(record, extra or {}), _tell)


def loaded() -> Iterable[Compiled]:
    """Return every kernel that was asked for in this process, compiled or loaded."""
    return list(_loaded.values())


def counted() -> tuple[int, int]:
    """Return how many kernels this process has compiled, and how many loaded, those that others call among them."""
    by_numba = sum(kernel.from_cache and kernel.cfunc is not None for kernel in loaded())
    return sum(not kernel.from_cache for kernel in loaded()), by_numba + objects.count()
