"""What is found when an entry of a user's own is declared: how it is called, and what it returns.

What passed is kept on disk by the hash of the code, so that no file is checked twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.extending.findings import RuleError, definition, returning, told
from mlpjit.extending.words import forbidden, large_arrays
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.functions import Finding, function_hash, own_code
from mlpjit.kernels.language import Function
from mlpjit.kernels.stages.named_arguments import inner

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Passed:
    """What a check found out: how many values a rule returns, and the largest slope that it met."""

    values: int
    steepest: float


def refuse(function: Function, problem: str, line: int = 0) -> RuleError:
    """Return the error for what is wrong at a line of a function, 0 for that of its `def`."""
    return RuleError(told(Finding(function, line, problem)))


def check_words(*functions: Function) -> None:
    """Raise RuleError with the first thing in functions, or in those that they call, that cannot be compiled."""
    for each in sorted(own_code(*functions), key=definition):
        for finding in forbidden(each):
            raise RuleError(told(finding))


def check_arrays(function: Function) -> None:
    """Raise RuleError where a function, or one that it calls, reads an array that compiled code cannot hold."""
    for each in sorted(own_code(function), key=definition):
        for finding in large_arrays(each):
            raise RuleError(told(finding))


def rules_of(record: Stage) -> list[Any]:
    """Return the functions that a user wrote for a stage: those in front of what it asks for, then the rule."""
    looks = [record.look] if record.look else []
    return [*looks, *getattr(record.function, "before", ()), inner(record.function)]


def check_arguments(
    function: Function, needed: Sequence[str], defaults: Mapping[str, Any], numbers: bool = True
) -> None:
    """Raise RuleError unless a function takes these arguments in this order, the first as it likes to call them.

    numbers: whether defaults must be numbers.
    """
    import inspect

    given, free = list(inspect.signature(function).parameters), len(needed) - len(defaults)
    if len(given) != len(needed) or given[free:] != list(needed[free:]):
        raise refuse(function, f"takes {', '.join(given) or 'nothing'}, need {', '.join(needed)}")
    if numbers and (
        wrong := [f"{key}={value!r}" for key, value in defaults.items() if type(value) not in (int, float, bool)]
    ):
        raise refuse(function, f"has {', '.join(wrong)}: parameters are numbers")


def checked(function: Function, defaults: Mapping[str, Any], find: Callable[[], Passed]) -> Passed:
    """Return what `find` finds out about a function, from the cache where the same code passed before."""
    from mlpjit.kernels.compiler import cache, jit

    key = f"declared {find.__qualname__} {function_hash(function)} {dict(defaults)} {jit.cache_folder().name}"
    return Passed(**json.loads(cache.remembered(key, lambda: json.dumps(vars(find())))))


def returned(function: Function, arguments: int, most: int, named: str, exact: bool = True) -> int:
    """Return how many values a rule returns, 2 up to `most`; RuleError where they are others, or in another dtype."""
    from mlpjit.kernels.compiler import inspection

    count = 0
    for dtype in DTYPES:
        found = inspection.returned(function, dtype, [dtype] * arguments)
        if isinstance(found, Finding):
            raise RuleError(told(found))
        count = len(found)
        if not 2 <= count <= most:
            raise refuse(function, f"returns {count or 'nothing'}, need {named}", returning(function))
        if exact and (wrong := [kind for kind in found if kind != dtype]):
            raise refuse(function, f"returns {wrong[0]}, need {dtype}: write 1.0, not 1", returning(function))
        if dtype == "float32" and exact and (first := _first_promotion(function)):
            raise RuleError(told(first))
    return count


def _first_promotion(function: Any) -> Finding | None:
    from mlpjit.kernels.compiler import inspection

    return next(iter(inspection.promotions(function, "float32", everywhere=True)), None)
