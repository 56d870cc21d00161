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
    from mlpjit.training.run import Run
    from mlpjit.training.workspace import Workspace


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


def numbers(run: Run) -> np.ndarray:
    """Return the numbers of a run, float64."""
    values = run.values
    given = {"l1": values.l1, "l2": values.l2, "decay": values.weight_decay, **plateau_numbers(values.schedule)}
    return filled(NUMBER, given, "float64")


def slope_limits(names: list[str]) -> np.ndarray:
    """Return the largest slope of each layer's activation, float64."""
    return np.array([1.0 if name == "softmax" else activations[name].slope_limit for name in names])


def loss_settings(run: Run) -> np.ndarray:
    """Return the settings of the loss, and a number to spare."""
    spec = run.values.loss
    return np.array([*settings_of(losses[spec["name"]], spec), 0.0])


def tensors_of_stage(run: Run, record: Stage, scratch_at: int) -> np.ndarray:
    """Return the table of tensors of one stage; inputs and deltas of a batch are counted from its scratch."""
    passed = []
    for row, layer in zip(run.table.tolist(), run.layers, strict=True):
        places = {
            "inputs_at": row[LAYER.input_at] - scratch_at, "inputs_stride": row[LAYER.input_stride],
            "deltas_at": row[LAYER.slope_at] - scratch_at, "deltas_stride": row[LAYER.stride],
        }  # fmt: skip
        passed += [places] * len(layer.tensors())
    return tensor_table(record, run.shapes, passed)


def stage_rows(run: Run, scratch_at: list[int]) -> np.ndarray:
    """Return the table of stages: clip, optimizer, wrapper."""
    made, space = [], run.workspace
    for place, link in enumerate((linking.clipping, linking.optimizer, linking.wrapper)):
        record, _ = run.stages[place]
        made.append(NO_STAGE if record is None else {
            "function": link(record.name, run.dtype).address, "state": run.states[place],
            "scratch": space.ctypes.data + space.itemsize * scratch_at[place], "settings": run.settings[place],
            "tensors": run.tensors[place],
        })  # fmt: skip
    return filled_rows(STAGE, made)


def plan(run: Run, space: Workspace, batch: int, chunk: int) -> np.ndarray:
    """Return the plan of a run."""
    values, data, curvature = run.values, run.data, run.curvature
    clock, clock_id = _clock()
    return filled(PLAN, {
        "layer_count": len(run.layers), "tensor_count": len(run.shapes), "parameters": len(run.params),
        "running_size": space.running_size, "inputs": data.x_train.shape[1], "outputs": data.y_train.shape[1],
        "softmax_output": values.output_activation == "softmax", "train_rows": len(data.x_train),
        "validation_rows": len(data.x_validation), "test_rows": len(data.x_test), "batch": batch, "chunk": chunk,
        "steps_per_epoch": shape.steps_per_epoch(values), "total_steps": run.steps, "last_step": 0,
        "evaluate_every": values.evaluate_every, "shuffle": values.shuffle, "order_seed": values.order_seed,
        "draw_seed": values.seed, "dropout": threshold(values.dropout),
        "classification": values.data.task == "classification",
        "loss": linking.loss(values.loss["name"], run.dtype).address,
        "loss_tangent": curvature.tangent if curvature else 0, "loss_sample": _loss_sample(run),
        "curvature": curvature.address if curvature else 0, "clock": clock, "clock_id": clock_id,
        "point_stage": _point_stage(run), "momentum_at": _momentum_at(run), "product_at": _product_at(run),
        "widest": space.widest, **space.places,
    })  # fmt: skip


def addresses(run: Run) -> np.ndarray:
    """Return the addresses of a run's arrays."""
    data, curvature = run.data, run.curvature
    return filled(ARRAY, {
        "params": run.params, "grads": run.grads, "moments": run.moments, "point_moments": run.point_moments,
        "best_params": run.best, "best_moments": run.best_moments, "workspace": run.workspace,
        "x_train": data.x_train, "y_train": data.y_train, "x_validation": data.x_validation,
        "y_validation": data.y_validation, "x_test": data.x_test, "y_test": data.y_test, "order": run.order,
        "layers": run.table, "tensors": run.tensors[STAGES.optimizer], "stages": run.stage_rows,
        "curvature_layers": curvature.tables if curvature else 0,
        "curvature_workspace": curvature.workspace if curvature else 0, "numbers": run.numbers,
        "loss_settings": run.loss_settings, "slope_limits": run.slope_limits, "rates": run.rates,
        "decays": run.decays, "momenta": run.momenta, "carry": run.carry, "records": run.records, "memory": run.memory,
        "control": run.control.array, "residuals": run.residuals, "unit_sums": run.unit_sums, "spare": run.spare,
    })  # fmt: skip


def _loss_sample(run: Run) -> int:
    """Return the address of the loss's gradient on drawn labels, 0 where no stage asks for it."""
    if not any(samples_labels(*stage) for stage in run.stages):
        return 0
    return linking.loss_sample(run.values.loss["name"], run.dtype).address


def _point_stage(run: Run) -> int:
    """Return which stage reports another point than the parameters: the outermost that has one."""
    found = [place for place, (record, _) in enumerate(run.stages) if record is not None and record.point]
    return found[-1] if found else NONE_AT


def _momentum_at(run: Run) -> int:
    """Return which of the optimizer's settings is its momentum, NONE_AT where it stays as it is."""
    record = optimizers[run.values.optimizer["name"]]
    if record.momentum is None or run.values.momentum_schedule is None:
        return NONE_AT
    return list(record.defaults).index(record.momentum)


def _product_at(run: Run) -> int:
    """Return which of the optimizer's settings is told of all its momenta so far, NONE_AT where none is."""
    record = optimizers[run.values.optimizer["name"]]
    return len(record.defaults) if record.momentum_product and _momentum_at(run) != NONE_AT else NONE_AT
