"""One training step on a gathered batch.

Order within a step: gradient, penalties, clip (which may skip the rest), decoupled decay, optimizer. Decay comes before
the update because it acts on the parameters as they were, as in its paper and in PyTorch. Stages ask for what they need
and are served here.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import copy_matrix
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    pointer,
    real,
    reals,
    store,
)
from mlpjit.kernels.network.loss_rules import (
    call_loss,
    call_loss_sample,
)
from mlpjit.kernels.network.passes import backward, forward, output_delta, outputs_of, refresh_weights
from mlpjit.kernels.run.evaluation import copy_row
from mlpjit.kernels.run.penalties import decay_weights, penalty, penalty_curvature
from mlpjit.kernels.run.recording import record_gradients, record_row, record_updates
from mlpjit.kernels.run.steering import hold_back, note_params, share_update, steered
from mlpjit.kernels.stages.stage import (
    AFTER,
    DECAYED,
    DONE,
    EVALUATE,
    NEED_FACTORS,
    NEED_GRADIENT,
    NEED_HVP,
    NEED_LOSS,
    POINT,
    SKIP,
    call_stage,
)
from mlpjit.kernels.tables import ARRAY, CARRY, LAYER, MODE, NONE_AT, NUMBER, PLAN, STAGE, STAGES


@device
def advance(carry, place, amount):
    """carry[place] += amount."""
    store(carry, place, load(carry, place) + amount)


@device
def targets_of(plan, arrays):
    """Return where the batch's targets stand."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.targets_at))


@kernel
def gather_batch(plan: Ints, arrays: Ints, first: Int, rows: Int) -> None:
    """Copy the rows of a batch to the first layer's input and their targets to their place."""
    order, layers, workspace = ints(arrays, ARRAY.order), ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace)
    inputs, outputs, stride = load(plan, PLAN.inputs), load(plan, PLAN.outputs), load(layers, LAYER.input_stride)
    x, y = reals(arrays, ARRAY.x_train), reals(arrays, ARRAY.y_train)
    into, wanted = offset(workspace, load(layers, LAYER.input_at)), targets_of(plan, arrays)
    for i in range(rows):
        at = load(order, first + i)
        copy_row(inputs, offset(x, at * inputs), offset(into, i * stride))
        copy_row(outputs, offset(y, at * outputs), offset(wanted, i * outputs))


@device
def predict_batch(plan, arrays, rows):
    """Forward on the gathered batch; return the last layer."""
    layers, workspace = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace)
    softmax = load(plan, PLAN.softmax_output)
    params, moments, count = reals(arrays, ARRAY.params), reals(arrays, ARRAY.moments), load(plan, PLAN.layer_count)
    refresh_weights(rows, count, layers, params, workspace)
    forward(rows, MODE.training, softmax, count, layers, params, moments, workspace)
    return offset(layers, (count - 1) * len(LAYER))


@kernel
def batch_loss(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Forward on the gathered batch: its mean loss, without penalty; delta is left at the last layer."""
    workspace, softmax = reals(arrays, ARRAY.workspace), load(plan, PLAN.softmax_output)
    last = predict_batch(plan, arrays, rows)
    predicted = outputs_of(last, softmax, workspace)
    factor = load(float64s(arrays, ARRAY.numbers), NUMBER.loss_factor)
    scale = real(factor) / real(rows)
    total = call_loss(
        load(plan, PLAN.loss), rows, load(plan, PLAN.outputs), predicted, load(last, LAYER.stride),
        targets_of(plan, arrays), float64s(arrays, ARRAY.loss_settings), scale,
    )  # fmt: skip
    if load(last, LAYER.activation) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    return factor * (total / rows)


@kernel
def batch_gradient(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Loss and gradient, penalty included, on the gathered batch at the parameters as they stand."""
    value = batch_loss(plan, arrays, rows)
    layers, workspace = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace)
    params, grads = reals(arrays, ARRAY.params), reals(arrays, ARRAY.grads)
    backward(rows, load(plan, PLAN.layer_count), layers, params, grads, workspace)
    value += penalty(plan, arrays, 1)
    if steered(arrays):
        hold_back(plan, arrays, grads)
    return value


