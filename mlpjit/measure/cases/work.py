"""A prepared piece of work, and how a compiled kernel becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.language import Kernel, Pointer
from mlpjit.kernels.timing.repeats import repeater
from mlpjit.training.workspace import aligned


@dataclass(frozen=True)
class Work:
    """`run(repeats)` does the work so many times; the rest counts one repeat.

    flop: useful floating-point operations, a fused multiply-add as two; 0 where they are not counted. moved: bytes
    that must be read and written. resident: bytes of all arrays together. roots, divisions: elements that the
    kernel takes a square root of, or divides.
    """

    run: Callable[[int], None]
    flop: float = 0.0
    moved: float = 0.0
    resident: float = 0.0
    roots: float = 0.0
    divisions: float = 0.0


def filled(dtype: str, *shape: int, low: float = -0.5, high: float = 0.5) -> np.ndarray:
    """Return an aligned array of numbers spread evenly over low..high (multiples of the plastic number's inverse)."""
    count = int(np.prod(shape))
    out = aligned(count, dtype)
    out[:] = low + (high - low) * ((np.arange(count) * 0.7548776662466927) % 1.0)
    return out.reshape(shape)


def repeated(made: jit.Compiled, record: Kernel | Pointer, arguments: list[Any], dtype: str) -> Callable[[int], None]:
    """Return run(repeats): the compiled kernel, of this record's signature, called again and again in compiled code.

    Arrays among the arguments are passed by address and kept alive.
    """
    call = jit.load(repeater(record.parameters, record.returns), dtype).call
    passed = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]

    def run(repeats: int, kept: list[Any] = arguments) -> None:
        call(repeats, made.address, *passed)

    return run


def plain(record: Kernel, dtype: str, /, **values: Any) -> Callable[[int], None]:
    """Return run(repeats) of a kernel that needs no rule; `values` are its arguments by name."""
    return repeated(jit.load(record, dtype), record, by_name(record.function, values), dtype)


def by_name(function: Callable[..., Any], values: dict[str, Any]) -> list[Any]:
    """Return the values in the order of the function's parameters."""
    code = function.__code__
    return [values[name] for name in code.co_varnames[: code.co_argcount]]


def size(*arrays: np.ndarray) -> float:
    """Return the bytes of all arrays together."""
    return float(sum(array.nbytes for array in arrays))
