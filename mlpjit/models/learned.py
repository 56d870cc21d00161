"""From a run that has ended to its model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlpjit import __version__
from mlpjit.catalogue.datasets import Dataset, Split, load, split
from mlpjit.catalogue.datasets.columns import fill_missing
from mlpjit.catalogue.registries import activations
from mlpjit.errors import ConfigError
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.steps import write_point
from mlpjit.kernels.tables import CARRY, NONE_AT, PLAN
from mlpjit.models.model import Model
from mlpjit.models.rules import ACTIVATIONS
from mlpjit.training.shape import Layer, config_layers, is_learned, layer_activations, views

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
    from mlpjit.training.result import Control, RunResult
    from mlpjit.training.run import Run


class Learned(NamedTuple):
    """A run that has ended, and the running statistics of what it reports."""

    result: RunResult
    statistics: np.ndarray

    @property
    def model(self) -> Model:
        """What it has learned. Raises ConfigError for an activation of the user's own."""
        config = self.result.config
        return model_of(config, self.result.params, self.statistics, config.run_id)


def learn(config: RunConfig, control: Control | None = None) -> Learned:
    """Make a run to its end, and return it with its running statistics."""
    from mlpjit.training.run import Run
    from mlpjit.training.warm import prepare

    prepare([config])
    run = Run(config, control)
    run.advance()
    return Learned(run.result(), statistics_of(run))


def statistics_of(run: Run) -> np.ndarray:
    """Return a copy of the running statistics of what a run reports: for each layer its means, then its variances."""
    step, another = int(run.carry[CARRY.step]), run.plan[PLAN.point_stage] != NONE_AT
    if (
        step
        and another
        and jit.load(write_point, run.dtype).call(run.plan.ctypes.data, run.addresses.ctypes.data, step)
    ):
        return run.point_moments[: run.template.space.running_size].copy()
    return run.moments[: run.template.space.running_size].copy()


def model_of(config: RunConfig, params: np.ndarray, statistics: np.ndarray, run_id: str | None) -> Model:
    """Return the model of a run, which may have no id, from what it reports: packed parameters, running statistics."""
    data, parts = load(config.dataset), split(config.dataset, config.split_seed, config.dtype)  # type: ignore[arg-type]
    layers, names = config_layers(config), layer_activations(config)
    if own := [name for name in names if name.partition("(")[0] not in ACTIVATIONS]:
        told = "a model predicts with NumPy alone, in which none of your own is written"
        raise ConfigError(f"no model of a network with activation {own[0]!r}: {told}")
    arrays = _scaling(data, parts) | {
        "classes": np.array(data.classes, np.str_), "columns": np.array(list(_columns(data)), np.str_),
        "target": np.array(data.target), "run_id": np.array(run_id or "without an id"),
        "version": np.array(__version__), "config": np.array(json.dumps(config.canonical())),
        "layers": np.array([_told(layer, name) for layer, name in zip(layers, names, strict=True)]),
    }  # fmt: skip
    at = 0
    for i, (layer, tensors) in enumerate(zip(layers, views(layers, params), strict=True)):
        if layer.normalization == "batch":
            tensors |= {"mean": statistics[at : at + layer.fan_out]}
            tensors |= {"variance": statistics[at + layer.fan_out : at + 2 * layer.fan_out]}
            at += 2 * layer.fan_out
        arrays |= {f"{name}{i}": tensor.copy() for name, tensor in _tensors(layer, names[i], tensors).items()}
    return Model(arrays)


def _scaling(data: Dataset, parts: Split) -> dict[str, np.ndarray]:
    """Return both transforms, and what a missing input becomes: the training part's median, of a table's columns."""
    inputs = data.x.shape[1]
    fill = np.full(inputs, np.nan)
    if data.columns:
        fill = fill_missing(np.vstack([data.x, fill]), parts.rows_train)[-1]
    x, y = parts.x_transform, parts.y_transform
    return {"x_shift": x.shift, "x_divisor": x.divisor, "y_shift": y.shift, "y_divisor": y.divisor, "fill": fill}


def _columns(data: Dataset) -> Iterator[str]:
    for column in data.columns:
        yield json.dumps([column.of or column.name, column.kind, column.categories])


def _told(layer: Layer, name: str) -> list[str]:
    """Return activation, normalization and residual of a layer; weight normalization is in its weights."""
    normalization = "none" if layer.normalization == "weight" else layer.normalization
    return [name.partition("(")[0], normalization, layer.residual]


def _tensors(layer: Layer, name: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's arrays by the names of a model: the setting of its activation, and W as the product reads it."""
    found = dict(tensors)
    if layer.normalization == "weight":
        v, g = found["W"], found.pop("gamma")
        lengths = np.sqrt((v * v).sum(axis=0))
        found["W"] = v * np.divide(g, lengths, out=np.zeros_like(g), where=lengths > 0)
    if name != "softmax" and is_learned(name):
        found["setting"] = found.pop("alpha")
    elif name != "softmax" and activations[name].settings:
        found["setting"] = np.array(activations[name].settings[0], found["W"].dtype)
    return found