@kernel
def batch_factors(plan: Ints, arrays: Ints, step: Int, rows: Int) -> None:
    """Gradient, without penalty, on the gathered batch with labels drawn from what the network predicts for it."""
    workspace, softmax = reals(arrays, ARRAY.workspace), load(plan, PLAN.softmax_output)
    last = predict_batch(plan, arrays, rows)
    call_loss_sample(
        load(plan, PLAN.loss_sample), rows, load(plan, PLAN.outputs), outputs_of(last, softmax, workspace),
        load(last, LAYER.stride), load(plan, PLAN.draw_seed), step, real(1.0) / real(rows),
    )  # fmt: skip
    if load(last, LAYER.activation) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    layers, params, grads = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.params), reals(arrays, ARRAY.grads)
    backward(rows, load(plan, PLAN.layer_count), layers, params, grads, workspace)
    if steered(arrays):
        hold_back(plan, arrays, grads)


@pointer
def call_curvature(
    rows: Int, layer_count: Int, layers: Ints, loss: Int, loss_tangent: Int, params: Reals, vector: Reals, x: Reals,
    targets: Reals, settings: Float64s, result: Reals, workspace: Reals,
) -> None:  # fmt: skip
    """Call `curvature.hessian_vector_product`, which only runs that ask for it compile."""


@kernel
def batch_curvature(plan: Ints, arrays: Ints, rows: Int, vector: Reals) -> None:
    """Write the product of the Hessian, penalty included, with a vector behind that vector."""
    layers, workspace, count = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace), load(plan, PLAN.parameters)
    result, x = offset(vector, count), offset(workspace, load(layers, LAYER.input_at))
    factor = load(float64s(arrays, ARRAY.numbers), NUMBER.loss_factor)
    if steered(arrays):
        hold_back(plan, arrays, vector)
    call_curvature(
        load(plan, PLAN.curvature), rows, load(plan, PLAN.layer_count), ints(arrays, ARRAY.curvature_layers),
        load(plan, PLAN.loss), load(plan, PLAN.loss_tangent), reals(arrays, ARRAY.params), vector, x,
        targets_of(plan, arrays), float64s(arrays, ARRAY.loss_settings), result,
        reals(arrays, ARRAY.curvature_workspace),
    )  # fmt: skip
    for i in range(count if factor != 1.0 else 0):
        store(result, i, real(factor) * load(result, i))
    penalty_curvature(plan, arrays, vector, result)
    if steered(arrays):
        hold_back(plan, arrays, result)


@device
def stage_of(arrays, which):
    """Return the row of a stage."""
    return offset(ints(arrays, ARRAY.stages), which * len(STAGE))


@kernel
def ask_stage(
    plan: Ints, arrays: Ints, which: Int, phase: Int, step: Int, rows: Int, rate: Float64, value: Float64
) -> Int:
    """Call one phase of a stage with its own state, scratch and settings; DONE where the run has no such stage."""
    stage = stage_of(arrays, which)
    if load(stage, STAGE.function) == 0:
        return DONE
    return call_stage(
        load(stage, STAGE.function), phase, step, rows, load(plan, PLAN.parameters), reals(arrays, ARRAY.params),
        reals(arrays, ARRAY.grads), reals(stage, STAGE.state), reals(stage, STAGE.scratch),
        float64s(stage, STAGE.settings), rate, value, ints(stage, STAGE.tensors), load(plan, PLAN.tensor_count),
    )  # fmt: skip


@kernel
def run_stage(
    plan: Ints, arrays: Ints, which: Int, first: Int, step: Int, rows: Int, rate: Float64, value: Float64
) -> Float64:
    """Call a stage phase by phase, from phase `first`, and serve and count what it asks for; return the latest loss."""
    carry, phase, latest = float64s(arrays, ARRAY.carry), first, value
    while True:
        wanted = ask_stage(plan, arrays, which, phase, step, rows, rate, latest)
        if wanted == DONE:
            return latest
        if wanted == NEED_GRADIENT:
            latest = batch_gradient(plan, arrays, rows)
            advance(carry, CARRY.gradients, float64(1))
        elif wanted == NEED_LOSS:
            latest = batch_loss(plan, arrays, rows) + penalty(plan, arrays, 0)
        elif wanted == NEED_HVP:
            batch_curvature(plan, arrays, rows, reals(stage_of(arrays, which), STAGE.scratch))
            advance(carry, CARRY.gradients, float64(2))
        elif wanted == NEED_FACTORS:
            batch_factors(plan, arrays, step, rows)
            advance(carry, CARRY.gradients, float64(1))
        phase += 1


