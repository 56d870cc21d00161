"""How fast this machine is beside the one in whose seconds runs are estimated; what its cache of kernels holds.

Two loops of a few milliseconds, on the clock of this thread: other work on the machine does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

from mlpjit.kernels.compiler.cache import default_root

# What the loops take there: a core with AVX-512 at which kernels of wide networks reach 170 GFLOP/s in float32.
TURN_SECONDS, PRODUCT_SECONDS = 25.6e-9, 5.2e-6
TURNS, PRODUCTS, SIZE, TRIES = 20_000, 20, 64, 7


@cache
def python_slowness() -> float:
    """Return how many times longer Python takes here."""

    def loop() -> None:
        total = 0
        for turn in range(TURNS):
            total += turn * turn

    return min(_clocked(loop) for _ in range(TRIES)) / TURNS / TURN_SECONDS


@cache
def kernel_slowness() -> float:
    """Return how many times longer compiled code takes here, by a product of small matrices, without compiling any."""
    a, out = np.ones((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE), np.float32)

    def loop() -> None:
        for _ in range(PRODUCTS):
            np.matmul(a, a, out=out)

    loop()
    return min(_clocked(loop) for _ in range(TRIES)) / PRODUCTS / PRODUCT_SECONDS


def _clocked(loop: Callable[[], None]) -> float:
    start = time.thread_time()
    loop()
    return time.thread_time() - start


def compiled_before(dtype: str) -> bool:
    """Say whether the cache holds a training loop; whether it is of this very version takes Numba to tell."""
    return any(default_root().glob(f"*/train-{dtype}*"))
