"""Counter-based random numbers: Philox 4x32-10, keyed by seed, counted by stream, epoch or layer, and index.

Any number can be had without the ones before it, so a run can begin anywhere and threads share nothing.
Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", SC11.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mlpjit.kernels.arithmetic.elementary import log_float64
from mlpjit.kernels.arithmetic.trigonometric import cos_float64, sin_float64
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Kernel,
    Reals,
    device_float64,
    float64,
    integer,
    kernel,
    load,
    real,
    select,
    sqrt,
    store,
    uint32,
    uint64,
)

if TYPE_CHECKING:
    import numpy as np

# What a number is drawn for. A new use gets a new number; an old one never changes.
STREAMS = {
    "split": 1, "init": 2, "order": 3, "dropout": 4, "optimizer": 5, "noise": 6, "data": 7, "labels": 8,
    "bias": 9, "mask": 10, "redraw": 11,
}  # fmt: skip
ORDER_STREAM = STREAMS["order"]
TWO_PI = 6.283185307179586
UNIT = 1.1102230246251565e-16  # 2^-53
SIGNS = 128  # bits of a block
ITEM = 0xFFFFFFFF  # the bits of an item while a permutation is made


@device_float64
def philox(seed, c0, c1, c2, c3):
    """Return four uint32 from a 64-bit seed and a counter of four uint32."""
    key0, key1 = uint32(uint64(seed)), uint32(uint64(seed) >> uint64(32))
    x0, x1, x2, x3 = uint32(c0), uint32(c1), uint32(c2), uint32(c3)
    for _ in range(10):
        low, high = uint64(0xD2511F53) * uint64(x0), uint64(0xCD9E8D57) * uint64(x2)
        x0, x1 = uint32((high >> uint64(32)) ^ uint64(x1) ^ uint64(key0)), uint32(high)
        x2, x3 = uint32((low >> uint64(32)) ^ uint64(x3) ^ uint64(key1)), uint32(low)
        key0, key1 = uint32(uint64(key0) + uint64(0x9E3779B9)), uint32(uint64(key1) + uint64(0xBB67AE85))
    return x0, x1, x2, x3


@device_float64
def _fraction(high, low):
    """Return a number in (0, 1], a multiple of 2^-53, from 53 of 64 random bits."""
    bits = ((uint64(high) << uint64(32)) | uint64(low)) >> uint64(11)
    return float64(bits + uint64(1)) * UNIT


@device_float64
def uniform_pair(seed, stream, place, block):
    """Return the block's two numbers, uniform on (0, 1]."""
    x0, x1, x2, x3 = philox(seed, block, block >> 32, place, stream)
    return _fraction(x0, x1), _fraction(x2, x3)


@device_float64
def normal_pair(seed, stream, place, block):
    """Return the block's two standard normal numbers (Box & Muller 1958)."""
    u, v = uniform_pair(seed, stream, place, block)
    radius = sqrt(-2.0 * log_float64(u))
    return radius * cos_float64(TWO_PI * v), radius * sin_float64(TWO_PI * v)


@kernel
def uniform_at(seed: Int, stream: Int, place: Int, index: Int) -> Float64:
    """Return the first number of block `index`, uniform on (0, 1]."""
    return uniform_pair(seed, stream, place, index)[0]


@kernel
def normal_at(seed: Int, stream: Int, place: Int, index: Int) -> Float64:
    """Return the first number of block `index`, standard normal."""
    return normal_pair(seed, stream, place, index)[0]


@kernel
def fill_signs(seed: Int, stream: Int, place: Int, count: Int, out: Reals) -> None:
    """out[i] = 1 or -1, each as likely (Rademacher), for i below count: one bit a number."""
    for block in range((count + SIGNS - 1) // SIGNS):
        words = philox(seed, block, block >> 32, place, stream)
        for word in range(4):
            bits, first = integer(words[word]), block * SIGNS + word * 32
            for i in range(first, min(first + 32, count)):
                store(out, i, select(((bits >> (i - first)) & 1) == 1, real(-1.0), real(1.0)))


@kernel
def fill_uniform(seed: Int, stream: Int, place: Int, count: Int, out: Float64s) -> None:
    """out[i] uniform on (0, 1], for i below count."""
    for block in range((count + 1) // 2):
        first, second = uniform_pair(seed, stream, place, block)
        store(out, 2 * block, first)
        if 2 * block + 1 < count:
            store(out, 2 * block + 1, second)


@kernel
def fill_normal(seed: Int, stream: Int, place: Int, count: Int, out: Float64s) -> None:
    """out[i] standard normal, for i below count."""
    for block in range((count + 1) // 2):
        first, second = normal_pair(seed, stream, place, block)
        store(out, 2 * block, first)
        if 2 * block + 1 < count:
            store(out, 2 * block + 1, second)


@kernel
def fill_permutation(seed: Int, stream: Int, place: Int, count: Int, out: Ints) -> None:
    """Out = a permutation of 0..count-1: Fisher & Yates, one 64-bit number a swap.

    All partners j are drawn before the first swap, many at a time, and stand above the 32 bits of the items: count is
    below 2^31.
    """
    for i in range(count):
        x0, x1, _, _ = philox(seed, i, i >> 32, place, stream)
        # floor(u (i + 1)) for u in [0, 1) of 64 bits; the bias is below 2^-32 (count / 2^64 a value).
        top = uint64(i + 1) * uint64(x0) + ((uint64(i + 1) * uint64(x1)) >> uint64(32))
        store(out, i, (integer(top >> uint64(32)) << 32) | i)
    for i in range(count - 1, 0, -1):
        own = load(out, i)
        j = own >> 32
        other = load(out, j)
        store(out, j, (other & ~ITEM) | (own & ITEM))
        store(out, i, other & ITEM)
    if count > 0:
        store(out, 0, load(out, 0) & ITEM)


@cache
def _compiled(record: Kernel) -> Any:
    from mlpjit.kernels.compiler import jit

    return jit.load(record, "float64").call


def signs(seed: int, stream: str, size: int, place: int = 0) -> np.ndarray:
    """Return `size` float64 numbers, each 1 or -1; `place` is a step."""
    return _fill(fill_signs, seed, stream, place, size, "float64")


def _fill(record: Kernel, seed: int, stream: str, place: int, size: int, dtype: str) -> np.ndarray:
    import numpy as np

    out = np.empty(size, dtype)
    _compiled(record)(seed, STREAMS[stream], place, size, out.ctypes.data)
    return out


def uniforms(seed: int, stream: str, size: int, place: int = 0) -> np.ndarray:
    """Return `size` float64 numbers, uniform on (0, 1]; `place` is an epoch or a layer."""
    return _fill(fill_uniform, seed, stream, place, size, "float64")


def normals(seed: int, stream: str, size: int, place: int = 0) -> np.ndarray:
    """Return `size` float64 numbers, standard normal; `place` is an epoch or a layer."""
    return _fill(fill_normal, seed, stream, place, size, "float64")


def permutation(seed: int, stream: str, size: int, place: int = 0) -> np.ndarray:
    """Return the numbers 0..size-1 as int64 in random order."""
    return _fill(fill_permutation, seed, stream, place, size, "int64")
