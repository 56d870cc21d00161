"""What a rule computes for one element, counted by running it on numbers that count.

Only what depends on the element counts: an operation on scalars of a step leaves the loop. A fused multiply-add is two
operations; comparing, selecting, converting and moving bits are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from mlpjit.kernels.entries import Stage
from mlpjit.kernels.functions import referenced_names
from mlpjit.kernels.language import ByDtype, DtypeConstant, InFloat64, Primitive
from mlpjit.training.stage_memory import settings_of


@dataclass(frozen=True)
class Count:
    """Operations of one element."""

    flop: int = 0
    roots: int = 0
    divisions: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.flop + other.flop, self.roots + other.roots, self.divisions + other.divisions)


class Number:
    """A number that remembers what it was made from; it has no value, so no branch can be taken on it."""

    def __init__(self, varies: bool, operation: str = "", given: tuple[Any, ...] = ()) -> None:
        self.varies, self.operation, self.given = varies, operation, given

    def __bool__(self) -> bool:
        raise TypeError("a branch on an element: it cannot be counted")


def _operation(name: str) -> Callable[..., Number]:
    def operate(*given: Any) -> Number:
        return Number(any(isinstance(each, Number) and each.varies for each in given), name, given)

    return operate


COSTS = {
    **dict.fromkeys(("add", "radd", "sub", "rsub", "mul", "rmul"), Count(1)),
    **dict.fromkeys(("truediv", "rtruediv"), Count(1, divisions=1)),
    "fma": Count(2),
    "sqrt": Count(1, roots=1),
}
for _name in (
    "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg", "pos", "abs", "lt", "le", "gt", "ge",
    "eq", "ne", "and", "rand", "or", "ror", "xor", "rxor", "invert", "lshift", "rlshift", "rshift", "rrshift",
):  # fmt: skip
    setattr(Number, f"__{_name}__", _operation(_name))


def _total(results: Iterable[Any]) -> Count:
    """Return the cost of all that the results are made from, each value once: the rest is dead or shared code."""
    places: dict[Any, int] = {}
    total = Count()

    def place(given: Any) -> Any:
        """Return the same number for the same value."""
        nonlocal total
        if not isinstance(given, Number):
            return repr(given)
        if id(given) not in places:
            key = (given.operation, *map(place, given.given)) if given.operation else id(given)
            if key not in places:
                places[key] = len(places)
                total += COSTS.get(given.operation, Count()) if given.varies else Count()
            places[id(given)] = places[key]
        return places[id(given)]

    for result in results:
        place(result)
    return total


def _counting(function: Any, dtype: str) -> Callable[..., Any]:
    """Return the function over globals that count."""
    assert isinstance(function, FunctionType)
    known = function.__globals__
    names = {n: _resolved(known[n], dtype) for n in referenced_names(function.__code__) if n in known}
    return FunctionType(function.__code__, {**known, **names}, function.__name__, function.__defaults__)


def _resolved(value: Any, dtype: str) -> Any:
    if isinstance(value, Primitive):
        return _operation(value.name)
    if isinstance(value, DtypeConstant):
        return getattr(value, dtype)
    if isinstance(value, InFloat64):
        return _counting(value.function, "float64")
    if isinstance(value, ByDtype):
        return _counting(getattr(value, dtype), dtype)
    return _counting(value, dtype) if hasattr(value, "device_dtype") else value


def activation(rule: Callable[..., Any], dtype: str, settings: tuple[float, ...] = ()) -> Count | None:
    """Return what f and df of one element take; None where it cannot be counted."""
    try:
        return _total(_counting(rule, dtype)(Number(True), *settings)[:2])
    except (TypeError, AttributeError):
        return None


def update(record: Stage, dtype: str) -> Count | None:
    """Return what an elementwise optimizer does with one parameter at its defaults; None where it cannot be counted."""
    try:
        _, results = _updated(record, dtype)
    except UNCOUNTED:
        return None
    return _total(results) + Count(1)  # theta - update


def written_states(record: Stage, dtype: str) -> int:
    """Return how many states an optimizer changes: one that its rule returns as it was given is read and not stored."""
    if record.kind != "elementwise":
        return len(record.state)
    try:
        given, results = _updated(record, dtype)
    except UNCOUNTED:
        return len(record.state)
    return sum(not any(made is old for old in given) for made in results[1:])


UNCOUNTED = (TypeError, ValueError, AttributeError, ArithmeticError)


def _updated(record: Stage, dtype: str) -> tuple[list[Number], tuple[Any, ...]]:
    """Return the states that a rule is given, and what it returns."""
    values = _counting(record.scalars, dtype)(10, 1e-3, *settings_of(record, {}))
    arrays = [Number(True) for _ in range(1 + record.uses_params + len(record.state))]
    results = _counting(record.function, dtype)(*arrays, *values)
    return arrays[1 + record.uses_params :], results if isinstance(results, tuple) else (results,)
