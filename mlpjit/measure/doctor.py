"""What a bug report should say: versions, CPU, compile cache, arithmetic, stores. `warnings` says what is wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.host import available_threads, cpu_name, package_versions, vector_bits
from mlpjit.kernels.arithmetic.mapping import compiled, evaluate
from mlpjit.kernels.compiler import cache as disk
from mlpjit.kernels.compiler import jit

SUBNORMAL = 2.0**-140


def collect(results: Path = Path("results")) -> dict[str, Any]:
    """Return everything that `mlpjit doctor` shows, as nested plain values. Compiles or loads one small kernel."""
    found = {
        "versions": package_versions(),
        "cpu": _cpu(),
        "compile_cache": _cache(),
        "arithmetic": _arithmetic(),
        "stores": _stores(results),
    }
    return found | {"warnings": _warnings(found)}


def _cpu() -> dict[str, Any]:
    from mlpjit.kernels.compiler import tiles  # which imports Numba

    triple, name, features = jit.target()
    host = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    return {
        "model": cpu_name(),
        "code_generated_for": name,
        "triple": triple,
        "fused_multiply_add": "fma" in host or "aarch64" in triple if features else "as the named CPU has it",
        "vector_bits": vector_bits(),
        "tile_rows": tiles.tile_rows()[0],
        "threads": available_threads(),
    }


def _cache() -> dict[str, Any]:
    """The folder, and every published kernel checked against its checksums; one kernel is loaded to see a hit."""
    folder = jit.cache_folder()
    published = [entry for entry in folder.glob("*") if entry.is_dir() and not entry.name.startswith(".")]
    damaged = [entry.name for entry in published if not disk.intact(entry)]
    start = time.perf_counter()
    loaded = compiled("exp", "float32")
    return {
        "folder": str(folder),
        "temporary": folder.parent != disk.default_root(),
        "private": not folder.parent.stat().st_mode & 0o077,
        "kernels": len(published),
        "damaged": damaged,
        "bytes": sum(file.stat().st_size for entry in published for file in entry.iterdir()),
        "first_kernel": "from the cache" if loaded.from_cache else "compiled now",
        "first_kernel_seconds": round(time.perf_counter() - start, 3),
    }


def _arithmetic() -> dict[str, Any]:
    """Subnormal numbers must survive in compiled code and in NumPy: another library may have set flush-to-zero."""
    small = np.full(32, SUBNORMAL, np.float32)
    with np.errstate(under="ignore"):
        numpy_keeps = bool(((small * np.float32(0.5)) * np.float32(2.0) == small).all())
    ours = evaluate("exp", np.full(32, -100.0, np.float32))
    return {"flush_to_zero": not (numpy_keeps and bool((ours > 0).all())), "exp(-100)": float(ours[0])}


def _stores(results: Path) -> dict[str, Any]:
    return {str(path.parent): _store(path) for path in sorted(results.glob("*/store.sqlite"))}


def _store(path: Path) -> str:
    from mlpjit.errors import StoreError
    from mlpjit.store import Store

    try:
        with Store.open(path, readonly=True) as store:
            return f"{len(store.known())} runs, {store.check() or 'sound'}"
    except StoreError as error:
        return f"cannot be read: {str(error).removeprefix(f'{path}: ')}"


def _warnings(found: dict[str, Any]) -> list[str]:
    cpu, cache, arithmetic = found["cpu"], found["compile_cache"], found["arithmetic"]
    said = []
    if cpu["fused_multiply_add"] is False:
        said.append("this CPU has no fused multiply-add: results are the same, but slow")
    if cache["temporary"]:
        said.append(f"no private, writable cache at {disk.default_root()}: every process compiles anew")
    if cache["damaged"]:
        said.append(f"{len(cache['damaged'])} damaged kernels in the cache: they are compiled again when needed")
    if arithmetic["flush_to_zero"]:
        said.append("subnormal numbers are flushed to zero: another library has changed the CPU's mode")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        said.append("NUMBA_DISABLE_JIT is set: kernels cannot run")
    said += [f"store {name}: {text}" for name, text in found["stores"].items() if not text.endswith("sound")]
    return said
