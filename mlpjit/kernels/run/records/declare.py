"""How a record of a run or a layer is declared: a device function that returns one number, and when it is taken.

    @at_gradient(unit="loss / weight")
    def gradient_norm(size, g):
        '''|dL/dW|.'''
        return sqrt(dot(g, g, size))

Its arguments are named from those that the moment has; `memory` is for a record that keeps numbers of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from mlpjit.kernels.language import Function, device
from mlpjit.registry import Registry, suggestion


@dataclass(frozen=True)
class Moment:
    """When records are taken, and what their functions may take as arguments.

    size: how many numbers W has. g: dL/dW, penalties included, before clipping. w: W as it stands; before: as it stood
    before the update. spare: room for `size` numbers. memory: the record's own, `size` numbers that stay from one
    recorded step to the next. rows, columns: samples and units; values, squares: the sums of a and a^2; peaks,
    saturated: for each unit the largest |df|, and how often |df| was below 1 % of the most there is. Of a run: which
    epoch and step an evaluation stands behind and which step is recorded, the losses and the score, the `count`
    parameters that were evaluated.
    """

    name: str
    when: str
    arguments: tuple[str, ...]


AT_GRADIENT = Moment("at_gradient", "at the gradient of a recorded step", ("size", "g", "w", "spare", "memory"))
AFTER_UPDATE = Moment("after_update", "after the update of a recorded step", ("size", "w", "before", "spare", "memory"))
OVER_UNITS = Moment(
    "over_units", "over the validation set", ("rows", "columns", "values", "squares", "peaks", "saturated")
)
AT_EVALUATION = Moment(
    "at_evaluation", "at an evaluation",
    ("epoch", "step", "recorded", "train_loss", "validation_loss", "validation_score", "count", "params"),
)  # fmt: skip
MOMENTS = (AT_GRADIENT, AFTER_UPDATE, OVER_UNITS)
MEMORIES = ("zeros", "params")


@dataclass(frozen=True, eq=False)
class Record:
    """One number of each evaluation, of a run or of a layer.

    `memory` says what its own numbers begin as, "" where it has none.
    """

    name: str
    function: Function
    unit: str
    moment: Moment
    memory: str

    @property
    def meaning(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What its function takes."""
        return tuple(inspect.signature(self.function).parameters)


layer_records: Registry[Record] = Registry("record of a layer")
run_records: Registry[Record] = Registry("record of a run")
Declared = Callable[[Function], Function]


def at_gradient(unit: str, memory: str = "") -> Declared:
    """Declare a record of a recorded step's gradient, or of W at which it was taken."""
    return lambda function: _register(function, unit, AT_GRADIENT, memory)


def after_update(unit: str, memory: str = "") -> Declared:
    """Declare a record of what a recorded step has made of W."""
    return lambda function: _register(function, unit, AFTER_UPDATE, memory)


def over_units(unit: str) -> Declared:
    """Declare a record of what the units do over the validation set."""
    return lambda function: _register(function, unit, OVER_UNITS, "")


def at_evaluation(unit: str) -> Declared:
    """Declare a record of a run, taken once an evaluation."""
    return lambda function: _register(function, unit, AT_EVALUATION, "")


def _register(function: Function, unit: str, moment: Moment, memory: str) -> Function:
    record = Record(function.__name__, device(function), unit, moment, memory)
    unknown = [name for name in record.arguments if name not in moment.arguments]
    if unknown:
        raise TypeError(f"{record.name} takes {unknown[0]!r}{suggestion(unknown[0], moment.arguments)}")
    if memory not in ("", *MEMORIES):
        raise TypeError(f"{record.name} begins its memory as {memory!r}{suggestion(memory, MEMORIES)}")
    if bool(memory) != ("memory" in record.arguments):
        raise TypeError(f"{record.name}: a memory is declared and taken as an argument, or neither")
    (run_records if moment is AT_EVALUATION else layer_records).register(record)
    return function
