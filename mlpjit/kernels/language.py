"""Plain records of what is to be compiled. Imports no Numba, so listing and planning stay fast.

A kernel is an ordinary Python function over pointers and numbers. `compiler/jit` loads it, or compiles it once per
dtype: `compiler/linking` replaces the names declared here (primitives, device functions, functions that differ by
dtype, other kernels) by compiled ones and rounds float constants to the dtype once.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

Function = Callable[..., Any]
WRITTEN = "<written: "  # how the file of a function made of text is called

# Annotations of kernel parameters. A pointer is an address plus an element type; kernels never own memory.
Int = int  # int64
Real = float  # the dtype of the run: float32 or float64
Float64 = Annotated[float, "double"]  # always double: rates, sums that would underflow in float32
type_names = ("Int", "Real", "Float64", "Reals", "Ints", "Float64s", "Bytes", "None")
Reals = Any  # pointer to numbers of the run's dtype
Ints = Any  # pointer to int64
Float64s = Any  # pointer to float64
Bytes = Any  # pointer to uint8


class _Callable:
    """Something kernel code calls by name and only the compiler can resolve."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{self.name} exists in compiled code only")


@dataclass(frozen=True)
class Primitive(_Callable):
    """One instruction or vector operation; its code generator is `simd.PRIMITIVES[name]`."""

    name: str


@dataclass(frozen=True)
class ByDtype(_Callable):
    """A function with one implementation for float32 and another for float64."""

    name: str
    float32: Function
    float64: Function


@dataclass(frozen=True)
class InFloat64(_Callable):
    """A device function computed in float64 whatever the dtype of its caller."""

    name: str
    function: Function


@dataclass(frozen=True)
class DtypeConstant:
    """A number that differs by dtype, such as the lanes of a vector."""

    name: str
    float32: float
    float64: float

    def __neg__(self) -> DtypeConstant:
        raise TypeError(f"{self.name} depends on the dtype: it has a value in compiled code only")

    def __index__(self) -> int:
        raise TypeError(f"{self.name} depends on the dtype: it has a value in compiled code only")


@dataclass(frozen=True)
class Kernel(_Callable):
    """A compiled entry point with C types. Called from another kernel it is linked by symbol, not inlined."""

    name: str
    function: Function
    parameters: tuple[str, ...]
    returns: str = "None"


@dataclass(frozen=True)
class Pointer(_Callable):
    """A call through an address held in a table: `call_activation(address, ...)`. Has no function of its own."""

    name: str
    parameters: tuple[str, ...]
    returns: str = "None"


def device(function: Function) -> Function:
    """Mark a function that is compiled into its callers, with its float constants in the caller's dtype."""
    function.device_dtype = "caller"  # type: ignore[attr-defined]
    return function


def device_float32(function: Function) -> Function:
    """Mark a function that is compiled into its callers and computes in float32 whatever they do."""
    function.device_dtype = "float32"  # type: ignore[attr-defined]
    return function


def device_float64(function: Function) -> Function:
    """Mark a function that is compiled into its callers and computes in float64 whatever they do."""
    function.device_dtype = "float64"  # type: ignore[attr-defined]
    return function


def written(
    name: str, arguments: Sequence[str], lines: Sequence[str], scope: Mapping[str, Any], module: str
) -> Function:
    """Return a function made of text, with these globals; its source can be read, so that hashes cover it."""
    text = "".join([f"def {name}({', '.join(arguments)}):\n", *(f"    {line}\n" for line in lines)])
    told = "; ".join(lines)
    # The cache names files by it, which have names of 255 characters at most.
    file = f"{WRITTEN}{name}: {told if len(lines) == 1 else hashlib.sha256(told.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    names: dict[str, Any] = {"__name__": module, **scope}
    exec(compile(text, file, "exec"), names)
    made: Function = names[name]
    return made


def _signature(function: Function) -> tuple[tuple[str, ...], str]:
    types = {name: getattr(kind, "__name__", str(kind)) for name, kind in function.__annotations__.items()}
    returns = types.pop("return", "None")
    unknown = [t for t in (*types.values(), returns) if t not in type_names]
    if unknown:
        told = f"{', '.join(unknown)} is no type of a kernel's argument"
        need = f"need {', '.join(type_names)}, under `from __future__ import annotations`"
        raise TypeError(f"{function.__name__}: {told}: {need}")
    return tuple(types.values()), returns


def kernel(function: Function) -> Kernel:
    """Declare a compiled entry point. Its annotations, as strings, are its C signature."""
    parameters, returns = _signature(function)
    return Kernel(function.__name__, function, parameters, returns)


def pointer(function: Function) -> Pointer:
    """Declare the signature of functions that are called through an address."""
    parameters, returns = _signature(function)
    return Pointer(function.__name__, parameters, returns)


# Names that kernel code may use. `real(x)` converts to the dtype of the run, rounding once.
real = Primitive("real")
float64 = Primitive("float64")
integer = Primitive("integer")
load = Primitive("load")
store = Primitive("store")
offset = Primitive("offset")
fma = Primitive("fma")
sqrt = Primitive("sqrt")
absolute = Primitive("absolute")
copysign = Primitive("copysign")
select = Primitive("select")
to_bits = Primitive("to_bits")
from_bits = Primitive("from_bits")
uint32 = Primitive("uint32")
uint64 = Primitive("uint64")
float32 = Primitive("float32")
dot = Primitive("dot")
plain_dot = Primitive("plain_dot")
summed = Primitive("summed")
# Pointers from a table of addresses: reals(arrays, SLOT) has the dtype of the run.
reals = Primitive("reals")
ints = Primitive("ints")
float64s = Primitive("float64s")
# Integer arithmetic that stays in the width of its first operand (Numba's own would widen to int64).
iadd = Primitive("iadd")
isub = Primitive("isub")
ishl = Primitive("ishl")
iashr = Primitive("iashr")
