"""One step of an optimizer and its wrapper outside a run: their buffers, and the phases that ask and are answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpjit.errors import ConfigError, shown
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.stages.stage import (
    AFTER,
    DONE,
    EVALUATE,
    NEED_FACTORS,
    NEED_GRADIENT,
    NEED_HVP,
    NEED_LOSS,
    POINT,
)
from mlpjit.kernels.tables import TENSOR, WEIGHT

if TYPE_CHECKING:
    import numpy as np

    # A gradient; of each weight matrix the inputs (rows, fan_in) and the deltas (rows, fan_out) of the mean loss.
    Factors = tuple[np.ndarray, Sequence[tuple[np.ndarray, np.ndarray]]]

EXTRA = "extra"
# A stage's record, its hyperparameters, and what the names of its states begin with.
Part = tuple[Stage, dict[str, Any], str]


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps: steps taken so far; arrays by name; the shapes of its tensors; the seed of its draws.

    Arrays are as long as the parameters; "extra" is what it keeps of each tensor. A wrapper's names begin with its own:
    "lookahead.slow".
    """

    step: int
    values: dict[str, np.ndarray]
    tensors: list[tuple[int, int, int]] = field(default_factory=list)
    seed: int = 0


@dataclass(frozen=True)
class Oracles:
    """What a stage may ask for, as `Optimizer.update` takes it."""

    gradient: Callable[[np.ndarray], tuple[float, np.ndarray]] | None = None
    curvature: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    factors: Callable[[np.ndarray], Factors] | None = None


class Step:
    """The buffers of one step, and the phases of its stages."""

    def __init__(
        self, parts: Sequence[Part], params: np.ndarray, grads: np.ndarray, state: OptimizerState, rate: float,
        rows: int = 1,
    ) -> None:  # fmt: skip
        from mlpjit.training.stage_memory import parameters
        from mlpjit.training.workspace import aligned

        if parameters(state.tensors) != len(params):
            raise ConfigError(f"state: it is of {parameters(state.tensors)} parameters, params has {len(params)}")
        self.state, self.rate, self.step = state, rate, state.step + 1
        self.rows = rows
        self.dtype, self.tensors = str(params.dtype), state.tensors
        self.params, self.grads = aligned(len(params), self.dtype), aligned(len(params), self.dtype)
        self.params[:], self.grads[:] = params, grads
        self.stages = [_Buffers(self, *part) for part in parts]

    def run(self, loss: float, oracles: Oracles) -> None:
        """The wrapper's first phases, the optimizer's, the wrapper's last."""
        base, *around = self.stages
        for stage, first in [*((s, 0) for s in around), (base, 0), *((s, AFTER) for s in around)]:
            loss = stage.serve(first, loss, oracles)

    def point(self) -> np.ndarray:
        """Return what the stages report."""
        self.step -= 1
        for stage in reversed(self.stages):
            if stage.record.point and stage.call(EVALUATE, float("nan")) == POINT:
                return self.grads
        return self.params

    def values(self) -> dict[str, np.ndarray]:
        """Return all states by name."""
        found: dict[str, np.ndarray] = {}
        for stage in self.stages:
            found |= named(stage.record, stage.state, len(self.params), stage.prefix)
        return found


