"""A training run, or a piece of one, as one compiled call that releases the GIL.

Order within a step: gradient, L2 penalty, clip, decoupled decay, optimizer. The run's whole state goes in and
comes out through its arrays, so a run in pieces has the same bits as a run at once.
"""

from __future__ import annotations

from mlpjit.kernels.evaluation import copy_rows, evaluate, outputs_of
from mlpjit.kernels.layout import (
    ACTIVATION,
    BATCH,
    BEST_EPOCH,
    BEST_LOSS,
    BEST_MOMENTS,
    BEST_PARAMS,
    BEST_TEST_LOSS,
    CARRY,
    CLIP,
    CLIP_SETTINGS,
    CLOCK,
    CLOCK_ID,
    CONTROL,
    DECAY,
    DIAGNOSTIC_COUNT,
    DIVERGED,
    DIVERGED_STEP,
    DIVERGENCE_FACTOR,
    EVALUATE_EVERY,
    EVALUATE_SECONDS,
    FAN_IN,
    FAN_OUT,
    FINAL_TRAIN_LOSS,
    FINISHED,
    GRADIENT_NORM,
    GRADIENTS,
    GRADS,
    INPUT_AT,
    INPUT_STRIDE,
    INPUTS,
    L2,
    LAST_FINITE_LOSS,
    LAST_STEP,
    LAYER_COLUMNS,
    LAYER_COUNT,
    LAYERS,
    LOSS,
    LOSS_SUM,
    MOMENTS,
    NUMBERS,
    OPTIMIZER,
    OPTIMIZER_SETTINGS,
    ORDER,
    ORDER_SEED,
    OUTPUTS,
    PARAMETERS,
    PARAMS,
    PROGRESS,
    RATES,
    RECORD_EPOCH,
    RECORD_HEAD,
    RECORD_STEP,
    RECORD_TRAIN_LOSS,
    RECORD_VALIDATION_LOSS,
    RECORD_VALIDATION_SCORE,
    RECORDS,
    ROWS_SEEN,
    ROWS_WRITTEN,
    RUNNING,
    RUNNING_SIZE,
    SCRATCH_AT,
    SHUFFLE,
    SOFTMAX_OUTPUT,
    START_LOSS,
    STATE,
    STEP,
    STEPS_PER_EPOCH,
    STOP,
    STOPPED,
    STRIDE,
    TENSOR_COUNT,
    TENSORS,
    TEST_LOSS,
    TEST_ROWS,
    TIMES_OVER,
    TOTAL_STEPS,
    TRAIN_ROWS,
    TRAIN_SECONDS,
    UPDATE_RATIO,
    VALIDATION_ROWS,
    WEIGHT_AT,
    WEIGHT_NORM,
    WIDEST,
    WORKSPACE,
    X_TEST,
    X_TRAIN,
    X_VALIDATION,
    Y_TEST,
    Y_TRAIN,
    Y_VALIDATION,
)
from mlpjit.kernels.losses import call_loss
from mlpjit.kernels.optimizers.stages import (
    COLUMNS,
    DONE,
    KIND,
    NEED_GRADIENT,
    NEED_LOSS,
    OFFSET,
    ROWS,
    TENSOR_COLUMNS,
    WEIGHT,
    call_stage,
)
from mlpjit.kernels.passes import backward, forward, output_delta, refresh_weights
from mlpjit.kernels.random import ORDER_STREAM, fill_permutation
from mlpjit.kernels.rules import (
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    dot,
    float64,
    float64s,
    fma,
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


@pointer
def call_clock(clock: Int, out: Ints) -> Int:
    """POSIX clock_gettime: seconds and nanoseconds to out[0] and out[1]."""


@device
def now(plan, control):
    """Return the monotonic clock in seconds; 0 where there is none."""
    if load(plan, CLOCK) == 0:
        return 0.0 * float64(1)
    out = offset(control, 2)
    call_clock(load(plan, CLOCK), load(plan, CLOCK_ID), out)
    return float64(load(out, 0)) + 1e-9 * float64(load(out, 1))


@device
def advance(carry, place, amount):
    """carry[place] += amount."""
    store(carry, place, load(carry, place) + amount)


@device
def finite(x):
    """Say whether a number is neither infinite nor NaN."""
    return x - x == 0.0


@kernel
def copy_reals(count: Int, source: Reals, target: Reals) -> None:
    """target[i] = source[i]."""
    for i in range(count):
        store(target, i, load(source, i))


@kernel
def gather_batch(plan: Ints, arrays: Ints, first: Int, rows: Int) -> None:
    """Copy the rows of a batch to the first layer's input and their targets behind the record scratch."""
    order, layers, workspace = ints(arrays, ORDER), ints(arrays, LAYERS), reals(arrays, WORKSPACE)
    inputs, outputs, stride = load(plan, INPUTS), load(plan, OUTPUTS), load(layers, INPUT_STRIDE)
    x, y = reals(arrays, X_TRAIN), reals(arrays, Y_TRAIN)
    into, wanted = offset(workspace, load(layers, INPUT_AT)), targets_of(plan, arrays)
    for i in range(rows):
        at = load(order, first + i)
        copy_rows(1, inputs, offset(x, at * inputs), offset(into, i * stride), stride)
        copy_rows(1, outputs, offset(y, at * outputs), offset(wanted, i * outputs), outputs)


@device
def targets_of(plan, arrays):
    """Return where the batch's targets stand: behind the scratch of the diagnostics and the copy of W."""
    units = load(plan, WIDEST) * (1 + 2 * load(plan, LAYER_COUNT))
    return offset(reals(arrays, WORKSPACE), load(plan, SCRATCH_AT) + units + load(plan, PARAMETERS))


@kernel
def batch_loss(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Forward on the gathered batch: its mean loss, without penalty; delta is left at the last layer."""
    layers, workspace, softmax = ints(arrays, LAYERS), reals(arrays, WORKSPACE), load(plan, SOFTMAX_OUTPUT)
    params, moments, count = reals(arrays, PARAMS), reals(arrays, MOMENTS), load(plan, LAYER_COUNT)
    refresh_weights(count, layers, params, workspace)
    forward(rows, 1, softmax, count, layers, params, moments, workspace)
    last = offset(layers, (count - 1) * LAYER_COLUMNS)
    predicted = outputs_of(last, softmax, workspace)
    scale = real(1.0) / real(rows)
    total = call_loss(
        load(plan, LOSS), rows, load(plan, OUTPUTS), predicted, load(last, STRIDE), targets_of(plan, arrays), scale
    )
    if load(last, ACTIVATION) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    return total / rows


@kernel
def penalty(plan: Ints, arrays: Ints) -> Float64:
    """Return l2/2 |W|^2 over all weight matrices and add its gradient."""
    l2, tensors = load(float64s(arrays, NUMBERS), L2), ints(arrays, TENSORS)
    total = float64(0)
    for t in range(load(plan, TENSOR_COUNT) if l2 != 0.0 else 0):
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        if load(tensor, KIND) == WEIGHT:
            size = load(tensor, ROWS) * load(tensor, COLUMNS)
            w, g = offset(reals(arrays, PARAMS), load(tensor, OFFSET)), reals(arrays, GRADS)
            g = offset(g, load(tensor, OFFSET))
            total += 0.5 * l2 * dot(w, w, size)
            for i in range(size):
                store(g, i, fma(real(l2), load(w, i), load(g, i)))
    return total


@kernel
def batch_gradient(plan: Ints, arrays: Ints, rows: Int) -> Float64:
    """Loss and gradient, penalty included, on the gathered batch at the parameters as they stand."""
    value = batch_loss(plan, arrays, rows)
    layers, workspace = ints(arrays, LAYERS), reals(arrays, WORKSPACE)
    params, grads = reals(arrays, PARAMS), reals(arrays, GRADS)
    backward(rows, load(plan, LAYER_COUNT), layers, params, grads, workspace)
    return value + penalty(plan, arrays)


@kernel
def decay_weights(plan: Ints, arrays: Ints, amount: Float64) -> None:
    """W -= amount W for every weight matrix (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    tensors = ints(arrays, TENSORS)
    for t in range(load(plan, TENSOR_COUNT)):
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        if load(tensor, KIND) == WEIGHT:
            w = offset(reals(arrays, PARAMS), load(tensor, OFFSET))
            for i in range(load(tensor, ROWS) * load(tensor, COLUMNS)):
                store(w, i, load(w, i) - real(amount) * load(w, i))


@kernel
def run_stage(
    plan: Ints, arrays: Ints, stage: Int, settings: Int, step: Int, rows: Int, rate: Float64, value: Float64
) -> Int:
    """Call a stage phase by phase and serve what it asks for; return how many more gradients it took."""
    gradients, phase, latest = 0, 0, value
    while True:
        wanted = call_stage(
            stage, phase, step, load(plan, PARAMETERS), reals(arrays, PARAMS), reals(arrays, GRADS),
            reals(arrays, STATE), offset(reals(arrays, WORKSPACE), load(plan, SCRATCH_AT)),
            offset(float64s(arrays, NUMBERS), settings), rate, latest, ints(arrays, TENSORS),
            load(plan, TENSOR_COUNT),
        )  # fmt: skip
        if wanted == DONE:
            return gradients
        if wanted == NEED_GRADIENT:
            latest = batch_gradient(plan, arrays, rows)
            gradients += 1
        elif wanted == NEED_LOSS:
            latest = batch_loss(plan, arrays, rows)
        phase += 1


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


@device
def kept_weights(plan, arrays, at):
    """Return the place of the weights before the update."""
    units = load(plan, WIDEST) * (1 + 2 * load(plan, LAYER_COUNT))
    return offset(reals(arrays, WORKSPACE), load(plan, SCRATCH_AT) + units + at)


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


@device
def record_row(plan, arrays, row):
    """Return the place of a row of the records."""
    width = RECORD_HEAD + load(plan, LAYER_COUNT) * DIAGNOSTIC_COUNT
    return offset(float64s(arrays, RECORDS), row * width)


@kernel
def take_step(plan: Ints, arrays: Ints, step: Int, rows: Int, record: Int) -> Float64:
    """One step (counted from 1) on the gathered batch; return its loss. `record` >= 0 names a row to fill in."""
    numbers, carry = float64s(arrays, NUMBERS), float64s(arrays, CARRY)
    value = batch_gradient(plan, arrays, rows)
    rate, gradients = load(float64s(arrays, RATES), step - 1), 1
    row = record_row(plan, arrays, record if record >= 0 else 0)
    if record >= 0:
        record_gradients(plan, arrays, row)
    if load(plan, CLIP) != 0:
        gradients += run_stage(plan, arrays, load(plan, CLIP), CLIP_SETTINGS, step, rows, rate, value)
    # Decay acts on the parameters as they were before the update, as in the paper and in PyTorch.
    if load(numbers, DECAY) != 0.0:
        decay_weights(plan, arrays, rate * load(numbers, DECAY))
    gradients += run_stage(plan, arrays, load(plan, OPTIMIZER), OPTIMIZER_SETTINGS, step, rows, rate, value)
    if record >= 0:
        record_updates(plan, arrays, row)
    advance(carry, GRADIENTS, float64(gradients))
    return value


@kernel
def evaluate_test(plan: Ints, arrays: Ints, params: Reals, moments: Reals, place: Int) -> None:
    """Evaluate the test set at some parameters; its loss and score go to carry[place] and behind."""
    carry, workspace = float64s(arrays, CARRY), reals(arrays, WORKSPACE)
    refresh_weights(load(plan, LAYER_COUNT), ints(arrays, LAYERS), params, workspace)
    x, y, score = reals(arrays, X_TEST), reals(arrays, Y_TEST), offset(carry, place + 1)
    value = evaluate(plan, arrays, params, moments, load(plan, TEST_ROWS), x, y, 0, score, score)
    store(carry, place, value)


@kernel
def evaluate_epoch(plan: Ints, arrays: Ints, epoch: Int, step: Int, train_loss: Float64) -> Int:
    """Write a row of the records; keep the best parameters; return DIVERGED where the loss tells so."""
    carry, params, moments = float64s(arrays, CARRY), reals(arrays, PARAMS), reals(arrays, MOMENTS)
    written = int(load(carry, ROWS_WRITTEN))
    row = record_row(plan, arrays, written)
    refresh_weights(load(plan, LAYER_COUNT), ints(arrays, LAYERS), params, reals(arrays, WORKSPACE))
    x, y = reals(arrays, X_VALIDATION), reals(arrays, Y_VALIDATION)
    score = offset(row, RECORD_VALIDATION_SCORE)
    value = evaluate(plan, arrays, params, moments, load(plan, VALIDATION_ROWS), x, y, 1, row, score)
    store(row, RECORD_EPOCH, float64(epoch))
    store(row, RECORD_STEP, float64(step))
    store(row, RECORD_TRAIN_LOSS, train_loss)
    store(row, RECORD_VALIDATION_LOSS, value)
    advance(carry, ROWS_WRITTEN, 1.0 * float64(1))
    count = load(plan, PARAMETERS)
    if not finite(value) or not finite(dot(params, params, count)):
        return DIVERGED
    if epoch == 0:
        store(carry, START_LOSS, value)
    over = value > DIVERGENCE_FACTOR * load(carry, START_LOSS)
    store(carry, TIMES_OVER, load(carry, TIMES_OVER) + 1.0 if over else float64(0))
    if epoch == 0 or value < load(carry, BEST_LOSS):
        store(carry, BEST_LOSS, value)
        store(carry, BEST_EPOCH, float64(epoch))
        copy_reals(count, params, reals(arrays, BEST_PARAMS))
        copy_reals(load(plan, RUNNING_SIZE), moments, reals(arrays, BEST_MOMENTS))
    return DIVERGED if load(carry, TIMES_OVER) >= 2.0 else RUNNING


@kernel
def finish(plan: Ints, arrays: Ints) -> None:
    """Evaluate the test set at the end and at the best validation epoch."""
    evaluate_test(plan, arrays, reals(arrays, PARAMS), reals(arrays, MOMENTS), TEST_LOSS)
    evaluate_test(plan, arrays, reals(arrays, BEST_PARAMS), reals(arrays, BEST_MOMENTS), BEST_TEST_LOSS)


@device
def make_order(plan, arrays, epoch):
    """Write the order in which an epoch visits the samples; it depends on the seed and the epoch alone."""
    order, rows = ints(arrays, ORDER), load(plan, TRAIN_ROWS)
    if load(plan, SHUFFLE) != 0:
        fill_permutation(load(plan, ORDER_SEED), ORDER_STREAM, epoch, rows, order)
    else:
        for i in range(rows):
            store(order, i, i)


@device
def batch_rows(plan, batch):
    """Return the size of a batch of the epoch: the last takes what is left."""
    last = batch == load(plan, STEPS_PER_EPOCH) - 1
    return load(plan, TRAIN_ROWS) - batch * load(plan, BATCH) if last else load(plan, BATCH)


@device
def diverge(carry, step):
    """Note at which step the run diverged."""
    store(carry, DIVERGED_STEP, float64(step))
    return DIVERGED


@kernel
def end_epoch(plan: Ints, arrays: Ints, epoch: Int, step: Int) -> Int:
    """Close an epoch: its training loss, and its evaluation where one is due."""
    carry, control = float64s(arrays, CARRY), ints(arrays, CONTROL)
    mean = load(carry, LOSS_SUM) / load(carry, ROWS_SEEN)
    store(carry, FINAL_TRAIN_LOSS, mean)
    store(carry, LOSS_SUM, float64(0))
    store(carry, ROWS_SEEN, float64(0))
    if epoch % load(plan, EVALUATE_EVERY) != 0:
        return RUNNING
    before = now(plan, control)
    status = evaluate_epoch(plan, arrays, epoch, step, mean)
    advance(carry, EVALUATE_SECONDS, now(plan, control) - before)
    return status


@device
def record_of(plan, step, epochs_done, last_of_epoch):
    """Return the row of the records that a step fills in: 0 for the first, its epoch's for an epoch's last."""
    if step == 1:
        return 0
    if last_of_epoch and (epochs_done + 1) % load(plan, EVALUATE_EVERY) == 0:
        return (epochs_done + 1) // load(plan, EVALUATE_EVERY)
    return -1


@kernel
def train(plan: Ints, arrays: Ints) -> Int:
    """Run until LAST_STEP, divergence, or a stop; return RUNNING, FINISHED, DIVERGED or STOPPED."""
    carry, control = float64s(arrays, CARRY), ints(arrays, CONTROL)
    per_epoch, begun = load(plan, STEPS_PER_EPOCH), now(plan, control)
    evaluated = load(carry, EVALUATE_SECONDS)
    status = RUNNING
    done = int(load(carry, STEP))
    if done == 0 and load(carry, ROWS_WRITTEN) == 0.0:
        before = now(plan, control)
        status = evaluate_epoch(plan, arrays, 0, 0, float64(NAN))
        if status == DIVERGED:
            diverge(carry, 0)
        advance(carry, EVALUATE_SECONDS, now(plan, control) - before)
    ordered = -1
    while status == RUNNING and done < load(plan, LAST_STEP):
        if load(control, STOP) != 0:
            status = STOPPED
            break
        epoch, batch = done // per_epoch, done % per_epoch
        if epoch != ordered:
            make_order(plan, arrays, epoch)
            ordered = epoch
        rows = batch_rows(plan, batch)
        gather_batch(plan, arrays, batch * load(plan, BATCH), rows)
        last = batch == per_epoch - 1
        value = take_step(plan, arrays, done + 1, rows, record_of(plan, done + 1, epoch, last))
        done += 1
        store(carry, STEP, float64(done))
        store(control, PROGRESS, done)
        if not finite(value):
            status = diverge(carry, done)
            break
        store(carry, LAST_FINITE_LOSS, value)
        advance(carry, LOSS_SUM, value * rows)
        advance(carry, ROWS_SEEN, float64(rows))
        if last:
            status = end_epoch(plan, arrays, epoch + 1, done)
            if status == DIVERGED:
                diverge(carry, done)
    if status == RUNNING and done == load(plan, TOTAL_STEPS):
        before = now(plan, control)
        finish(plan, arrays)
        advance(carry, EVALUATE_SECONDS, now(plan, control) - before)
        status = FINISHED
    spent = load(carry, EVALUATE_SECONDS) - evaluated
    advance(carry, TRAIN_SECONDS, now(plan, control) - begun - spent)
    return status


NAN = float("nan")
