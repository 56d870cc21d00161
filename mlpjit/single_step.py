"""Optimizers on any gradient, one step at a time: `mj.optimizers["adam"].update(...)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlpjit import registries
from mlpjit.errors import ConfigError
from mlpjit.kernels.optimizers.stages import (
    AFTER,
    COLUMNS,
    DELTAS_AT,
    DONE,
    EVALUATE,
    INPUTS_AT,
    KIND,
    NEED_FACTORS,
    NEED_GRADIENT,
    NEED_HVP,
    NEED_LOSS,
    POINT,
    ROWS,
    WEIGHT,
)
from mlpjit.kernels.rules import Stage
from mlpjit.specs import checked_parameters

if TYPE_CHECKING:
    import numpy as np

    # A gradient; of each weight matrix the inputs (rows, fan_in) and the deltas (rows, fan_out) of the mean loss.
    Factors = tuple[np.ndarray, Sequence[tuple[np.ndarray, np.ndarray]]]

EXTRA = "extra"


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


class Optimizer:
    """One optimizer of the catalogue, with hyperparameters set or left at their defaults, perhaps in a wrapper."""

    def __init__(self, record: Stage, wrapper: Wrapper | None = None, **hyperparameters: float | bool) -> None:
        self.record, self.wrapper = record, wrapper
        self.hyperparameters = checked_parameters(record.name, record.defaults, hyperparameters, record.limits)

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.record.name

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.hyperparameters.items())
        inner = f"{self.name}({given})"
        return f"{self.wrapper.record.name}({inner})" if self.wrapper else inner

    def __call__(self, **hyperparameters: float | bool) -> Optimizer:
        """Return the same optimizer with other hyperparameters: `optimizers["adam"](b1=0.95)`."""
        return Optimizer(self.record, self.wrapper, **{**self.hyperparameters, **hyperparameters})

    def init(self, params: np.ndarray, layers: Sequence[Sequence[int]] | None = None, seed: int = 0) -> OptimizerState:
        """Return the state before the first step; params: 1-D, float32 or float64.

        layers: the shapes of the tensors that params holds one behind the other, (n,) or (rows, columns), for
        optimizers that look at matrices; without it params is one vector. seed: of the numbers that some draw.
        Raises ConfigError where the layers do not fit.
        """
        from mlpjit.stages import initial_state, parameters, tensors_of

        given = _checked(params)
        tensors = [(1, len(given), WEIGHT)] if layers is None else tensors_of(layers)
        if parameters(tensors) != len(given):
            raise ConfigError(f"layers: got shapes of {parameters(tensors)} numbers, params has {len(given)}")
        values: dict[str, np.ndarray] = {}
        for record, hyperparameters, prefix in self._parts():
            packed = initial_state(record, hyperparameters, given, tensors)
            values |= _named(record, packed, len(given), prefix)
        return OptimizerState(0, values, tensors, seed)

    def update(
        self, params: np.ndarray, grads: np.ndarray, state: OptimizerState, *, learning_rate: float,
        loss: float = float("nan"), gradient: Callable[[np.ndarray], tuple[float, np.ndarray]] | None = None,
        curvature: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        factors: Callable[[np.ndarray], Factors] | None = None, rows: int = 1,
    ) -> tuple[np.ndarray, OptimizerState]:  # fmt: skip
        """Return parameters and state after one step; the arguments are left as they are.

        params, grads: 1-D arrays of one length and dtype; dtype and length are kept. loss: at params, for rules that
        read it. gradient(params) -> (loss, grads) and curvature(params, vector) -> H vector are called by rules that
        ask for more; factors(params) -> (grads, [(inputs, deltas), ...]), one pair for each weight matrix, by those
        that work from what went through the layers, where they ask for drawn labels of the gradient on those. rows: the
        samples of the batch. Raises ConfigError for other shapes, and where something asked for is missing.
        """
        given = _checked(params)
        work = _Step(self, given, _alike(grads, given), state, learning_rate, rows)
        work.run(loss, Oracles(gradient, curvature, factors))
        return work.params, OptimizerState(state.step + 1, work.values(), state.tensors, state.seed)

    def point(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        """Return the point to report after the steps so far: params, or an average for rules that keep one."""
        given = _checked(params)
        work = _Step(self, given, given, state, 0.0)
        return work.point() if state.step else given.copy()

    def _parts(self) -> list[tuple[Stage, dict[str, Any], str]]:
        """Return (record, hyperparameters, prefix of state names) of the optimizer and its wrapper."""
        own = [(self.record, self.hyperparameters, "")]
        wrapper = self.wrapper
        return own + ([(wrapper.record, wrapper.hyperparameters, f"{wrapper.record.name}.")] if wrapper else [])


class _Step:
    """The buffers of one step, and the phases of its stages."""

    def __init__(
        self, optimizer: Optimizer, params: np.ndarray, grads: np.ndarray, state: OptimizerState, rate: float,
        rows: int = 1,
    ) -> None:  # fmt: skip
        from mlpjit.workspace import aligned

        self.optimizer, self.state, self.rate, self.step = optimizer, state, rate, state.step + 1
        self.rows = rows
        self.dtype, self.tensors = str(params.dtype), state.tensors
        self.params, self.grads = aligned(len(params), self.dtype), aligned(len(params), self.dtype)
        self.params[:], self.grads[:] = params, grads
        self.stages = [_Buffers(self, *part) for part in optimizer._parts()]

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
            found |= _named(stage.record, stage.state, len(self.params), stage.prefix)
        return found


class _Buffers:
    """One stage of a step: its compiled call, its state and its scratch."""

    def __init__(self, step: _Step, record: Stage, hyperparameters: dict[str, Any], prefix: str) -> None:
        import numpy as np

        from mlpjit import compiled
        from mlpjit.stages import scratch_size, settings_of, state_size, tensor_table
        from mlpjit.workspace import aligned

        self.step, self.record, self.prefix = step, record, prefix
        self.made = (compiled.wrapper if prefix else compiled.optimizer)(record.name, step.dtype)
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
            self.step.grads[:] = _alike(grads, params)
        elif wanted != NEED_LOSS:
            raise ConfigError(f"{self.record.name} works inside a run only")
        return float(value)

    def _place_factors(self, oracles: Oracles) -> np.ndarray:
        """Have inputs and deltas at hand, named in the table of tensors; return the gradient that came with them."""
        import numpy as np

        grads, pairs = _asked(self.record, oracles.factors, "factors=")(self.step.params.copy())
        owners = np.flatnonzero(self.table[:, KIND] == WEIGHT).tolist()
        if self.record.factors and len(pairs) != len(owners):
            raise ConfigError(f"factors: got {len(pairs)} pairs of inputs and deltas for {len(owners)} weight matrices")
        if self.record.factors:
            self.placed = [
                self._placed(values, number, size, at)
                for number, pair in zip(owners, pairs, strict=True)
                for values, size, at in zip(pair, (ROWS, COLUMNS), (INPUTS_AT, DELTAS_AT), strict=True)
            ]
        return _alike(grads, self.step.params)

    def _placed(self, values: np.ndarray, number: int, size: int, at: int) -> np.ndarray:
        """Copy a batch's inputs or deltas to padded rows, and write where they stand, counted from the scratch."""
        import numpy as np

        from mlpjit.network import padded
        from mlpjit.workspace import aligned

        rows, width = self.step.rows, int(self.table[number, size])
        if np.shape(values) != (rows, width):
            raise ConfigError(f"factors: got shape {np.shape(values)}, need {(rows, width)}")
        stride = padded(width, self.step.dtype)
        made = aligned(rows * stride, self.step.dtype)
        made.reshape(rows, stride)[:, :width] = values
        place = (made.ctypes.data - self.scratch.ctypes.data) // made.itemsize
        self.table[number, [at, at + 1]] = place, stride
        return made


