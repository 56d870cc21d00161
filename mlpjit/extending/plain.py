"""What schedules and initializers of a user's own are checked for: numbers, of the right sign and shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpjit.catalogue.initialization.draws import Draw
from mlpjit.catalogue.initialization.records import Initializer
from mlpjit.extending.checking import Passed, refuse
from mlpjit.extending.findings import RuleError, returning, told
from mlpjit.kernels.functions import Finding
from mlpjit.kernels.language import Function
from mlpjit.kernels.rates import Schedule, loop, settings

if TYPE_CHECKING:
    import numpy as np

TOTALS = (1, 7, 400)  # steps of a run
SHAPES = ((7, 3), (5, 5), (1, 4))
NUMBERS = "biuf"  # kinds of dtypes that become real numbers as they are


def check_schedule(record: Schedule, rule: Function) -> Passed:
    """Raise RuleError where a schedule cannot be compiled, or gives a factor that is negative or no number."""
    import numpy as np

    from mlpjit.kernels.compiler import inspection

    made = inspection.returned(rule, "float64", ["int64", "int64", *["float64"] * (len(record.defaults) - 1)])
    if isinstance(made, Finding):
        raise RuleError(told(made))
    if len(made) != 1 or made[0] not in ("float64", "int64"):
        raise refuse(rule, f"returns {', '.join(made) or 'nothing'}, need one number", returning(rule))
    highest = 0.0
    for total in TOTALS:
        factors = _factors(record, total)
        wrong = np.flatnonzero(~(np.isfinite(factors) & (factors >= 0.0)))
        if wrong.size:
            place = f"step {wrong[0]} of {total}"
            raise refuse(rule, f"gives {factors[wrong[0]]:g} at {place}, need 0 or more", returning(rule))
        highest = max(highest, float(factors.max()))
    return Passed(1, highest)


def _factors(record: Schedule, total: int) -> np.ndarray:
    """Return the factor of each step of a run without warm-up."""
    import numpy as np

    from mlpjit.kernels.compiler import jit

    kernel, names = loop(record)
    call = jit.load(kernel, "float64", names, record.source_hash().replace(" ", "-")).call
    given, out = np.array([*settings(record, {}), 0.0]), np.empty(total)
    call(0, total, total, 1.0, 0, given.ctypes.data, out.ctypes.data)
    return out


def check_initializer(record: Initializer) -> None:
    """Raise RuleError where an initializer gives a wrong shape, an entry that is no number, or others on every call."""
    import numpy as np

    for layer, (fan_in, fan_out) in enumerate(SHAPES):
        draw = Draw(0, layer, fan_in, fan_out, last=layer == len(SHAPES) - 1)
        made: Any = record.function(draw, **record.defaults)
        parts = made if isinstance(made, tuple) else (made,)
        shapes = [(fan_in, fan_out), (fan_out,)][: len(parts)]
        if len(parts) > 2 or [np.shape(part) for part in parts] != shapes:
            got = " and ".join(str(np.shape(part)) for part in parts)
            need = f"W of {(fan_in, fan_out)}, or W and b of {(fan_out,)}"
            told = f"returns {got} for {fan_in} inputs and {fan_out} outputs, need {need}"
            raise refuse(record.function, told, returning(record.function))
        if wrong := next(filter(None, map(_no_numbers, parts)), ""):
            raise refuse(record.function, wrong, returning(record.function))
        again: Any = record.function(Draw(0, layer, fan_in, fan_out, last=layer == len(SHAPES) - 1), **record.defaults)
        again = again if isinstance(again, tuple) else (again,)
        if len(again) != len(parts) or not all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True)):
            told = "returns other numbers on a second call: take them from draw.normal() or draw.uniform(), by the seed"
            raise refuse(record.function, told, returning(record.function))


def _no_numbers(part: Any) -> str:
    """Return what is wrong with the entries of an array, if anything is."""
    import numpy as np

    values = np.asarray(part)
    if values.dtype.kind not in NUMBERS:
        return f"returns values of type {values.dtype}, need real numbers"
    return "" if np.isfinite(values).all() else "returns NaN or infinity"