class _Buffers:
    """One stage of a step: its compiled call, its state and its scratch."""

    def __init__(self, step: Step, record: Stage, hyperparameters: dict[str, Any], prefix: str) -> None:
        import numpy as np

        from mlpjit.training import linking
        from mlpjit.training.stage_memory import scratch_size, settings_of, state_size, tensor_table
        from mlpjit.training.workspace import aligned

        self.step, self.record, self.prefix = step, record, prefix
        self.made = (linking.wrapper if prefix else linking.optimizer)(record.name, step.dtype)
        size = state_size(record, step.tensors)
        self.state = aligned(max(1, size), step.dtype)
        kept = [v for name, v in step.state.values.items() if name.startswith(prefix) and (prefix or "." not in name)]
        self.state[:size] = np.concatenate([*kept, np.empty(0)])
        self.scratch = aligned(scratch_size(record, step.tensors), step.dtype)
        self.settings = np.array([*settings_of(record, hyperparameters, step.state.seed), 0.0])
        self.table = tensor_table(record, step.tensors)

    def call(self, phase: int, loss: float) -> int:
        """Call one phase; return what the stage needs."""
        step = self.step
        where = [a.ctypes.data for a in (step.params, step.grads, self.state, self.scratch, self.settings)]
        rate, table = step.rate, self.table.ctypes.data
        found = self.made.call(
            phase, step.step, step.rows, len(step.params), *where, rate, loss, table, len(self.table)
        )
        return int(found)

    def serve(self, phase: int, loss: float, oracles: Oracles) -> float:
        """Call phase by phase and give what is asked for; return the latest loss."""
        if self.record.factors and phase == 0:
            self._place_factors(oracles)
        while (wanted := self.call(phase, loss)) != DONE:
            loss = self._answer(wanted, loss, oracles)
            phase += 1
        return loss

    def _answer(self, wanted: int, loss: float, oracles: Oracles) -> float:
        params, count = self.step.params, len(self.step.params)
        if wanted == NEED_HVP:
            given = _asked(self.record, oracles.curvature, "curvature=")
            self.scratch[count : 2 * count] = given(params.copy(), self.scratch[:count].copy())
            return loss
        if wanted == NEED_FACTORS:
            self.step.grads[:] = self._place_factors(oracles)
            return loss
        value, grads = _asked(self.record, oracles.gradient, "gradient=")(params.copy())
        if wanted == NEED_GRADIENT:
            self.step.grads[:] = alike(grads, params)
        elif wanted != NEED_LOSS:
            raise ConfigError(f"{self.record.name} works inside a run only")
        return float(value)

    def _place_factors(self, oracles: Oracles) -> np.ndarray:
        """Have inputs and deltas at hand, named in the table of tensors; return the gradient that came with them."""
        import numpy as np

        grads, pairs = _asked(self.record, oracles.factors, "factors=")(self.step.params.copy())
        owners = np.flatnonzero(self.table[:, TENSOR.kind] == WEIGHT).tolist()
        if self.record.factors and len(pairs) != len(owners):
            raise ConfigError(f"factors: got {len(pairs)} pairs of inputs and deltas for {len(owners)} weight matrices")
        if self.record.factors:
            self.placed = [
                placed
                for number, (inputs, deltas) in zip(owners, pairs, strict=True)
                for placed in (
                    self._placed(inputs, number, TENSOR.rows, TENSOR.inputs_at, TENSOR.inputs_stride),
                    self._placed(deltas, number, TENSOR.columns, TENSOR.deltas_at, TENSOR.deltas_stride),
                )
            ]
        return alike(grads, self.step.params)

    def _placed(self, values: np.ndarray, number: int, size: int, place_at: int, stride_at: int) -> np.ndarray:
        """Copy a batch's inputs or deltas to padded rows, and write where they stand, counted from the scratch."""
        import numpy as np

        from mlpjit.training.shape import padded
        from mlpjit.training.workspace import aligned

        rows, width = self.step.rows, int(self.table[number, size])
        if np.shape(values) != (rows, width):
            raise ConfigError(f"factors: got shape {np.shape(values)}, need {(rows, width)}")
        stride = padded(width, self.step.dtype)
        made = aligned(rows * stride, self.step.dtype)
        made.reshape(rows, stride)[:, :width] = values
        self.table[number, place_at] = (made.ctypes.data - self.scratch.ctypes.data) // made.itemsize
        self.table[number, stride_at] = stride
        return made


def _asked(record: Stage, oracle: Callable[..., Any] | None, name: str) -> Callable[..., Any]:
    if oracle is None:
        raise ConfigError(f"{record.name} asks for more than one gradient: give {name}")
    return oracle


def named(record: Stage, packed: np.ndarray, count: int, prefix: str) -> dict[str, np.ndarray]:
    """Return a stage's state as named arrays."""
    found = {f"{prefix}{n}": packed[i * count : (i + 1) * count].copy() for i, n in enumerate(record.state)}
    if record.extra:
        found[f"{prefix}{EXTRA}"] = packed[len(record.state) * count :].copy()
    return found


def tensors_in(layers: Sequence[Sequence[int]] | None, count: int) -> list[tuple[int, int, int]]:
    """Return the tensors that `count` parameters are, one vector without layers; ConfigError where those do not fit."""
    import numpy as np

    from mlpjit.training.stage_memory import parameters, tensors_of

    if layers is None:
        return [(1, count, WEIGHT)]
    for shape in layers:
        sides = np.asarray(shape)
        if sides.dtype.kind not in "iu" or sides.ndim != 1 or len(sides) not in (1, 2) or (sides < 0).any():
            raise ConfigError(f"layers: got {shown(shape)}, need shapes (n,) or (rows, columns)")
    tensors = tensors_of(layers)
    if parameters(tensors) != count:
        raise ConfigError(f"layers: got shapes of {parameters(tensors)} numbers, params has {count}")
    return tensors


def checked(params: Any) -> np.ndarray:
    """Return parameters as a contiguous 1-D array of float32 or float64; ConfigError for anything else."""
    import numpy as np

    made = np.ascontiguousarray(params)
    if made.ndim != 1 or str(made.dtype) not in ("float32", "float64"):
        raise ConfigError(f"params: got {made.ndim}-D {made.dtype}, need a 1-D array of float32 or float64")
    return made


def alike(grads: Any, params: np.ndarray) -> np.ndarray:
    """Return a copy of a gradient in the dtype of the parameters; ConfigError for another shape."""
    import numpy as np

    made = np.array(grads, params.dtype)
    if made.shape != params.shape:
        raise ConfigError(f"grads: got shape {made.shape}, need {params.shape} as params")
    return made