@kernel
def write_point(plan: Ints, arrays: Ints, step: Int) -> Int:
    """Have the point to report written to the gradients, if a stage has another than the parameters; say whether."""
    which, taken = load(plan, PLAN.point_stage), step - int(load(float64s(arrays, ARRAY.carry), CARRY.skipped))
    if which == NONE_AT or taken == 0:
        return 0
    return 1 if ask_stage(plan, arrays, which, EVALUATE, taken, 0, float64(0), float64(0)) == POINT else 0


@kernel
def set_momentum(plan: Ints, arrays: Ints, momentum: Float64) -> None:
    """Give the optimizer its momentum of this step, and what is left of 1 by the product of all those it was given."""
    settings, at = float64s(stage_of(arrays, STAGES.optimizer), STAGE.settings), load(plan, PLAN.product_at)
    store(settings, load(plan, PLAN.momentum_at), momentum)
    if at != NONE_AT:
        store(settings, at, 1.0 - momentum + momentum * load(settings, at))


@kernel
def update_params(plan: Ints, arrays: Ints, step: Int, rows: Int, rate: Float64, value: Float64) -> None:
    """Decoupled decay, then the optimizer in its wrapper, which count the steps that were not skipped."""
    taken, numbers = step - int(load(float64s(arrays, ARRAY.carry), CARRY.skipped)), float64s(arrays, ARRAY.numbers)
    if steered(arrays):
        note_params(plan, arrays)
    if load(plan, PLAN.momentum_at) != NONE_AT:
        set_momentum(plan, arrays, load(float64s(arrays, ARRAY.momenta), step - 1))
    latest = run_stage(plan, arrays, STAGES.wrapper, 0, taken, rows, rate, value)
    # Decay acts on the parameters as they were before the update, as in the paper and in PyTorch.
    if load(numbers, NUMBER.decay) != 0.0:
        decay_weights(plan, arrays, rate * load(float64s(arrays, ARRAY.decays), step - 1))
        run_stage(plan, arrays, STAGES.wrapper, DECAYED, taken, rows, rate, latest)
    latest = run_stage(plan, arrays, STAGES.optimizer, 0, taken, rows, rate, latest)
    run_stage(plan, arrays, STAGES.wrapper, AFTER, taken, rows, rate, latest)
    if steered(arrays):
        share_update(plan, arrays, step)


@kernel
def take_step(plan: Ints, arrays: Ints, step: Int, rows: Int, record: Int) -> Float64:
    """One step (counted from 1) on the gathered batch; return its loss. `record` >= 0 names a row to fill in.

    Where the clipping rule skips the step, nothing moves: not the running statistics either, which are kept meanwhile
    where those of a point to report stand at evaluations.
    """
    moments, kept = reals(arrays, ARRAY.moments), reals(arrays, ARRAY.point_moments)
    carry = float64s(arrays, ARRAY.carry)
    count = load(plan, PLAN.running_size) if load(stage_of(arrays, STAGES.clip), STAGE.function) != 0 else 0
    copy_matrix(count, moments, kept)
    value = batch_gradient(plan, arrays, rows)
    rate = load(float64s(arrays, ARRAY.rates), step - 1) * load(carry, CARRY.rate_factor)
    advance(carry, CARRY.gradients, float64(1))
    row = record_row(plan, arrays, record if record >= 0 else 0)
    if record >= 0:
        record_gradients(plan, arrays, row)
    if ask_stage(plan, arrays, STAGES.clip, 0, step, rows, rate, value) == SKIP:
        advance(carry, CARRY.skipped, float64(1))
        copy_matrix(count, kept, moments)
    else:
        update_params(plan, arrays, step, rows, rate, value)
    if record >= 0:
        record_updates(plan, arrays, row)
    return value
