"""Where runs were made: versions, CPU, vector width, commit. Imports no Numba."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import time
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from mlpjit.errors import MlpjitError

# When this process began to read the package: what stands in its files later is not what it runs.
IMPORTED_AT = time.time()
PACKAGES = ("mlpjit", "numba", "llvmlite", "numpy", "pandas", "matplotlib", "pydantic")
# Widest vectors first; what a CPU reports in /proc/cpuinfo.
VECTOR_BITS = {"avx512f": 512, "avx2": 256, "avx": 256, "sse2": 128, "asimd": 128}

# Far below an ulp of 1: sums with it are 1 where they are rounded to the nearest, and in no other mode.
ONE, TINY = 1.0, 2.0**-60


def host(threads: int) -> dict[str, Any]:
    """Return the host columns of a store's sessions."""
    versions = [f"python {platform.python_version()}"]
    versions += [f"{name} {found}" for name, found in package_versions().items()]
    return {
        "host_cpu": os.environ.get("NUMBA_CPU_NAME") or cpu_name(),
        "host_vector_bits": vector_bits(),
        "host_threads": threads,
        "host_system": f"{platform.system()} {platform.machine()}",
        "host_versions": ", ".join(versions),
        "host_commit": commit(),
    }


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that take part, those not installed left out."""
    from importlib.metadata import PackageNotFoundError, version  # 20 ms: it imports `email`

    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """Return the CPU's own name."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def vector_bits() -> int | None:
    """Return the widest vector in bits that the CPU reports, None where it does not say."""
    flags = {flag for line in _cpuinfo() if line.startswith(("flags", "Features")) for flag in line.split()}
    return next((bits for flag, bits in VECTOR_BITS.items() if flag in flags), None)


@cache
def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def commit() -> str | None:
    """Return the git commit of mlpjit's sources, with a + where they were edited; None outside a checkout."""
    folder = Path(__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--", str(folder)) else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()


def available_threads() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory_bytes() -> int | None:
    """Return the memory that this process may still take: of the machine, or of its control group; None if unknown."""
    found = [_free_of_machine(), _free_of_group()]
    return min((free for free in found if free is not None), default=None)


def _free_of_machine() -> int | None:
    """Return what Linux calls available, elsewhere all memory that is built in."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _free_of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what a container's limit leaves; None without one."""
    try:
        limit, used = ((folder / f"memory.{name}").read_text(encoding="utf-8") for name in ("max", "current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # no group, or no limit: "max"
        return None


def check_rounding() -> None:
    """Raise MlpjitError unless this thread rounds to the nearest; it takes 0.1 us.

    A library can set the processor's mode for the whole thread (`fesetround`), and numbers then have other bits.
    """
    if ONE + TINY == ONE == ONE - TINY:
        return
    way = "upward" if ONE + TINY > ONE else "downward" if -ONE - TINY < -ONE else "toward zero"
    raise MlpjitError(f"the processor rounds {way}, which another library has set: need FE_TONEAREST, or bits differ")


def regular_file(name: str | Path) -> Path:
    """Return the path of a file that can be read to its end, ~ expanded; OSError where there is none.

    Opening a pipe waits for who writes it, and /dev/zero has no end.
    """
    try:
        path = Path(name).expanduser()
        mode = path.stat().st_mode
    except (RuntimeError, ValueError) as error:  # no such user; a zero byte
        raise OSError(errno.ENOENT, str(error)) from None
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return path
