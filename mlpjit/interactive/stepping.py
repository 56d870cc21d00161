"""Many steps of an optimizer at once, on many problems: `mj.steps(mj.optimizers["adam"], params, gradient, ...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.specs import asks_curvature, samples_labels
from mlpjit.errors import ConfigError, shown
from mlpjit.interactive.objectives import Linked, Listed, Shape, Slope, broadcast, numbers_of
from mlpjit.interactive.step import EXTRA, Part, tensors_in
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.interactive.stepping import COURSE, OPTIMIZER, WRAPPER, take_steps
from mlpjit.kernels.tables import NONE_AT, STAGE, filled, filled_rows
from mlpjit.training import linking
from mlpjit.training.stage_memory import (
    filled_parts,
    scratch_size,
    settings_of,
    state_size,
    tensor_table,
)
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.interactive.optimizer import Optimizer
    from mlpjit.kernels.entries import Stage


@dataclass(frozen=True)
class Trajectories:
    """What `steps` leaves, one entry for the start and one for every `every` steps; in front the problems, if any.

    step: (entries,), steps taken. params: (..., entries, n). losses: (..., entries) float64, at these parameters, NaN
    where gradients were listed. states: by name (..., entries, size), where they were asked for.
    """

    step: np.ndarray
    params: np.ndarray
    losses: np.ndarray
    states: dict[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Trajectories of shape {self.params.shape}, to step {self.step[-1]}"


def steps(
    optimizer: Optimizer, params: np.ndarray, gradient: Slope | np.ndarray, *, learning_rate: Any,
    steps: int | None = None, every: int = 1, layers: Sequence[Sequence[int]] | None = None,
    bounds: tuple[float, float] | None = None, seed: int = 0, rows: int = 1, states: bool = False, point: bool = False,
) -> Trajectories:  # fmt: skip
    """Take many steps of an optimizer, on one problem or on many, in one compiled call. Releases the GIL.

    The steps are those of `optimizer.update`, to the bit. params: (n,) or (problems, n), float32 or float64, where each
    problem begins. gradient: an array (n,), (steps, n) or (problems, steps, n); a `Quadratic`; an `objective`; a
    network's `objective(x, y)`. learning_rate: a number, (steps,) or (problems, steps). An axis of length 1 stands for
    all problems or steps. steps: how many, unless an array says so. every: between entries of the result. layers, seed:
    as of `Optimizer.init`; all problems draw the same numbers. bounds: (low, high), to which parameters are taken back
    behind each step. rows: samples of the batch, for rules that ask. states: keep those too. point: keep the point to
    report, of rules that have another than the parameters.

    Raises ConfigError where shapes do not fit, and where a rule asks for what is not there: another gradient where they
    are listed, a Hessian-vector product of anything but a quadratic, a layer's inputs and deltas.
    """
    start = numbers_of("params", params, (1, 2))
    if str(start.dtype) not in ("float32", "float64"):
        raise ConfigError(f"params: got {start.dtype}, need float32 or float64")
    slope: Slope = gradient if isinstance(gradient, Slope) else Listed(gradient)
    rates = numbers_of("learning_rate", learning_rate, (0, 1, 2))
    leading = broadcast(
        "params, gradient and learning_rate", (*start.shape[:-1], 1) if start.ndim == 2 else (),
        slope.leading(start.shape[-1]), rates.shape, () if steps is None else (_whole("steps", steps, 0),),
    )  # fmt: skip
    if steps is None and not leading:
        raise ConfigError("steps: say how many, or give an array with an entry for each")
    _check_asked(optimizer, slope)
    problems, count = leading[-2] if len(leading) == 2 else 1, start.shape[-1]
    course = _Course(optimizer, (problems, leading[-1], count), str(start.dtype), layers, _whole("every", every, 1))
    course.place(start, rates, bounds, seed, point)
    course.run(slope.linked(course.dtype, course.shape), rows, states)
    return course.left(len(leading) == 2)


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{name}: got {shown(value)}, need a whole number from {least} up")
    return int(value)


def _check_asked(optimizer: Optimizer, slope: Slope) -> None:
    """Refuse a rule that asks for what is not there."""
    for record, hyperparameters, _ in optimizer.parts():
        if record.factors or samples_labels(record, hyperparameters):
            raise ConfigError(f"{record.name} asks for inputs, deltas or labels of a network: train one")
        if asks_curvature(record, hyperparameters) and not slope.curved:
            raise ConfigError(f"{record.name} asks for Hessian-vector products: need a Quadratic")
        if (record.extra_gradients or record.line_search) and not slope.anywhere:
            raise ConfigError(f"{record.name} asks for gradients elsewhere: those that are listed are of one point")


class _Course:
    """The tables and buffers of one call."""

    def __init__(
        self, optimizer: Optimizer, shape: Shape, dtype: str, layers: Sequence[Sequence[int]] | None, every: int
    ) -> None:
        self.shape, self.dtype, self.every = shape, dtype, every
        self.count = shape[-1]
        self.tensors = tensors_in(layers, self.count)
        self.parts: list[Part] = optimizer.parts()
        self.entries = shape[1] // every + 1

    def place(
        self, start: np.ndarray, rates: np.ndarray, bounds: tuple[float, float] | None, seed: int, point: bool
    ) -> None:
        """Lay out what every problem begins with, and the buffers that they share."""
        problems, steps, count = self.shape
        self.starts = np.ascontiguousarray(np.broadcast_to(start, (problems, count)))
        own = rates.ndim == 2 and rates.shape[0] > 1
        self.rates = np.ascontiguousarray(np.broadcast_to(rates, (problems if own else 1, steps)), np.float64)
        self.bounds = None if bounds is None else np.array(_ordered(bounds), np.float64)
        self.stages = [_Stage(self, part, seed) for part in self.parts]
        with_point = [place for place, stage in enumerate(self.stages) if stage.record.point]
        self.point_stage = with_point[-1] if point and with_point else NONE_AT
        self.kept = np.empty((problems, self.entries, count), self.dtype)
        self.losses = np.empty((problems, self.entries))

    def run(self, slope: Linked, rows: int, states: bool) -> None:
        """Take all steps."""
        for stage in self.stages:
            stage.keep(self.entries if states else 0)
        buffers = {name: aligned(self.count, self.dtype) for name in ("params", "grads", "spare")}
        absent: dict[str, Any] = dict.fromkeys(STAGE._fields, 0) | {"state": buffers["spare"]}
        table = filled_rows(STAGE, [*(stage.row for stage in self.stages), absent][:2])
        first, second = self.stages[OPTIMIZER], self.stages[WRAPPER] if len(self.stages) > WRAPPER else None
        given = {
            "problems": self.shape[0], "steps": self.shape[1], "every": self.every, "parameters": self.count,
            "rows": rows, "tensor_count": len(self.tensors), "gradient": slope.gradient, "curvature": slope.curvature,
            "data": slope.data, "stages": table, "optimizer_size": first.size,
            "wrapper_size": second.size if second else 0, **buffers, "rates": self.rates,
            "rates_apart": self.shape[1] if len(self.rates) > 1 else 0,
            "bounds": 0 if self.bounds is None else self.bounds, "starts": self.starts,
            "optimizer_states": first.states, "wrapper_states": second.states if second else 0,
            "point_stage": self.point_stage, "kept": self.kept, "losses": self.losses,
            "kept_optimizer": first.kept if states else 0, "kept_wrapper": second.kept if second and states else 0,
        }  # fmt: skip
        course = filled(COURSE, given)  # named: it must outlive the call
        jit.load(take_steps, self.dtype).call(course.ctypes.data)

    def left(self, many: bool) -> Trajectories:
        """Return what was kept; of one problem that was given as such without an axis for it."""
        states = {name: array for stage in self.stages for name, array in stage.named().items()}
        found = {"params": self.kept, "losses": self.losses}
        found, states = ({n: a if many else a[0] for n, a in each.items()} for each in (found, states))
        return Trajectories(self.every * np.arange(self.entries), **found, states=states)


class _Stage:
    """An optimizer or its wrapper: its compiled function, its buffers, and the states of all problems."""

    def __init__(self, course: _Course, part: Part, seed: int) -> None:
        self.course, (self.record, hyperparameters, self.prefix) = course, part
        record, dtype, tensors = self.record, course.dtype, course.tensors
        link = linking.wrapper if self.prefix else linking.optimizer
        self.size, self.kept = state_size(record, tensors), np.empty((1, 0, 0), dtype)
        self.states = _begun(record, hyperparameters, course.starts, self.size)
        self.row = {
            "function": link(record.name, dtype).address, "state": aligned(max(1, self.size), dtype),
            "scratch": aligned(scratch_size(record, tensors), dtype),
            "settings": np.array([*settings_of(record, hyperparameters, seed), 0.0]),
            "tensors": tensor_table(record, tensors),
        }  # fmt: skip

    def keep(self, entries: int) -> None:
        """Have room for so many states of each problem."""
        self.kept = np.empty((len(self.states), entries, self.size), self.course.dtype)

    def named(self) -> dict[str, np.ndarray]:
        """Return what was kept by the names of `OptimizerState.values`."""
        if not self.kept.shape[1]:
            return {}
        count, names = self.course.count, list(self.record.state)
        found = {f"{self.prefix}{n}": self.kept[..., i * count : (i + 1) * count] for i, n in enumerate(names)}
        rest = {f"{self.prefix}{EXTRA}": self.kept[..., len(names) * count :]} if self.record.extra else {}
        return found | rest


def _begun(record: Stage, hyperparameters: dict[str, Any], starts: np.ndarray, size: int) -> np.ndarray:
    """Return the state of each problem before its first step, (problems, size)."""
    states, count = np.zeros((len(starts), size), starts.dtype), starts.shape[1]
    for place, given in filled_parts(record, hyperparameters):
        states[:, place * count : (place + 1) * count] = starts if given == "params" else given
    return states


def _ordered(bounds: Any) -> np.ndarray:
    made = np.asarray(bounds)
    if made.shape != (2,) or made.dtype.kind not in "fiu" or not made[0] <= made[1]:
        raise ConfigError(f"bounds: got {shown(bounds)}, need a lowest and a highest number")
    return made
