"""The tables by which a run's kernels know it: its numbers, its stages, its plan, the addresses of its arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.registries import activations, losses, optimizers, schedules
from mlpjit.catalogue.specs import samples_labels
from mlpjit.kernels.network.dropout import threshold
from mlpjit.kernels.tables import ARRAY, LAYER, NONE_AT, NUMBER, PLAN, STAGE, STAGES, filled, filled_rows
from mlpjit.training import linking, shape
from mlpjit.training.stage_memory import settings_of, tensor_table

if TYPE_CHECKING:
    from mlpjit.kernels.entries import Stage
    from mlpjit.training.template import Template
    from mlpjit.training.values import RunValues


# The arrays of a run that belong to its stages.
STATES = ("clip_state", "optimizer_state", "wrapper_state")
SETTINGS = ("clip_settings", "optimizer_settings", "wrapper_settings")
NO_STAGE = dict.fromkeys(STAGE._fields, 0)


@cache
def _clock() -> tuple[int, int]:
    """Return the address of clock_gettime and the id of the monotonic clock; (0, 0) where there is none."""
    import ctypes

    try:
        function = ctypes.CDLL(None).clock_gettime
        return ctypes.cast(function, ctypes.c_void_p).value or 0, int(time.CLOCK_MONOTONIC)
    except (AttributeError, OSError, TypeError):
        return 0, 0


def plateau_numbers(spec: Mapping[str, Any]) -> dict[str, float]:
    """Return what a schedule watches a plateau with, zeros where it watches none, by the names of a run's numbers."""
    watched = dict.fromkeys((name for name in NUMBER._fields if name.startswith("plateau_")), 0.0)
    return watched | {f"plateau_{name}": float(spec[name]) for name in schedules[spec["name"]].watches}


def numbers(values: RunValues) -> np.ndarray:
    """Return the numbers of a run, float64."""
    given = {"l1": values.l1, "l2": values.l2, "decay": values.weight_decay, "loss_factor": 1.0}
    return filled(NUMBER, {**given, **plateau_numbers(values.schedule)}, "float64")


def slope_limits(names: list[str]) -> np.ndarray:
    """Return the largest slope of each layer's activation, float64."""
    return np.array([1.0 if name == "softmax" else activations[name].slope_limit for name in names])


def loss_settings(values: RunValues) -> np.ndarray:
    """Return the settings of the loss, and a number to spare."""
    spec = values.loss
    return np.array([*settings_of(losses[spec["name"]], spec), 0.0])


def tensors_of_stage(template: Template, record: Stage, scratch_at: int) -> np.ndarray:
    """Return the table of tensors of one stage; inputs and deltas of a batch are counted from its scratch."""
    passed = []
    for row, layer in zip(template.space.layers.tolist(), template.layers, strict=True):
        places = {
            "inputs_at": row[LAYER.input_at] - scratch_at, "inputs_stride": row[LAYER.input_stride],
            "deltas_at": row[LAYER.slope_at] - scratch_at, "deltas_stride": row[LAYER.stride],
        }  # fmt: skip
        passed += [places] * len(layer.tensors())
    return tensor_table(record, template.shapes, passed)


def stage_rows(template: Template) -> tuple[np.ndarray, np.ndarray]:
    """Return the table of stages (clip, optimizer, wrapper), and which of it a run adds its memory's address to."""
    made, item = [], shape.ITEM_BYTES[template.dtype]
    for place, link in enumerate((linking.clipping, linking.optimizer, linking.wrapper)):
        record, _ = template.stages[place]
        made.append(NO_STAGE if record is None else {
            "function": link(record.name, template.dtype).address, "state": template.own(STATES[place]),
            "scratch": template.own("workspace") + item * template.space.stages_at[place],
            "settings": template.own(SETTINGS[place]), "tensors": template.tensors[place],
        })  # fmt: skip
    relative = np.zeros((len(made), len(STAGE)), np.int64)
    for row, (record, _) in zip(relative, template.stages, strict=True):
        row[[STAGE.state, STAGE.scratch, STAGE.settings]] = record is not None
    return filled_rows(STAGE, made), relative