def _asked(record: Stage, oracle: Callable[..., Any] | None, name: str) -> Callable[..., Any]:
    if oracle is None:
        raise ConfigError(f"{record.name} asks for more than one gradient: give {name}")
    return oracle


def _named(record: Stage, packed: np.ndarray, count: int, prefix: str) -> dict[str, np.ndarray]:
    """Return a stage's state as named arrays."""
    found = {f"{prefix}{n}": packed[i * count : (i + 1) * count].copy() for i, n in enumerate(record.state)}
    if record.extra:
        found[f"{prefix}{EXTRA}"] = packed[len(record.state) * count :].copy()
    return found


def _checked(params: Any) -> np.ndarray:
    import numpy as np

    made = np.ascontiguousarray(params)
    if made.ndim != 1 or str(made.dtype) not in ("float32", "float64"):
        raise ConfigError(f"params: got {made.ndim}-D {made.dtype}, need a 1-D array of float32 or float64")
    return made


def _alike(grads: Any, params: np.ndarray) -> np.ndarray:
    import numpy as np

    made = np.array(grads, params.dtype)
    if made.shape != params.shape:
        raise ConfigError(f"grads: got shape {made.shape}, need {params.shape} as params")
    return made


class Wrapper:
    """One wrapper of the catalogue; called with an optimizer it gives the wrapped one."""

    def __init__(self, record: Stage, **hyperparameters: float | bool) -> None:
        self.record = record
        self.hyperparameters = checked_parameters(record.name, record.defaults, hyperparameters, record.limits)

    def __call__(self, optimizer: Optimizer, **hyperparameters: float | bool) -> Optimizer:
        """Return the optimizer in this wrapper: `wrappers["lookahead"](optimizers["adam"], k=5)`.

        Raises ConfigError where the two cannot work together.
        """
        if problem := registries.wrapping_problem(self.record, optimizer.record):
            raise ConfigError(problem)
        inside = Wrapper(self.record, **{**self.hyperparameters, **hyperparameters})
        return Optimizer(optimizer.record, inside, **optimizer.hyperparameters)


