"""What is found when an entry of a user's own is declared: how it is called, what it returns, and its derivative.

The derivative is compared with central differences in float64, on numbers between -6 and 6. What passed is kept on
disk by the hash of the code, so that no file is checked twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlpjit.extending.findings import RuleError, returning, told
from mlpjit.kernels.entries import Activation
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Function, Kernel
from mlpjit.kernels.network.activation_loops import evaluation_loop
from mlpjit.kernels.network.activation_rules import linked_names

if TYPE_CHECKING:
    import numpy as np

    from mlpjit.kernels.compiler.inspection import Finding

STEP = 1e-5  # of the central differences
TOLERANCE = 1e-4  # of the slope, or of 1 where that is smaller
GRID = 193
OFFSET = 0.00731  # no kink is expected there
FAR = (-100.0, -20.0, 20.0, 100.0)  # where only numbers are asked for
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Passed:
    """What a check found out: how many values a rule returns, and the largest slope that it met."""

    values: int
    steepest: float


def refuse(function: Function, problem: str, line: int = 0) -> RuleError:
    """Return the error for what is wrong at a line of a function, 0 for that of its `def`."""
    from mlpjit.kernels.compiler.inspection import Finding

    return RuleError(told(Finding(function, line, problem)))


def check_arguments(function: Function, needed: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Raise RuleError unless a function takes these arguments in this order, the first as it likes to call them."""
    import inspect

    given, free = list(inspect.signature(function).parameters), len(needed) - len(defaults)
    if len(given) != len(needed) or given[free:] != list(needed[free:]):
        raise refuse(function, f"takes {', '.join(given) or 'nothing'}, need {', '.join(needed)}")
    if wrong := [f"{key}={value!r}" for key, value in defaults.items() if type(value) not in (int, float, bool)]:
        raise refuse(function, f"has {', '.join(wrong)}: parameters are numbers")


def checked(function: Function, defaults: Mapping[str, Any], find: Callable[[], Passed]) -> Passed:
    """Return what `find` finds out about a function, from the cache where the same code passed before."""
    from mlpjit.kernels.compiler import cache, jit

    key = f"declared {find.__qualname__} {function_hash(function)} {dict(defaults)} {jit.cache_folder().name}"
    return Passed(**json.loads(cache.remembered(key, lambda: json.dumps(vars(find())))))


def returned(function: Function, arguments: int, most: int, named: str, exact: bool = True) -> int:
    """Return how many values a rule returns, 2 up to `most`; RuleError where they are others, or in another dtype."""
    from mlpjit.kernels.compiler import inspection
    from mlpjit.kernels.compiler.inspection import Finding

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


def check_activation(record: Activation, rule: Function) -> float:
    """Return the largest |df| found; RuleError where df is not the derivative of f, or something is no number."""
    import numpy as np

    grid = np.linspace(-6.0, 6.0, GRID) + OFFSET
    for dtype in DTYPES:
        given = np.concatenate([grid, FAR]).astype(dtype)
        f, df, _ = _evaluated(record, given)
        if (lost := np.flatnonzero(~(np.isfinite(f) & np.isfinite(df)))).size:
            raise refuse(rule, f"writes NaN or infinity at z = {given[lost[0]]:g} in {dtype}", returning(rule))
    f, df, _ = _evaluated(record, grid)
    ends = [_evaluated(record, grid + side)[0] for side in (STEP, -STEP)]
    compare(rule, df, (ends[0] - ends[1]) / (2.0 * STEP), lambda at: f"z = {grid[at]:.4g}", ("f", "df"))
    return float(np.abs(df).max())


def compare(
    rule: Function, stated: np.ndarray, found: np.ndarray, place: Callable[[int], str], names: tuple[str, str]
) -> None:
    """Raise RuleError where a stated derivative is not what differences find, with the place where it is worst."""
    import numpy as np

    off = np.abs(stated - found)
    excess = off / np.maximum(1.0, np.abs(found))
    worst = int(np.argmax(np.where(np.isfinite(excess), excess, 0.0)))
    if excess[worst] > TOLERANCE:
        value, slope = names
        wrong = f"returns a {slope} that is not the derivative of {value}"
        numbers = f"at {place(worst)} it says {stated[worst]:.6g}, central differences say {found[worst]:.6g}"
        raise refuse(rule, f"{wrong}: {numbers} ({off[worst]:.2g} off)", returning(rule))


def _evaluated(record: Activation, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return f, df and d2f of an activation, by its compiled rule."""
    import numpy as np

    from mlpjit.kernels.compiler import jit

    made = Kernel(f"checked_{record.name}", evaluation_loop.function, evaluation_loop.parameters)
    call = jit.load(made, str(z.dtype), linked_names(record), record.source_hash().replace(" ", "-")).call
    f, df, d2f = (np.empty_like(z) for _ in range(3))
    call(z.size, z.ctypes.data, f.ctypes.data, df.ctypes.data, d2f.ctypes.data)
    return f, df, d2f
