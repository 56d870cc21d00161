"""How an elementwise optimizer is declared: an update from one gradient entry, its state, and scalars of the step.

Write `name_scalars(step, learning_rate, <defaults in order>)` in float64 and `name(g, *state, *scalars)`, which
returns the update (subtracted from the parameter) and the new state. All else follows.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels.rules import Function, Stage, device, device_float64, select
from mlpjit.registry import Registry

optimizers: Registry[Stage] = Registry("optimizer")


def elementwise(
    scalars: Function, formula: str, citation: str, state: tuple[str, ...] = (), uses_params: bool = False,
    decays: bool = False, initial: dict[str, float | str] | None = None, interleave: int = 1, **defaults: float | bool,
) -> Callable[[Function], Stage]:  # fmt: skip
    """Register an elementwise optimizer; the defaults are its hyperparameters in the order `scalars` takes them.

    What uses_params, decays, initial and interleave mean stands at `Stage`.
    """

    def register(function: Function) -> Stage:
        record = Stage(
            function.__name__, device(function), formula, citation, defaults, (device_float64(scalars),),
            "elementwise", state, 0, scalars, uses_params, decays, initial or {}, interleave=interleave,
        )  # fmt: skip
        return optimizers.register(record)

    return register


@device_float64
def one_minus_power(base, exponent):
    """1 - base^exponent for a whole exponent of at least 1, by repeated squaring: same bits everywhere."""
    result, square, rest = 1.0, base, exponent
    while rest > 0:
        if rest & 1:
            result *= square
        square *= square
        rest >>= 1
    return 1.0 - result


@device
def sign(x):
    """1, -1, or x itself where it is 0 or NaN."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


@device
def larger(x, y):
    """The larger of two numbers; a NaN in x or y is returned."""
    return select((x >= y) | (x != x), x, y)