def plan(template: Template) -> np.ndarray:
    """Return the plan of a run but for its seeds."""
    values, data, space, curvature = template.values, template.data, template.space, template.curvature
    clock, clock_id = _clock()
    return filled(PLAN, {
        "layer_count": len(template.layers), "tensor_count": len(template.shapes), "parameters": template.count,
        "running_size": space.running_size, "inputs": data.inputs, "outputs": data.outputs,
        "softmax_output": values.output_activation == "softmax", "train_rows": data.train_samples,
        "validation_rows": data.validation_samples, "test_rows": data.test_samples, "batch": template.batch,
        "chunk": template.rows, "steps_per_epoch": shape.steps_per_epoch(values), "total_steps": template.steps,
        "last_step": 0, "evaluate_every": values.evaluate_every, "shuffle": values.shuffle, "order_seed": 0,
        "draw_seed": 0, "dropout": threshold(values.dropout), "classification": data.task == "classification",
        "loss": linking.loss(values.loss["name"], template.dtype).address,
        "loss_tangent": curvature.tangent if curvature else 0, "loss_sample": _loss_sample(template),
        "curvature": curvature.address if curvature else 0, "clock": clock, "clock_id": clock_id,
        "point_stage": _point_stage(template), "momentum_at": _momentum_at(values), "product_at": _product_at(values),
        "widest": space.widest, **space.places,
    })  # fmt: skip


def addresses(template: Template) -> tuple[np.ndarray, np.ndarray]:
    """Return the addresses of a run's arrays, and which of them a run adds its memory's address to.

    Those of its data and of its control it fills in.
    """
    own = {
        "params": "params", "grads": "grads", "moments": "moments", "point_moments": "point_moments",
        "best_params": "best", "best_moments": "best_moments", "workspace": "workspace", "order": "order",
        "layers": "table", "stages": "stage_rows", "numbers": "numbers", "rates": "rates", "decays": "decays",
        "momenta": "momenta", "carry": "carry", "records": "records", "memory": "memory", "residuals": "residuals",
        "unit_sums": "unit_sums", "spare": "spare",
    }  # fmt: skip
    if template.curvature:
        own |= {"curvature_layers": "curvature_tables", "curvature_workspace": "curvature_workspace"}
    shared = {
        "tensors": template.tensors[STAGES.optimizer], "loss_settings": template.loss_settings,
        "slope_limits": template.slope_limits,
    }  # fmt: skip
    given = {**dict.fromkeys(ARRAY._fields, 0), **shared, **{name: template.own(of) for name, of in own.items()}}
    return filled(ARRAY, given), np.array([name in own for name in ARRAY._fields], np.int64)


def _loss_sample(template: Template) -> int:
    """Return the address of the loss's gradient on drawn labels, 0 where no stage asks for it."""
    if not any(samples_labels(*stage) for stage in template.stages):
        return 0
    return linking.loss_sample(template.values.loss["name"], template.dtype).address


def _point_stage(template: Template) -> int:
    """Return which stage reports another point than the parameters: the outermost that has one."""
    found = [place for place, (record, _) in enumerate(template.stages) if record is not None and record.point]
    return found[-1] if found else NONE_AT


def _momentum_at(values: RunValues) -> int:
    """Return which of the optimizer's settings is its momentum, NONE_AT where it stays as it is."""
    record = optimizers[values.optimizer["name"]]
    if record.momentum is None or values.momentum_schedule is None:
        return NONE_AT
    return list(record.defaults).index(record.momentum)


def _product_at(values: RunValues) -> int:
    """Return which of the optimizer's settings is told of all its momenta so far, NONE_AT where none is."""
    record = optimizers[values.optimizer["name"]]
    return len(record.defaults) if record.momentum_product and _momentum_at(values) != NONE_AT else NONE_AT
