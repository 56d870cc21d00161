"""What code is generated for, with which options and under which symbols: known without importing Numba."""

from __future__ import annotations

import os
import sys
from typing import Any

import llvmlite.binding

from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Kernel

OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "fastmath": False, "nogil": True}
# Where one of these says what code is for, and on CPUs whose AVX Numba does not use, Numba is asked.
SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX")
SETTINGS_FILE = ".numba_config.yaml"
WITHOUT_AVX = ("corei7-avx", "core-avx-i", "sandybridge", "ivybridge", "nocona")
# How the process-wide symbols of kernels begin.
PREFIX = "mlpjit_"


def target() -> tuple[str, str, str]:
    """Return (triple, CPU name, features) that code is generated for, NUMBA_CPU_* respected."""
    name = str(llvmlite.binding.get_host_cpu_name())
    told = any(setting in os.environ for setting in SETTINGS) or os.path.exists(SETTINGS_FILE)
    if told or name in WITHOUT_AVX or "numba" in sys.modules:
        return _of_numba()
    try:
        features = llvmlite.binding.get_host_cpu_features().flatten()
    except RuntimeError:  # a CPU that LLVM cannot tell the features of
        features = ""
    return str(llvmlite.binding.get_process_triple()), name, str(features)


def _of_numba() -> tuple[str, str, str]:
    from numba.core.registry import cpu_target

    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return str(triple), str(name), str(features)


def unique(record: Kernel) -> str:
    """Return a kernel's name, with a hash of its code where it is a user's: it may have any name, and change alone."""
    ours = record.function.__module__.startswith("mlpjit.")
    return record.name if ours else f"{record.name}_{function_hash(record.function)[:16]}"


def symbol(record: Kernel, dtype: str) -> str:
    """Return the symbol that other kernels call a kernel by."""
    return f"{PREFIX}{unique(record)}_{dtype}"


def place(record: Kernel, dtype: str) -> str:
    """Return the name of a kernel's folder in the cache, where no names are filled in."""
    return f"{unique(record)}-{dtype}"


def place_of(symbol: str) -> str:
    """Return the name of the folder that the kernel of a symbol lies in."""
    name, _, dtype = symbol.removeprefix(PREFIX).rpartition("_")
    return f"{name}-{dtype}"
