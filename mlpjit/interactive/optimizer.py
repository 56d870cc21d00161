"""Optimizers on any gradient, one step at a time: `mj.optimizers["adam"].update(...)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlpjit.catalogue import registries
from mlpjit.catalogue.specs import checked_parameters
from mlpjit.display import lines, pairs
from mlpjit.errors import ConfigError
from mlpjit.interactive.step import OptimizerState, Oracles, Part, Step, alike, checked, named, tensors_in
from mlpjit.kernels.entries import Stage

if TYPE_CHECKING:
    import numpy as np

    from mlpjit.interactive.step import Factors


class Optimizer:
    """One optimizer of the catalogue, with hyperparameters set or left at their defaults, perhaps in a wrapper."""

    def __init__(self, record: Stage, wrapper: Wrapper | None = None, **hyperparameters: float | bool) -> None:
        self.record, self.wrapper = record, wrapper
        self.hyperparameters = checked_parameters(
            record.name, record.defaults, hyperparameters, record.limits, record.divisors
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.record.name

    def __repr__(self) -> str:
        return lines(self._called(), self._told()[:2])

    def _repr_html_(self) -> str:
        return pairs(self._called(), self._told())

    def _told(self) -> list[tuple[str, str]]:
        """Return what there is to tell of it; nothing of what its record leaves out."""
        wrapped = self.wrapper.record.formula if self.wrapper else ""
        told = [("formula", self.record.formula), ("in", wrapped), ("source", self.record.citation)]
        return [each for each in told if each[1] not in ("", "-")]

    def _called(self) -> str:
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
        from mlpjit.training.stage_memory import initial_state

        given = checked(params)
        tensors = tensors_in(layers, len(given))
        values: dict[str, np.ndarray] = {}
        for record, hyperparameters, prefix in self.parts():
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
        work = Step(self.parts(), given, alike(grads, given), state, learning_rate, rows)
        work.run(loss, Oracles(gradient, curvature, factors))
        return work.params, OptimizerState(state.step + 1, work.values(), state.tensors, state.seed)

    def point(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        """Return the point to report after the steps so far: params, or an average for rules that keep one."""
        given = checked(params)
        work = Step(self.parts(), given, given, state, 0.0)
        return work.point() if state.step else given.copy()

    def parts(self) -> list[Part]:
        """Return the optimizer and its wrapper."""
        own: list[Part] = [(self.record, self.hyperparameters, "")]
        wrapper = self.wrapper
        return own + ([(wrapper.record, wrapper.hyperparameters, f"{wrapper.record.name}.")] if wrapper else [])


class Wrapper:
    """One wrapper of the catalogue; called with an optimizer it gives the wrapped one."""

    def __init__(self, record: Stage, **hyperparameters: float | bool) -> None:
        self.record = record
        self.hyperparameters = checked_parameters(
            record.name, record.defaults, hyperparameters, record.limits, record.divisors
        )  # fmt: skip

    def __call__(self, optimizer: Optimizer, **hyperparameters: float | bool) -> Optimizer:
        """Return the optimizer in this wrapper: `wrappers["lookahead"](optimizers["adam"], k=5)`.

        Raises ConfigError where the two cannot work together.
        """
        if problem := registries.wrapping_problem(self.record, optimizer.record):
            raise ConfigError(problem)
        inside = Wrapper(self.record, **{**self.hyperparameters, **hyperparameters})
        return Optimizer(optimizer.record, inside, **optimizer.hyperparameters)
