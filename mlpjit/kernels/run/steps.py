"""One training step on a gathered batch, and what it records.

Order within a step: gradient, penalties, clip (which may skip the rest), decoupled decay, optimizer. Decay comes before
the update because it acts on the parameters as they were, as in its paper and in PyTorch. Stages ask for what they need
and are served here.
"""

from __future__ import annotations

from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    dot,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    pointer,
    real,
    reals,
    sqrt,
    store,
)
from mlpjit.kernels.network.loss_rules import (
    call_loss,
    call_loss_sample,
)
from mlpjit.kernels.network.passes import (
    backward,
    forward,
    output_delta,
    refresh_weights,
)
from mlpjit.kernels.run.evaluation import (
    copy_row,
    outputs_of,
)
from mlpjit.kernels.run.penalties import decay_weights, penalty, penalty_curvature
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
    TENSOR_COLUMNS,
    call_stage,
)
from mlpjit.kernels.tables import (
    ACTIVATION,
    CARRY,
    CLIP,
    CLIP_SCRATCH,
    CLIP_STAGE,
    CLIP_STATE,
    CURVATURE,
    CURVATURE_TABLES,
    CURVATURE_WORKSPACE,
    DECAY,
    DECAYS,
    DIAGNOSTIC_COUNT,
    DRAW_SEED,
    FAN_IN,
    FAN_OUT,
    GRADIENT_NORM,
    GRADIENTS,
    GRADS,
    INPUT_AT,
    INPUT_STRIDE,
    INPUTS,
    LAYER_COLUMNS,
    LAYER_COUNT,
    LAYERS,
    LOSS,
    LOSS_SAMPLE,
    LOSS_SETTINGS,
    LOSS_TANGENT,
    MOMENTA,
    MOMENTS,
    MOMENTUM_AT,
    MOST_SETTINGS,
    NUMBERS,
    OPTIMIZER_STAGE,
    ORDER,
    OUTPUTS,
    PARAMETERS,
    PARAMS,
    POINT_MOMENTS,
    POINT_STAGE,
    RATE_FACTOR,
    RATES,
    RECORD_HEAD,
    RECORDS,
    RUNNING_SIZE,
    SCRATCH_AT,
    SKIPPED,
    SOFTMAX_OUTPUT,
    STAGE_SETTINGS,
    STRIDE,
    TENSOR_COUNT,
    TENSORS,
    TRAINING,
    UPDATE_RATIO,
    WEIGHT_AT,
    WEIGHT_NORM,
    WIDEST,
    WORKSPACE,
    WRAPPER_STAGE,
    X_TRAIN,
    Y_TRAIN,
)


@device
def advance(carry, place, amount):
    """carry[place] += amount."""
    store(carry, place, load(carry, place) + amount)


@kernel
def copy_reals(count: Int, source: Reals, target: Reals) -> None:
    """target[i] = source[i]."""
    for i in range(count):
        store(target, i, load(source, i))


@device
def targets_of(plan, arrays):
    """Return where the batch's targets stand: behind the scratch of the diagnostics and the copy of W."""
    units = load(plan, WIDEST) * (1 + 2 * load(plan, LAYER_COUNT))
    return offset(reals(arrays, WORKSPACE), load(plan, SCRATCH_AT) + units + load(plan, PARAMETERS))


@kernel
def gather_batch(plan: Ints, arrays: Ints, first: Int, rows: Int) -> None:
    """Copy the rows of a batch to the first layer's input and their targets behind the record scratch."""
    order, layers, workspace = ints(arrays, ORDER), ints(arrays, LAYERS), reals(arrays, WORKSPACE)
    inputs, outputs, stride = load(plan, INPUTS), load(plan, OUTPUTS), load(layers, INPUT_STRIDE)
    x, y = reals(arrays, X_TRAIN), reals(arrays, Y_TRAIN)
    into, wanted = offset(workspace, load(layers, INPUT_AT)), targets_of(plan, arrays)
    for i in range(rows):
        at = load(order, first + i)
        copy_row(inputs, offset(x, at * inputs), offset(into, i * stride))
        copy_row(outputs, offset(y, at * outputs), offset(wanted, i * outputs))


