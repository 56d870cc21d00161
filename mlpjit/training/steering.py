"""What an experiment sets in a run before its first step: arrays and numbers that no config can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.specs import samples_labels
from mlpjit.errors import ConfigError, shown
from mlpjit.kernels.tables import ARRAY, FROZEN, LAYER, NUMBER, STAGES, TENSOR
from mlpjit.training.shape import Layer, views
from mlpjit.training.stage_memory import fill_parts
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.training.run import Run

# Packed, or by layer as `Network.layers` gives them; a mapping names some layers, and each of these some tensors.
Params = np.ndarray | Sequence[Mapping[str, Any]] | Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class Steering:
    """See `mlpjit.train`, whose arguments these are."""

    params: Params | None = None
    learning_rates: Any = None
    loss_factor: float = 1.0
    frozen: Sequence[int] = ()
    bias: bool = True
    normalization_eps: float | None = None

    def given(self) -> tuple[str, ...]:
        """Return the names of what is set."""
        there = {
            "params": self.params is not None, "learning_rates": self.learning_rates is not None,
            "loss_factor": np.any(self.loss_factor != 1.0), "frozen": np.size(self.frozen) > 0, "bias": not self.bias,
            "normalization_eps": self.normalization_eps is not None,
        }  # fmt: skip
        return tuple(name for name, is_set in there.items() if is_set)

    def apply(self, run: Run) -> None:
        """Set all this in a run that has not begun. Raises ConfigError with the first thing that does not fit."""
        frozen = self._frozen(run.layers)
        rates = None if self.learning_rates is None else checked_rates(self.learning_rates, run)
        by_layer = rates is not None and rates.ndim == 2
        self._check(run, by_layer, by_layer or bool(frozen.any()))
        if self.params is not None:
            place_params(self.params, run.layers, run.params)
        if not self.bias:
            for tensors in views(run.layers, run.params):
                tensors["b"][...] = 0.0
        if self.params is not None or not self.bias:
            begin_states(run)
        run.numbers[NUMBER.loss_factor] = self.loss_factor
        if self.normalization_eps is not None:
            add_to_variances(run, self.normalization_eps)
        if rates is not None:
            run.rates[: run.steps] = rates.max(1) if by_layer else rates
        if by_layer or frozen.any():
            share(run, frozen, rates if by_layer else None)

    def _frozen(self, layers: Sequence[Layer]) -> np.ndarray:
        """Return which tensors stay as they are, in the order of the packed buffer."""
        given = np.atleast_1d(self.frozen).tolist()
        wrong = [layer for layer in given if layer not in range(len(layers))]
        if wrong:
            raise ConfigError(f"frozen: got layer {shown(wrong[0])}, need numbers from 0 to {len(layers) - 1}")
        return np.array([
            place in given or (name == "b" and not self.bias)
            for place, layer in enumerate(layers) for name in layer.tensors()
        ])  # fmt: skip

    def _check(self, run: Run, by_layer: bool, shared: bool) -> None:
        """Refuse what the run or a stage of it could not take."""
        factor = np.asarray(self.loss_factor)
        if factor.ndim or factor.dtype.kind not in "biuf" or not (np.isfinite(factor) and factor > 0.0):
            raise ConfigError(f"loss_factor: got {shown(self.loss_factor)}, need a positive number")
        schedule = run.values.schedule["name"]
        if self.learning_rates is not None and schedule != "constant":
            raise ConfigError(f"learning_rates with schedule {schedule!r}: give one of both")
        for record, spec in run.template.stages:
            if record is None:
                continue
            if shared and record.point:
                raise ConfigError(f"{record.name} reports another point than the parameters: all layers move alike")
            if by_layer and record.line_search:
                raise ConfigError(f"{record.name} searches along a line: all layers move alike")
            if self.loss_factor != 1.0 and samples_labels(record, spec):
                raise ConfigError(f"loss_factor: {record.name} draws labels from the loss as it is")


def checked_rates(given: Any, run: Run) -> np.ndarray:
    """Return rates as float64 (steps,) or (steps, layers)."""
    rates, wanted = np.asarray(given), [(run.steps,), (run.steps, len(run.layers))]
    if rates.dtype.kind not in "fiu" or rates.shape not in wanted:
        raise ConfigError(f"learning_rates: got {rates.dtype} {rates.shape}, need numbers {wanted[0]} or {wanted[1]}")
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise ConfigError("learning_rates: need finite numbers from 0 up")
    return rates.astype(np.float64)


def place_params(given: Params, layers: Sequence[Layer], packed: np.ndarray) -> None:
    """Write first parameters over those drawn; ConfigError where a shape or a name is not the network's."""
    if not isinstance(given, Mapping | Sequence):
        _place("params", given, packed)
        return
    there = views(layers, packed)
    for place, tensors in (given if isinstance(given, Mapping) else dict(enumerate(given))).items():
        if place not in range(len(there)):
            raise ConfigError(f"params: got layer {shown(place)}, need numbers from 0 to {len(there) - 1}")
        if not isinstance(tensors, Mapping):
            raise ConfigError(f"params: got {shown(tensors)} for layer {place}, need its tensors by name, or an array")
        for name, value in tensors.items():
            if name not in there[place]:
                raise ConfigError(f"params: layer {place} has no {shown(name)}, it has {', '.join(there[place])}")
            _place(f"params: {name} of layer {place}", value, there[place][name])


def _place(name: str, value: Any, into: np.ndarray) -> None:
    made = np.asarray(value)
    if made.dtype.kind not in "fiu" or made.shape != into.shape:
        raise ConfigError(f"{name}: got {made.dtype} {made.shape}, need numbers {into.shape}")
    into[...] = made


def begin_states(run: Run) -> None:
    """Have the states that begin as the parameters begin as those that now stand there."""
    for name, parts in run.template.filled:
        fill_parts(getattr(run, name), [part for part in parts if part[1] == "params"], run.params)


def checked_eps(value: Any) -> np.ndarray:
    """Return what is added to a variance as an array of one number; ConfigError unless it is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (np.isfinite(value) and value > 0.0):
        raise ConfigError(f"normalization_eps: got {shown(value)}, need a positive number")
    return np.array([value], np.float64)


def add_to_variances(run: Run, value: float) -> None:
    """Have normalizations add another number to a variance."""
    run.kept["eps"] = eps = checked_eps(value)
    run.table[:, LAYER.eps] = eps.ctypes.data
    curved = run.curvature_tables
    curved.reshape(-1, len(LAYER))[:, LAYER.eps] = eps.ctypes.data


def share(run: Run, frozen: np.ndarray, rates: np.ndarray | None) -> None:
    """Give the run its shares of each step, (steps, tensors): a layer's rate over the largest of that step."""
    owners = [place for place, layer in enumerate(run.layers) for _ in layer.tensors()]
    shares = np.ones((max(run.steps, 1), len(owners)))
    if rates is not None and rates.ndim == 2:
        largest = rates.max(1, keepdims=True)
        shares[: run.steps] = np.divide(rates, largest, out=np.ones_like(rates), where=largest > 0.0)[:, owners]
    shares[:, frozen] = 0.0
    tensors = np.array(run.template.tensors[STAGES.optimizer])
    tensors[frozen, TENSOR.kind] = FROZEN
    given = {"shares": shares, "tensors": tensors, "noted": aligned(len(run.params), run.dtype)}
    for name, array in given.items():
        run.addresses[getattr(ARRAY, name)] = array.ctypes.data
    run.kept.update(given)