class _Catalogue:
    """A registry by name; iterating gives the names."""

    kind = ""

    def __iter__(self) -> Iterator[str]:
        return iter(registries.REGISTRIES[self.kind])

    def __len__(self) -> int:
        return len(registries.REGISTRIES[self.kind])

    def __contains__(self, name: object) -> bool:
        return name in registries.REGISTRIES[self.kind]


class Optimizers(_Catalogue):
    """The optimizers by name: `optimizers["adam"]`."""

    kind = "optimizers"

    def register(self, function: Callable[..., Any] | None = None, *, kind: str = "elementwise", **options: Any) -> Any:
        """Register a function as an optimizer and return it: `register(signum, state=("mu",), momentum=0.9)`, or with
        options alone as a decorator. What a function must be, and the options, stand at `mlpjit.extending`.

        kind: "elementwise" or "layerwise". Raises ConfigError with the line that is wrong, and where a built-in
        optimizer has the name; another of your own is replaced. It then runs in this process.
        """
        from mlpjit import extending

        if kind not in ("elementwise", "layerwise"):
            raise ConfigError(f"kind: got {kind!r}, need 'elementwise' or 'layerwise'")
        declare = getattr(extending, kind)(**options)

        def register(given: Callable[..., Any]) -> Optimizer:
            return _checked_optimizer(declare(given))

        return register if function is None else register(function)

    def __getitem__(self, name: str) -> Optimizer:
        return Optimizer(registries.optimizers[name])


def _checked_optimizer(record: Stage) -> Optimizer:
    """Return an optimizer that has just been registered; taken out again where its checks find something."""
    from mlpjit.dry_run import problems

    if found := problems([record.name], ["float32"]):
        registries.optimizers.remove(record.name)
        raise ConfigError(found)
    return Optimizer(record)


class Wrappers(_Catalogue):
    """The wrappers by name: `wrappers["lookahead"](optimizers["adam"])`."""

    kind = "wrappers"

    def __getitem__(self, name: str) -> Wrapper:
        return Wrapper(registries.wrappers[name])


optimizers, wrappers = Optimizers(), Wrappers()
