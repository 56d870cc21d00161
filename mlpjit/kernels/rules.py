"""Plain records of what is to be compiled. Imports no Numba, so listing and planning stay fast.

A kernel is an ordinary Python function over pointers and numbers. `mlpjit.kernels.jit` compiles it once per
dtype: it replaces the names declared here (primitives, device functions, functions that differ by dtype,
other kernels) by compiled ones and rounds float constants to the dtype once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpjit.limits import HYPERPARAMETERS, Limits

Function = Callable[..., Any]

# Annotations of kernel parameters. A pointer is an address plus an element type; kernels never own memory.
Int = int  # int64
Real = float  # the dtype of the run: float32 or float64
Float64 = float  # always double: rates, sums that would underflow in float32
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


def _signature(function: Function) -> tuple[tuple[str, ...], str]:
    types = {name: str(kind) for name, kind in function.__annotations__.items()}
    returns = types.pop("return", "None")
    unknown = [t for t in (*types.values(), returns) if t not in type_names]
    if unknown:
        raise TypeError(f"{function.__name__}: {unknown} are not kernel types; known: {type_names}")
    return tuple(types.values()), returns


def kernel(function: Function) -> Kernel:
    """Declare a compiled entry point. Its annotations, as strings, are its C signature."""
    parameters, returns = _signature(function)
    return Kernel(function.__name__, function, parameters, returns)


def pointer(function: Function) -> Pointer:
    """Declare the signature of functions that are called through an address."""
    parameters, returns = _signature(function)
    return Pointer(function.__name__, parameters, returns)


@dataclass(frozen=True, eq=False)
class Rule:
    """A catalogue entry: what `mlpjit list` shows, and the functions that are compiled for it."""

    name: str
    function: Function
    formula: str
    citation: str
    defaults: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Function, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict, kw_only=True)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def source_hash(self) -> str:
        """Return the hash of the code of this entry: a run that uses it is new when this changes."""
        from mlpjit.kernels.sources import function_hash

        return " ".join(function_hash(f) for f in (self.function, *self.parts))


@dataclass(frozen=True, eq=False)
class Activation(Rule):
    """(z, *settings) -> (f, df, d2f). `slope_limit` is the largest |df|: below 1 % of it a unit counts as saturated.

    `settings` are the values of its parameters, compiled in; `steepest` gives the slope limit for others.
    `by_parameter`: (z, parameter) -> (df/dp, d2f/dp dz, d2f/dp2); the parameter is then learned, one for each unit,
    which begins at its setting.
    """

    slope_limit: float = 1.0
    settings: tuple[float, ...] = ()
    steepest: Callable[..., float] | None = None
    by_parameter: Function | None = None


@dataclass(frozen=True, eq=False)
class Stage(Rule):
    """A stage of a training step: an optimizer or a clipping rule.

    `kind` names the loop that drives `function` (elementwise, layerwise, joint, whole), `state` the arrays it keeps,
    each as long as the parameters; `extra_gradients` counts gradients beyond the first that one step asks for.
    A state starts at 0 unless `initial` says otherwise: a number, the name of a hyperparameter, or "params".
    `uses_params`: the rule takes theta behind g. `decays`: its last scalar is the decay of the weight matrices.
    Hyperparameters are limited by their names (`HYPERPARAMETERS`) unless `limits` says otherwise.
    `extra` and `extra_scratch` (rows, columns, kind) -> how many numbers it keeps of a tensor, and needs for one in a
    step; `scratch` counts arrays as long as the parameters. `curvature`: it asks for Hessian-vector products. `point`:
    it reports another point than the parameters. `moves`: a wrapper that changes the parameters behind the optimizer.
    `draws`: it draws random numbers; behind its hyperparameters stand the low and the high 32 bits of the seed.
    `factors`: it reads the inputs and deltas of the batch. `samples` names the hyperparameter under which it asks for
    labels drawn from the prediction. `line_search`: it compares losses with the gradient that it is given.
    `interleave`: how many vectors an elementwise loop works on side by side, for rules whose steps wait for each other.
    """

    kind: str = "elementwise"
    state: tuple[str, ...] = ()
    extra_gradients: int = 0
    scalars: Function | None = None
    uses_params: bool = False
    decays: bool = False
    initial: dict[str, float | str] = field(default_factory=dict)
    extra: Callable[[int, int, int], int] | None = None
    extra_scratch: Callable[[int, int, int], int] | None = None
    scratch: int = 0
    curvature: bool = False
    point: bool = False
    moves: bool = False
    draws: bool = False
    factors: bool = False
    samples: str = ""
    line_search: bool = False
    interleave: int = 1

    def __post_init__(self) -> None:
        known = {name: HYPERPARAMETERS[name] for name in self.defaults if name in HYPERPARAMETERS}
        object.__setattr__(self, "limits", {**known, **self.limits})

    @property
    def momentum(self) -> str | None:
        """The hyperparameter that `momentum_schedule` sets, `momentum` or else `b1`; None where there is none.

        An optimizer whose reported point is worked out with it needs the same one throughout.
        """
        return None if self.point else next((name for name in ("momentum", "b1") if name in self.defaults), None)

    def source_hash(self) -> str:
        """Return the hash of the code of this entry, and of Hessian-vector products where it asks for them."""
        from mlpjit.kernels.sources import curvature_hash

        return f"{super().source_hash()} {curvature_hash()}" if self.curvature else super().source_hash()


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
