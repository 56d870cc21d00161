"""Machine code from the cache into memory through LLVM alone: 122 kernels in 0.01 s, and Numba is not imported.

A kernel whose code calls nothing but other kernels, and what every process has, is kept as the object that LLVM made
of it. What it calls is known before LLVM sees it, which ends a process that lacks a symbol.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import llvmlite.binding

from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler import elf
from mlpjit.kernels.compiler.target import PREFIX, place_of

OBJECT = "kernel.o"  # after a line of JSON: the symbol of its entry, and the symbols of what it calls
# What code is generated to call though nobody wrote a call.
EVERYWHERE = {"memcpy", "memmove", "memset"}

_addresses: dict[Path, int] = {}
_engines: list[Any] = []
# The entries in the last engine. Processes number theirs alike: two of one name need an engine each.
_entries: set[str] = set()


def keep(folder: Path, entry: str, code: bytes) -> bool:
    """Write a kernel's object into a folder, if it can be loaded without Numba; say whether."""
    found = elf.symbols(code)
    if found is None:
        return False
    lacking, defined = found
    others = {name for name in lacking if not name.startswith(PREFIX)}
    # A kernel is two functions: Numba's, and the one of C types that calls it.
    if not others <= EVERYWHERE or defined != {entry, entry.removeprefix("cfunc.")}:
        return False
    head = json.dumps({"entry": entry, "calls": sorted(lacking)})
    (folder / OBJECT).write_bytes(head.encode() + b"\n" + code)
    return True


def count() -> int:
    """Return how many kernels were loaded."""
    return len(_addresses)


def load(folder: Path) -> int | None:
    """Return the address of the kernel in a folder, loaded with all that it calls; None where one of them is not there.

    A folder that fails its check goes.
    """
    if folder not in _addresses:
        address = _load(folder)
        if address is None:
            return None
        _addresses[folder] = address
    return _addresses[folder]


def _load(folder: Path) -> int | None:
    found = disk.contents(folder)
    if found is None:
        disk.drop(folder)
    if not found or OBJECT not in found:
        return None
    head, code = found[OBJECT].split(b"\n", 1)
    told = json.loads(head)
    if not _engines:
        _begin_engine()  # without one no symbol of the process itself is found
    if not all(_there(symbol, folder.parent) for symbol in told["calls"]):
        return None
    return _add(told["entry"], code)


def _there(symbol: str, generation: Path) -> bool:
    """Say whether a symbol has an address in this process, or gets one from the cache."""
    if llvmlite.binding.address_of_symbol(symbol):
        return True
    address = load(generation / place_of(symbol)) if symbol.startswith(PREFIX) else None
    if address is not None:
        llvmlite.binding.add_symbol(symbol, address)
    return address is not None


def _add(entry: str, code: bytes) -> int:
    """Have LLVM link an object into this process; return the address of its entry."""
    if not _engines or entry in _entries:
        _begin_engine()
    _entries.add(entry)
    engine = _engines[-1]
    engine.add_object_file(llvmlite.binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(entry))


def _begin_engine() -> None:
    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    machine = llvmlite.binding.Target.from_triple(llvmlite.binding.get_process_triple()).create_target_machine(jit=True)
    _engines.append(llvmlite.binding.create_mcjit_compiler(llvmlite.binding.parse_assembly(""), machine))
    _entries.clear()
