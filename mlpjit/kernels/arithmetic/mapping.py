"""Elementary functions over arrays, for data generation and for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mlpjit.kernels.arithmetic.elementary import erf, exp, log, log1p, sigmoid, tanh
from mlpjit.kernels.arithmetic.trigonometric import cos, sin
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.language import (
    Function,
    Int,
    Kernel,
    Reals,
    kernel,
    load,
    store,
)

FUNCTIONS: dict[str, Function] = {f.__name__: f for f in (exp, log, log1p, tanh, sigmoid, erf, sin, cos)}


@kernel
def map_loop(count: Int, x: Reals, y: Reals) -> None:
    """y[i] = function(x[i])."""
    for i in range(count):
        store(y, i, function(load(x, i)))  # noqa: F821


@cache
def compiled(name: str, dtype: str) -> Any:
    """Return the compiled loop (count, x, y) of an elementary function."""
    record = Kernel(f"map_{name}", map_loop.function, map_loop.parameters)
    return jit.load(record, dtype, {"function": FUNCTIONS[name]})


def evaluate(name: str, x: np.ndarray) -> np.ndarray:
    """Return f(x) elementwise for f among exp, log, log1p, tanh, sigmoid, erf, sin, cos; float32 or float64 kept."""
    given = np.ascontiguousarray(x)
    out = np.empty_like(given)
    compiled(name, str(given.dtype)).call(given.size, given.ctypes.data, out.ctypes.data)
    return out
