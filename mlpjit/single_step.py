"""Optimizers on any gradient, one step at a time: `mj.optimizers["adam"].update(...)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlpjit import registries
from mlpjit.errors import ConfigError
from mlpjit.kernels.optimizers.stages import WEIGHT
from mlpjit.kernels.rules import Stage
from mlpjit.specs import checked_parameters
from mlpjit.stage_calls import OptimizerState, Oracles, Part, Step, alike, checked, named

if TYPE_CHECKING:
    import numpy as np

    from mlpjit.stage_calls import Factors


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

        given = checked(params)
        tensors = [(1, len(given), WEIGHT)] if layers is None else tensors_of(layers)
        if parameters(tensors) != len(given):
            raise ConfigError(f"layers: got shapes of {parameters(tensors)} numbers, params has {len(given)}")
        values: dict[str, np.ndarray] = {}
        for record, hyperparameters, prefix in self._parts():
            packed = initial_state(record, hyperparameters, given, tensors)
            values |= named(record, packed, len(given), prefix)
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
        given = checked(params)
        work = Step(self._parts(), given, alike(grads, given), state, learning_rate, rows)
        work.run(loss, Oracles(gradient, curvature, factors))
        return work.params, OptimizerState(state.step + 1, work.values(), state.tensors, state.seed)

    def point(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        """Return the point to report after the steps so far: params, or an average for rules that keep one."""
        given = checked(params)
        work = Step(self._parts(), given, given, state, 0.0)
        return work.point() if state.step else given.copy()

    def _parts(self) -> list[Part]:
        """Return the optimizer and its wrapper."""
        own: list[Part] = [(self.record, self.hyperparameters, "")]
        wrapper = self.wrapper
        return own + ([(wrapper.record, wrapper.hyperparameters, f"{wrapper.record.name}.")] if wrapper else [])


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
