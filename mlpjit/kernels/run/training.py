"""A training run, or a piece of one, as one compiled call that releases the GIL.

The run's whole state goes in and comes out through its arrays, so a run in pieces has the same bits as a run at once.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.random import (
    ORDER_STREAM,
    fill_permutation,
)
from mlpjit.kernels.language import (
    Int,
    Ints,
    device,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    pointer,
    store,
)
from mlpjit.kernels.network.dropout import draw_masks
from mlpjit.kernels.run.outcomes import (
    evaluate_epoch,
    finish,
    finite,
)
from mlpjit.kernels.run.steps import (
    advance,
    gather_batch,
    record_row,
    take_step,
)
from mlpjit.kernels.tables import (
    BATCH,
    CARRY,
    CLOCK,
    CLOCK_ID,
    CONTROL,
    DIAGNOSTIC_COUNT,
    DIVERGED,
    DIVERGED_STEP,
    EVALUATE_EVERY,
    EVALUATE_SECONDS,
    FINAL_TRAIN_LOSS,
    GRADIENT_NORM,
    LAST_FINITE_LOSS,
    LAST_STEP,
    LAYER_COUNT,
    LOSS_SUM,
    ORDER,
    ORDER_SEED,
    PROGRESS,
    RECORD_HEAD,
    ROWS_SEEN,
    ROWS_WRITTEN,
    RUNNING,
    SHUFFLE,
    SKIPPED,
    STEP,
    STEPS_PER_EPOCH,
    STOP,
    STOPPED,
    TOTAL_STEPS,
    TRAIN_ROWS,
    TRAIN_SECONDS,
    UPDATE_RATIO,
    WEIGHT_NORM,
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
def rows_owed(plan, done):
    """Return how many rows of the records are due after `done` steps: epoch 0, every few epochs, the last one."""
    epoch, every = done // load(plan, STEPS_PER_EPOCH), load(plan, EVALUATE_EVERY)
    late = 1 if done == load(plan, TOTAL_STEPS) and epoch % every != 0 else 0
    return 1 + epoch // every + late


@device
def close_epoch(carry):
    """Set the epoch's training loss, the mean over its samples, and begin the next."""
    store(carry, FINAL_TRAIN_LOSS, load(carry, LOSS_SUM) / load(carry, ROWS_SEEN))
    store(carry, LOSS_SUM, float64(0))
    store(carry, ROWS_SEEN, float64(0))


@kernel
def report(plan: Ints, arrays: Ints, done: Int, last: Int) -> Int:
    """Evaluate after `done` steps: an epoch, or with `last` the test set; return the run's status."""
    carry, control = float64s(arrays, CARRY), ints(arrays, CONTROL)
    before, epoch = now(plan, control), done // load(plan, STEPS_PER_EPOCH)
    if last != 0:
        status = finish(plan, arrays)
    else:
        status = evaluate_epoch(plan, arrays, epoch, done, load(carry, FINAL_TRAIN_LOSS))
    if status == DIVERGED:
        store(carry, DIVERGED_STEP, float64(done))
    advance(carry, EVALUATE_SECONDS, now(plan, control) - before)
    return status


@device
def record_of(plan, step):
    """Return the row of the records that a step fills in: that of the epoch it is the last of, -1 for none."""
    owed = rows_owed(plan, step)
    return owed - 1 if owed > rows_owed(plan, step - 1) else -1


@kernel
def repeat_step(plan: Ints, arrays: Ints, source: Int, target: Int) -> None:
    """Give a row of the records what another says of the step: norms of gradients and weights, and update ratios."""
    for l in range(load(plan, LAYER_COUNT)):  # noqa: E741
        at = RECORD_HEAD + l * DIAGNOSTIC_COUNT
        given, into = offset(record_row(plan, arrays, source), at), offset(record_row(plan, arrays, target), at)
        store(into, GRADIENT_NORM, load(given, GRADIENT_NORM))
        store(into, WEIGHT_NORM, load(given, WEIGHT_NORM))
        store(into, UPDATE_RATIO, load(given, UPDATE_RATIO))


@kernel
def make_step(plan: Ints, arrays: Ints, done: Int) -> Int:
    """Take the step after `done`; return DIVERGED where its loss is not finite, unless it was skipped.

    The epoch's training loss is the mean over the samples whose loss was finite: NaN where there were none.
    """
    carry, per_epoch = float64s(arrays, CARRY), load(plan, STEPS_PER_EPOCH)
    batch, skipped = done % per_epoch, load(carry, SKIPPED)
    rows = batch_rows(plan, batch)
    gather_batch(plan, arrays, batch * load(plan, BATCH), rows)
    draw_masks(plan, arrays, done + 1, rows)
    row = record_of(plan, done + 1)
    value = take_step(plan, arrays, done + 1, rows, 0 if done == 0 else row)
    if done == 0 and row > 0:
        repeat_step(plan, arrays, 0, row)
    store(carry, STEP, float64(done + 1))
    store(ints(arrays, CONTROL), PROGRESS, done + 1)
    if finite(value):
        store(carry, LAST_FINITE_LOSS, value)
        advance(carry, LOSS_SUM, value * rows)
        advance(carry, ROWS_SEEN, float64(rows))
    elif load(carry, SKIPPED) == skipped:
        store(carry, DIVERGED_STEP, float64(done + 1))
        return DIVERGED
    if batch == per_epoch - 1:
        close_epoch(carry)
    return RUNNING


@kernel
def train(plan: Ints, arrays: Ints) -> Int:
    """Run until LAST_STEP, divergence, or a stop; return RUNNING, FINISHED, DIVERGED or STOPPED.

    The stop flag is read before each step and before each chunk of an evaluation. A step is never cut: with the whole
    training set as one batch a stop waits for all of it. An evaluation that was cut is made again by the next call.
    """
    carry, control = float64s(arrays, CARRY), ints(arrays, CONTROL)
    begun, evaluated = now(plan, control), load(carry, EVALUATE_SECONDS)
    status, ordered = RUNNING, -1
    done = int(load(carry, STEP))
    while status == RUNNING:
        if load(carry, ROWS_WRITTEN) < float64(rows_owed(plan, done)):
            status = report(plan, arrays, done, 0)
        elif done >= load(plan, LAST_STEP):
            break
        elif load(control, STOP) != 0:
            status = STOPPED
        else:
            epoch = done // load(plan, STEPS_PER_EPOCH)
            if epoch != ordered:
                make_order(plan, arrays, epoch)
                ordered = epoch
            status = make_step(plan, arrays, done)
            done += 1
    if status == RUNNING and done == load(plan, TOTAL_STEPS):
        status = report(plan, arrays, done, 1)
    spent = load(carry, EVALUATE_SECONDS) - evaluated
    advance(carry, TRAIN_SECONDS, now(plan, control) - begun - spent)
    return status
