"""One linked function through Numba: loaded from its checked folder on disk, or compiled into it, by one process."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba.core.registry import cpu_target

from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler.claims import claimed
from mlpjit.kernels.compiler.pipeline import sparing

OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "fastmath": False, "nogil": True}


_listeners: list[Callable[[], None]] = []
_refused: list[Path] = []  # the first folder that the disk did not take


@contextmanager
def telling(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` before each function that this process compiles, not before what it loads."""
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


def load_or_compile(function: FunctionType, signature: Any, folder: Path) -> Any:
    """Load a function from its folder, or compile it; waits where another process is compiling it."""
    disk.touch(folder.parent)
    found = _load(function, signature, folder)
    if found:
        return found
    with claimed(folder):
        # Whoever had the claim before may have published it.
        return _load(function, signature, folder) or _make(function, signature, folder)


def publish(function: FunctionType, signature: Any, folder: Path) -> None:
    """Compile a function into its folder, unless it is there or another process is at it."""
    if folder.exists() or _refused:
        return
    with claimed(folder, wait=False) as mine:
        if mine and not folder.exists():
            _make(function, signature, folder)


def _load(function: FunctionType, signature: Any, folder: Path) -> Any:
    """Return what lies in a folder; None where that is nothing, or nothing to trust: then it goes."""
    if not folder.exists():
        return None
    if disk.intact(folder):
        made = _compile(function, signature, folder)
        if made.cache_hits:
            return made
    disk.drop(folder)
    return None


def _make(function: FunctionType, signature: Any, folder: Path) -> Any:
    """Compile into a folder; where the disk takes nothing, now or before, for this process alone."""
    for tell in _listeners:
        tell()
    declare()
    with sparing():
        if not _refused:
            try:
                with disk.writing(folder) as written:
                    return _compile(function, signature, written)
            except OSError as error:
                _go_without(folder, error)
        return _compile(function, signature, None)


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