@device
def predict_batch(plan, arrays, rows):
    """Forward on the gathered batch; return the last layer."""
    layers, workspace, softmax = ints(arrays, LAYERS), reals(arrays, WORKSPACE), load(plan, SOFTMAX_OUTPUT)
    params, moments, count = reals(arrays, PARAMS), reals(arrays, MOMENTS), load(plan, LAYER_COUNT)
    refresh_weights(rows, count, layers, params, workspace)
    forward(rows, TRAINING, softmax, count, layers, params, moments, workspace)
    return offset(layers, (count - 1) * LAYER_COLUMNS)


@kernel
def batch_loss(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Forward on the gathered batch: its mean loss, without penalty; delta is left at the last layer."""
    workspace, softmax, last = reals(arrays, WORKSPACE), load(plan, SOFTMAX_OUTPUT), predict_batch(plan, arrays, rows)
    predicted = outputs_of(last, softmax, workspace)
    scale = real(1.0) / real(rows)
    total = call_loss(
        load(plan, LOSS), rows, load(plan, OUTPUTS), predicted, load(last, STRIDE), targets_of(plan, arrays),
        offset(float64s(arrays, NUMBERS), LOSS_SETTINGS), scale,
    )  # fmt: skip
    if load(last, ACTIVATION) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    return total / rows


@kernel
def batch_gradient(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Loss and gradient, penalty included, on the gathered batch at the parameters as they stand."""
    value = batch_loss(plan, arrays, rows)
    layers, workspace = ints(arrays, LAYERS), reals(arrays, WORKSPACE)
    params, grads = reals(arrays, PARAMS), reals(arrays, GRADS)
    backward(rows, load(plan, LAYER_COUNT), layers, params, grads, workspace)
    return value + penalty(plan, arrays, 1)


@kernel
def batch_factors(plan: Ints, arrays: Ints, step: Int, rows: Int) -> None:
    """Gradient, without penalty, on the gathered batch with labels drawn from what the network predicts for it."""
    workspace, softmax, last = reals(arrays, WORKSPACE), load(plan, SOFTMAX_OUTPUT), predict_batch(plan, arrays, rows)
    call_loss_sample(
        load(plan, LOSS_SAMPLE), rows, load(plan, OUTPUTS), outputs_of(last, softmax, workspace), load(last, STRIDE),
        load(plan, DRAW_SEED), step, real(1.0) / real(rows),
    )  # fmt: skip
    if load(last, ACTIVATION) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    layers, params, grads = ints(arrays, LAYERS), reals(arrays, PARAMS), reals(arrays, GRADS)
    backward(rows, load(plan, LAYER_COUNT), layers, params, grads, workspace)


@pointer
def call_curvature(
    rows: Int, layer_count: Int, layers: Ints, loss: Int, loss_tangent: Int, params: Reals, vector: Reals, x: Reals,
    targets: Reals, settings: Float64s, result: Reals, workspace: Reals,
) -> None:  # fmt: skip
    """Call `curvature.hessian_vector_product`, which only runs that ask for it compile."""


@kernel
def batch_curvature(plan: Ints, arrays: Ints, rows: Int, vector: Reals) -> None:
    """Write the product of the Hessian, penalty included, with a vector behind that vector."""
    layers, workspace, count = ints(arrays, LAYERS), reals(arrays, WORKSPACE), load(plan, PARAMETERS)
    result = offset(vector, count)
    call_curvature(
        load(plan, CURVATURE), rows, load(plan, LAYER_COUNT), ints(arrays, CURVATURE_TABLES), load(plan, LOSS),
        load(plan, LOSS_TANGENT), reals(arrays, PARAMS), vector, offset(workspace, load(layers, INPUT_AT)),
        targets_of(plan, arrays), offset(float64s(arrays, NUMBERS), LOSS_SETTINGS), result,
        reals(arrays, CURVATURE_WORKSPACE),
    )  # fmt: skip
    penalty_curvature(plan, arrays, vector, result)


@kernel
def ask_stage(
    plan: Ints, arrays: Ints, which: Int, phase: Int, step: Int, rows: Int, rate: Float64, value: Float64
) -> Int:
    """Call one phase of a stage with its own state, scratch and settings; DONE where the run has no such stage."""
    if load(plan, CLIP + which) == 0:
        return DONE
    scratch = offset(reals(arrays, WORKSPACE), load(plan, CLIP_SCRATCH + which))
    settings = offset(float64s(arrays, NUMBERS), STAGE_SETTINGS + MOST_SETTINGS * which)
    return call_stage(
        load(plan, CLIP + which), phase, step, rows, load(plan, PARAMETERS), reals(arrays, PARAMS),
        reals(arrays, GRADS), reals(arrays, CLIP_STATE + which), scratch, settings, rate, value,
        offset(ints(arrays, TENSORS), which * load(plan, TENSOR_COUNT) * TENSOR_COLUMNS), load(plan, TENSOR_COUNT),
    )  # fmt: skip


@kernel
def run_stage(
    plan: Ints, arrays: Ints, which: Int, first: Int, step: Int, rows: Int, rate: Float64, value: Float64
) -> Float64:
    """Call a stage phase by phase, from phase `first`, and serve and count what it asks for; return the latest loss."""
    carry, phase, latest = float64s(arrays, CARRY), first, value
    while True:
        wanted = ask_stage(plan, arrays, which, phase, step, rows, rate, latest)
        if wanted == DONE:
            return latest
        if wanted == NEED_GRADIENT:
            latest = batch_gradient(plan, arrays, rows)
            advance(carry, GRADIENTS, float64(1))
        elif wanted == NEED_LOSS:
            latest = batch_loss(plan, arrays, rows) + penalty(plan, arrays, 0)
        elif wanted == NEED_HVP:
            scratch = offset(reals(arrays, WORKSPACE), load(plan, CLIP_SCRATCH + which))
            batch_curvature(plan, arrays, rows, scratch)
            advance(carry, GRADIENTS, float64(2))
        elif wanted == NEED_FACTORS:
            batch_factors(plan, arrays, step, rows)
            advance(carry, GRADIENTS, float64(1))
        phase += 1


@kernel
def write_point(plan: Ints, arrays: Ints, step: Int) -> Int:
    """Have the point to report written to the gradients, if a stage has another than the parameters; say whether."""
    which, taken = load(plan, POINT_STAGE), step - int(load(float64s(arrays, CARRY), SKIPPED))
    if which == 0 or taken == 0:
        return 0
    return 1 if ask_stage(plan, arrays, which, EVALUATE, taken, 0, float64(0), float64(0)) == POINT else 0


@device
def record_row(plan, arrays, row):
    """Return the place of a row of the records."""
    width = RECORD_HEAD + load(plan, LAYER_COUNT) * DIAGNOSTIC_COUNT
    return offset(float64s(arrays, RECORDS), row * width)


@device
def kept_weights(plan, arrays, at):
    """Return the place of the weights before the update."""
    units = load(plan, WIDEST) * (1 + 2 * load(plan, LAYER_COUNT))
    return offset(reals(arrays, WORKSPACE), load(plan, SCRATCH_AT) + units + at)


@kernel
def record_gradients(plan: Ints, arrays: Ints, record: Float64s) -> None:
    """Write each layer's gradient and weight norms; keep the weights for the update's norm."""
    layers, params = ints(arrays, LAYERS), reals(arrays, PARAMS)
    for l in range(load(plan, LAYER_COUNT)):  # noqa: E741
        layer, row = offset(layers, l * LAYER_COLUMNS), offset(record, RECORD_HEAD + l * DIAGNOSTIC_COUNT)
        at, size = load(layer, WEIGHT_AT), load(layer, FAN_IN) * load(layer, FAN_OUT)
        g, w = offset(reals(arrays, GRADS), at), offset(params, at)
        store(row, GRADIENT_NORM, sqrt(dot(g, g, size)))
        store(row, WEIGHT_NORM, sqrt(dot(w, w, size)))
        copy_reals(size, w, kept_weights(plan, arrays, at))


@kernel
def record_updates(plan: Ints, arrays: Ints, record: Float64s) -> None:
    """Write |change of W| / |W| of each layer, against the weights that record_gradients kept."""
    layers, params = ints(arrays, LAYERS), reals(arrays, PARAMS)
    for l in range(load(plan, LAYER_COUNT)):  # noqa: E741
        layer, row = offset(layers, l * LAYER_COLUMNS), offset(record, RECORD_HEAD + l * DIAGNOSTIC_COUNT)
        at, size = load(layer, WEIGHT_AT), load(layer, FAN_IN) * load(layer, FAN_OUT)
        w, kept = offset(params, at), kept_weights(plan, arrays, at)
        for i in range(size):
            store(kept, i, load(w, i) - load(kept, i))
        store(row, UPDATE_RATIO, sqrt(dot(kept, kept, size)) / load(row, WEIGHT_NORM))


@kernel
def update_params(plan: Ints, arrays: Ints, step: Int, rows: Int, rate: Float64, value: Float64) -> None:
    """Decoupled decay, then the optimizer in its wrapper, which count the steps that were not skipped."""
    taken, numbers = step - int(load(float64s(arrays, CARRY), SKIPPED)), float64s(arrays, NUMBERS)
    if load(plan, MOMENTUM_AT) != 0:
        store(numbers, load(plan, MOMENTUM_AT), load(float64s(arrays, MOMENTA), step - 1))
    latest = run_stage(plan, arrays, WRAPPER_STAGE, 0, taken, rows, rate, value)
    # Decay acts on the parameters as they were before the update, as in the paper and in PyTorch.
    if load(numbers, DECAY) != 0.0:
        decay_weights(plan, arrays, rate * load(float64s(arrays, DECAYS), step - 1))
        run_stage(plan, arrays, WRAPPER_STAGE, DECAYED, taken, rows, rate, latest)
    latest = run_stage(plan, arrays, OPTIMIZER_STAGE, 0, taken, rows, rate, latest)
    run_stage(plan, arrays, WRAPPER_STAGE, AFTER, taken, rows, rate, latest)


@kernel
def take_step(plan: Ints, arrays: Ints, step: Int, rows: Int, record: Int) -> Float64:
    """One step (counted from 1) on the gathered batch; return its loss. `record` >= 0 names a row to fill in.

    Where the clipping rule skips the step, nothing moves: not the running statistics either, which are kept meanwhile
    where those of a point to report stand at evaluations.
    """
    carry, moments, kept = float64s(arrays, CARRY), reals(arrays, MOMENTS), reals(arrays, POINT_MOMENTS)
    count = load(plan, RUNNING_SIZE) if load(plan, CLIP) != 0 else 0
    copy_reals(count, moments, kept)
    value = batch_gradient(plan, arrays, rows)
    rate = load(float64s(arrays, RATES), step - 1) * load(carry, RATE_FACTOR)
    advance(carry, GRADIENTS, float64(1))
    row = record_row(plan, arrays, record if record >= 0 else 0)
    if record >= 0:
        record_gradients(plan, arrays, row)
    if ask_stage(plan, arrays, CLIP_STAGE, 0, step, rows, rate, value) == SKIP:
        advance(carry, SKIPPED, float64(1))
        copy_reals(count, kept, moments)
    else:
        update_params(plan, arrays, step, rows, rate, value)
    if record >= 0:
        record_updates(plan, arrays, row)
    return value
