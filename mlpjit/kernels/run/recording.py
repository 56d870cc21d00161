"""Rows of the records: what a step fills in, layer by layer, by the functions that the declarations make."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import copy_matrix
from mlpjit.kernels.language import Float64s, Int, Ints, device, float64s, ints, kernel, load, offset, reals
from mlpjit.kernels.run.records.calls import (
    RECORD_COUNT,
    RUN_RECORD_COUNT,
    repeat_step_records,
    take_after_update,
    take_at_gradient,
)
from mlpjit.kernels.tables import ARRAY, LAYER, PLAN


@device
def record_row(plan, arrays, row):
    """Return the place of a row of the records."""
    width = RUN_RECORD_COUNT + load(plan, PLAN.layer_count) * RECORD_COUNT
    return offset(float64s(arrays, ARRAY.records), row * width)


@device
def recorded_step(plan, epoch):
    """Return the step that the records of an epoch are of: its last on a full batch; of epoch 0 the first."""
    batches, batch = load(plan, PLAN.steps_per_epoch), load(plan, PLAN.batch)
    short = 1 if batches > 1 and load(plan, PLAN.train_rows) < batches * batch else 0
    return 1 if epoch == 0 else epoch * batches - short


@device
def layer_part(row, l):  # noqa: E741
    """Return where the records of a layer begin in a row."""
    return offset(row, RUN_RECORD_COUNT + l * RECORD_COUNT)


@device
def kept_of(plan, arrays, at):
    """Return the place of the weights before the update."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.kept_at) + at)


@device
def spare_of(plan, arrays):
    """Return room for the weights of one layer."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.spare_at))


@kernel
def record_gradients(plan: Ints, arrays: Ints, record: Float64s) -> None:
    """Take what is recorded of each layer at its gradient; keep the weights for what is recorded of the update."""
    layers, apart, spare = ints(arrays, ARRAY.layers), load(plan, PLAN.parameters), spare_of(plan, arrays)
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        at, size = load(layer, LAYER.weight_at), load(layer, LAYER.fan_in) * load(layer, LAYER.fan_out)
        g, w = offset(reals(arrays, ARRAY.grads), at), offset(reals(arrays, ARRAY.params), at)
        memory = offset(reals(arrays, ARRAY.memory), at)
        take_at_gradient(size, g, w, spare, memory, apart, layer_part(record, l))
        copy_matrix(size, w, kept_of(plan, arrays, at))


@kernel
def record_updates(plan: Ints, arrays: Ints, record: Float64s) -> None:
    """Take what is recorded of each layer after its update, against the weights that record_gradients kept."""
    layers, apart, spare = ints(arrays, ARRAY.layers), load(plan, PLAN.parameters), spare_of(plan, arrays)
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        layer = offset(layers, l * len(LAYER))
        at, size = load(layer, LAYER.weight_at), load(layer, LAYER.fan_in) * load(layer, LAYER.fan_out)
        w, before = offset(reals(arrays, ARRAY.params), at), kept_of(plan, arrays, at)
        memory = offset(reals(arrays, ARRAY.memory), at)
        take_after_update(size, w, before, spare, memory, apart, layer_part(record, l))


@kernel
def repeat_step(plan: Ints, arrays: Ints, source: Int, target: Int) -> None:
    """Give a row of the records what another says of the step."""
    given, into = record_row(plan, arrays, source), record_row(plan, arrays, target)
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        repeat_step_records(layer_part(given, l), layer_part(into, l))
