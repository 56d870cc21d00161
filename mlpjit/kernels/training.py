"""A training run, or a piece of one, as one compiled call that releases the GIL.

The run's whole state goes in and comes out through its arrays, so a run in pieces has the same bits as a run at once.
"""

from __future__ import annotations

from mlpjit.kernels.layout import (
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
from mlpjit.kernels.outcomes import (
    evaluate_epoch,
    finish,
    finite,
)
from mlpjit.kernels.random import (
    ORDER_STREAM,
    fill_permutation,
)
from mlpjit.kernels.rules import (
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
from mlpjit.kernels.steps import (
    advance,
    gather_batch,
    record_row,
    take_step,
)

NAN = float("nan")


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
def diverge(carry, step):
    """Note at which step the run diverged."""
    store(carry, DIVERGED_STEP, float64(step))
    return DIVERGED


@device
def rows_owed(plan, done):
    """Return how many rows of the records are due after `done` steps: epoch 0, every few epochs, the last one."""
    epoch, every = done // load(plan, STEPS_PER_EPOCH), load(plan, EVALUATE_EVERY)
    late = 1 if done == load(plan, TOTAL_STEPS) and epoch % every != 0 else 0
    return 1 + epoch // every + late


@kernel
def end_epoch(plan: Ints, arrays: Ints, epoch: Int, step: Int) -> Int:
    """Close an epoch: its training loss, and its evaluation where one is due."""
    carry, control = float64s(arrays, CARRY), ints(arrays, CONTROL)
    mean = load(carry, LOSS_SUM) / load(carry, ROWS_SEEN)
    store(carry, FINAL_TRAIN_LOSS, mean)
    store(carry, LOSS_SUM, float64(0))
    store(carry, ROWS_SEEN, float64(0))
    if int(load(carry, ROWS_WRITTEN)) == rows_owed(plan, step):
        return RUNNING
    before = now(plan, control)
    status = evaluate_epoch(plan, arrays, epoch, step, mean)
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
        row = record_of(plan, done + 1)
        value = take_step(plan, arrays, done + 1, rows, 0 if done == 0 else row)
        if done == 0 and row > 0:
            repeat_step(plan, arrays, 0, row)
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
        status = finish(plan, arrays)
        if status == DIVERGED:
            diverge(carry, done)
        advance(carry, EVALUATE_SECONDS, now(plan, control) - before)
    spent = load(carry, EVALUATE_SECONDS) - evaluated
    advance(carry, TRAIN_SECONDS, now(plan, control) - begun - spent)
    return status
