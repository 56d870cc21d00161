"""One linked function through Numba: compiled into its checked folder on disk by one process, or loaded from it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba.core.registry import cpu_target

from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler import objects
from mlpjit.kernels.compiler.claims import claimed
from mlpjit.kernels.compiler.pipeline import sparing
from mlpjit.kernels.compiler.target import OPTIONS

# An address, Numba's record of it where it made or loaded it, and whether it came from the cache.
Made = tuple[int, Any, bool]
_refused: list[Path] = []  # the first folder that the disk did not take


@dataclass(frozen=True)
class Wanted:
    """A linked function and its C signature; whether it never raises; whom to tell before it is compiled."""

    function: FunctionType
    signature: Any
    never_raises: bool
    tell: Callable[[], None]


def load_or_compile(wanted: Wanted, folder: Path) -> Made:
    """Load a function from its folder, or compile it; waits where another process is compiling it."""
    found = _load(wanted, folder)
    if found:
        return found
    with claimed(folder):
        # Whoever had the claim before may have published it.
        return _load(wanted, folder) or _make(wanted, folder)


def publish(wanted: Wanted, folder: Path) -> None:
    """Compile a function into its folder, unless it is there or another process is at it."""
    if folder.exists() or _refused:
        return
    with claimed(folder, wait=False) as mine:
        if mine and not folder.exists():
            _make(wanted, folder)


def _load(wanted: Wanted, folder: Path) -> Made | None:
    """Return what lies in a folder; None where that is nothing, or nothing to trust: then it goes."""
    address = objects.load(folder)
    if address is not None:
        return address, None, True
    if not folder.exists():
        return None
    if disk.intact(folder):
        made = _compile(wanted.function, wanted.signature, folder)
        if made.cache_hits:
            return made.address, made, True
    disk.drop(folder)
    return None


def _make(wanted: Wanted, folder: Path) -> Made:
    """Compile into a folder; where the disk takes nothing, now or before, for this process alone."""
    wanted.tell()
    declare()
    with sparing(wanted.never_raises):
        made = _compile_into(wanted, folder) or _compile(wanted.function, wanted.signature, None)
    return made.address, made, False


def _compile_into(wanted: Wanted, folder: Path) -> Any:
    """Compile into a folder and publish it; None where the disk takes nothing."""
    if _refused:
        return None
    try:
        with disk.writing(folder) as written:
            made = _compile(wanted.function, wanted.signature, written)
            _keep_object(made, written)
            return made
    except OSError as error:
        _go_without(folder, error)
        return None


def _keep_object(made: Any, written: Path) -> None:
    """Where a kernel can be loaded without Numba keep its object, and nothing of what Numba wrote."""
    ours = list(written.iterdir())
    if objects.keep(written, made.native_name, made._library._get_compiled_object()):
        for file in ours:
            file.unlink()


def _go_without(folder: Path, error: OSError) -> None:
    """Tell that the cache takes nothing more from this process."""
    _refused.append(folder)
    reason = error.strerror or error
    warnings.warn(f"{folder.parents[1]}: no kernel can be kept here ({reason}): going on without", stacklevel=2)


@cache
def declare() -> None:
    """Load Numba's declarations, but not SciPy, which it would import to see whether there is one: 0.1 s of the start.

    What of Numba needs SciPy asks again when it is used.
    """
    blas = "scipy.linalg.cython_blas"
    absent = blas not in sys.modules
    if absent:
        sys.modules[blas] = None  # type: ignore[assignment]
    try:
        cpu_target.target_context.refresh()
    finally:
        if absent:
            del sys.modules[blas]


def _compile(function: FunctionType, signature: Any, folder: Path | None) -> Any:
    """Compile into, or load from, a folder through Numba's locator hook; without one into memory."""
    declare()
    if folder is None:
        return numba.cfunc(signature, **OPTIONS)(function)
    function.cache_folder = str(folder)  # type: ignore[attr-defined]
    settings: Any = numba.config
    before = settings.CACHE_LOCATOR_CLASSES
    settings.CACHE_LOCATOR_CLASSES = disk.LOCATOR
    try:
        return numba.cfunc(signature, cache=True, **OPTIONS)(function)
    finally:
        settings.CACHE_LOCATOR_CLASSES = before
