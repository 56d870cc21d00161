"""What this machine can do at most: work that measures one core's arithmetic and memory, to stand beside kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.timing import machine_limits
from mlpjit.measure.cases.work import Work, filled, plain, size
from mlpjit.training.shape import ITEM_BYTES, VECTOR

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# Where the machine does not say: first, second and third level, in bytes.
TYPICAL = {"L1": 32 << 10, "L2": 512 << 10, "L3": 16 << 20}
UNITS = {"K": 10, "M": 20, "G": 30}
LARGEST = 256 << 20
TIMES = 1000
# How many arrays a stream has, and how many it reads or writes.
STREAMS = {"triad": (3, 3), "copy": (2, 2), "scale": (1, 2)}
CHUNK = 64  # numbers: four vectors of 16, what a stream moves at once


@dataclass(frozen=True)
class Level:
    """A level of the memory: what fits into it, and the bytes that a stream through it touches."""

    name: str
    holds: float
    stream: int


@cache
def levels() -> tuple[Level, ...]:
    """Return L1, L2, L3 and DRAM. Streams fill half of a cache, and four times the last one."""
    sizes = {**TYPICAL, **_cache_sizes()}
    found = [Level(name, sizes[name], min(sizes[name] // 2, LARGEST // 4)) for name in TYPICAL]
    return (*found, Level("DRAM", float("inf"), min(4 * sizes["L3"], LARGEST)))


def _cache_sizes() -> dict[str, int]:
    """Return the sizes of the data caches that Linux reports."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction" and size[-1:] in UNITS:
            found[f"L{level}"] = int(size[:-1]) << UNITS[size[-1]]
    return found


def level_of(resident: float) -> str:
    """Return the smallest level that holds so many bytes."""
    return next(level.name for level in levels() if resident <= level.holds)


def _chains(name: str, dtype: str, flop: float, kind: str) -> Work:
    """`TIMES` operations in every lane of every chain; x = 1.7 stays near where it is, so nothing overflows."""
    lanes = VECTOR[dtype]
    x = filled(dtype, 64 * lanes, low=1.5, high=1.7)
    count = int(jit.load(machine_limits.chains_at_once, dtype).call(x.ctypes.data)) * lanes * TIMES
    run = plain(getattr(machine_limits, name), dtype, count=TIMES, a=0.5, b=0.75, x=x)
    counted: dict[str, Any] = {kind: float(count)} if kind else {}
    return Work(run, flop * count, **counted)


def arithmetic(name: str, dtype: str) -> Work:
    """Return the work of a unit: "fma", "sqrt" or "div"."""
    kernels = {"fma": ("fused_multiply_add", 2.0, ""), "sqrt": ("square_root", 0.0, "roots"),
               "div": ("division", 0.0, "divisions")}  # fmt: skip
    kernel, flop, kind = kernels[name]
    return _chains(kernel, dtype, flop, kind)


def memory(stream: str, level: Level, dtype: str) -> Work:
    """Return the work of a stream through a level; each of `STREAMS` reads and writes so many arrays."""
    arrays, transfers = STREAMS[stream]
    count = max(1, level.stream // arrays // ITEM_BYTES[dtype] // CHUNK) * CHUNK
    a, *others = (filled(dtype, count) for _ in range(arrays))
    b, c = [*others, a, a][:2]
    run = plain(getattr(machine_limits, stream), dtype, count=count, scale=-1.0, a=a, b=b, c=c)
    return Work(run, 0.0, float(transfers * count * ITEM_BYTES[dtype]), size(a, *others))


@cache
def fastest(level: Level, dtype: str) -> Work:
    """Return the stream that moves most bytes a second through a level: the limit that kernels are held to.

    Which one that is differs: a written line that was not read before must be fetched first, and a core may store less
    a cycle than it loads.
    """
    from mlpjit.measure.clock import Timed

    def rate(work: Work) -> float:
        timed = Timed(work)
        return work.moved / min(timed.sample() for _ in range(5))

    return max((memory(stream, level, dtype) for stream in STREAMS), key=rate)
