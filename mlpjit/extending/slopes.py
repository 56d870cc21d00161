"""Derivatives that a user's own activation or loss states, compared with central differences in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlpjit.extending.checking import DTYPES, refuse
from mlpjit.extending.findings import returning
from mlpjit.kernels.entries import Activation
from mlpjit.kernels.language import Function, Kernel
from mlpjit.kernels.network.activation_loops import evaluation_loop
from mlpjit.kernels.network.activation_rules import linked_names
from mlpjit.kernels.network.loss_rules import Loss, pointwise_values_loop

if TYPE_CHECKING:
    import numpy as np

STEP = 1e-5  # of the central differences
TOLERANCE = 1e-4  # of the slope, or of 1 where that is smaller
GRID = 193
OFFSET = 0.00731  # no kink is expected there
FAR = (-100.0, -20.0, 20.0, 100.0)  # where only numbers are asked for
NEAR = (-20.0, 20.0)  # of a loss, whose value may well grow like an exponential
TARGETS = (-1.3, 0.0, 0.6, 1.0)
CLASSES = (0.0, 1.0)


def check_activation(record: Activation, rule: Function) -> float:
    """Return the largest |df| found; RuleError where df is not the derivative of f, or something is no number."""
    import numpy as np

    grid = _grid()
    for dtype in DTYPES:
        given = np.concatenate([grid, FAR]).astype(dtype)
        f, df, _ = _evaluated(record, given)
        if (lost := np.flatnonzero(~(np.isfinite(f) & np.isfinite(df)))).size:
            raise refuse(rule, f"writes NaN or infinity at z = {given[lost[0]]:g} in {dtype}", returning(rule))
    f, df, _ = _evaluated(record, grid)
    ends = [_evaluated(record, grid + side)[0] for side in (STEP, -STEP)]
    compare(rule, df, (ends[0] - ends[1]) / (2.0 * STEP), _at("z = {:.4g}", grid), ("f", "df"))
    return float(np.abs(df).max())


def _evaluated(record: Activation, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return f, df and d2f of an activation, by its compiled rule."""
    import numpy as np

    from mlpjit.kernels.compiler import jit

    made = Kernel(f"checked_{record.name}", evaluation_loop.function, evaluation_loop.parameters)
    call = jit.load(made, str(z.dtype), linked_names(record), record.source_hash().replace(" ", "-")).call
    f, df, d2f = (np.empty_like(z) for _ in range(3))
    call(z.size, z.ctypes.data, f.ctypes.data, df.ctypes.data, d2f.ctypes.data)
    return f, df, d2f


def check_loss(record: Loss, rule: Function) -> float:
    """Return the largest |gradient| found; RuleError where it is not the value's, or something is no number."""
    import numpy as np

    targets, numbers = CLASSES if record.classes else TARGETS, np.concatenate([_grid(), NEAR])
    for dtype in DTYPES:
        outputs = numbers.astype(dtype)
        for target in targets:
            value, slope = _losses(record, outputs, target)
            if (lost := np.flatnonzero(~(np.isfinite(value) & np.isfinite(slope)))).size:
                place = f"output {outputs[lost[0]]:g} and target {target:g} in {dtype}"
                raise refuse(rule, f"writes NaN or infinity at {place}", returning(rule))
    steepest = 0.0
    for target in targets:
        slope = _losses(record, _grid(), target)[1]
        ends = [_losses(record, _grid() + side, target)[0] for side in (STEP, -STEP)]
        named = _at(f"output {{:.4g}} and target {target:g}", _grid())
        compare(rule, slope, (ends[0] - ends[1]) / (2.0 * STEP), named, ("the value", "gradient"))
        steepest = max(steepest, float(np.abs(slope).max()))
    return steepest


def _losses(record: Loss, outputs: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Return value and gradient of a loss for each output, by its compiled rule."""
    import numpy as np

    from mlpjit.kernels.compiler import jit

    names = {"rule": record.function, "SETTINGS": len(record.defaults)}
    made = Kernel(f"checked_loss_{record.name}", pointwise_values_loop.function, pointwise_values_loop.parameters)
    call = jit.load(made, str(outputs.dtype), names, record.source_hash().replace(" ", "-")).call
    targets, settings = np.full_like(outputs, target), np.array([*record.defaults.values(), 0.0], np.float64)
    value, slope = np.empty(outputs.size), np.empty_like(outputs)
    call(outputs.size, *(each.ctypes.data for each in (outputs, targets, settings, value, slope)))
    return value, slope


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


def _grid() -> np.ndarray:
    """Return the numbers between -6 and 6 at which derivatives are compared."""
    import numpy as np

    return np.linspace(-6.0, 6.0, GRID) + OFFSET


def _at(text: str, grid: np.ndarray) -> Callable[[int], str]:
    """Return what names a place of the grid."""
    return lambda index: text.format(grid[index])
