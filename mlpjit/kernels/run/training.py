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
from mlpjit.kernels.run.recording import repeat_step
from mlpjit.kernels.run.steps import advance, gather_batch, take_step
from mlpjit.kernels.tables import ARRAY, CARRY, CONTROL, PLAN, STATUS


@pointer
def call_clock(clock: Int, out: Ints) -> Int:
    """POSIX clock_gettime: seconds and nanoseconds to out[0] and out[1]."""


@device
def now(plan, control):
    """Return the monotonic clock in seconds; 0 where there is none."""
    if load(plan, PLAN.clock) == 0:
        return 0.0 * float64(1)
    out = offset(control, CONTROL.seconds)
    call_clock(load(plan, PLAN.clock), load(plan, PLAN.clock_id), out)
    return float64(load(control, CONTROL.seconds)) + 1e-9 * float64(load(control, CONTROL.nanoseconds))


@device
def make_order(plan, arrays, epoch):
    """Write the order in which an epoch visits the samples; it depends on the seed and the epoch alone."""
    order, rows = ints(arrays, ARRAY.order), load(plan, PLAN.train_rows)
    if load(plan, PLAN.shuffle) != 0:
        fill_permutation(load(plan, PLAN.order_seed), ORDER_STREAM, epoch, rows, order)
    else:
        for i in range(rows):
            store(order, i, i)


@device
def batch_rows(plan, batch):
    """Return the size of a batch of the epoch: the last takes what is left."""
    last = batch == load(plan, PLAN.steps_per_epoch) - 1
    return load(plan, PLAN.train_rows) - batch * load(plan, PLAN.batch) if last else load(plan, PLAN.batch)


@device
def rows_owed(plan, done):
    """Return how many rows of the records are due after `done` steps: epoch 0, every few epochs, the last one."""
    epoch, every = done // load(plan, PLAN.steps_per_epoch), load(plan, PLAN.evaluate_every)
    late = 1 if done == load(plan, PLAN.total_steps) and epoch % every != 0 else 0
    return 1 + epoch // every + late


@device
def close_epoch(carry):
    """Set the epoch's training loss, the mean over its samples, and begin the next."""
    store(carry, CARRY.final_train_loss, load(carry, CARRY.loss_sum) / load(carry, CARRY.rows_seen))
    store(carry, CARRY.loss_sum, float64(0))
    store(carry, CARRY.rows_seen, float64(0))


@kernel
def report(plan: Ints, arrays: Ints, done: Int, last: Int) -> Int:
    """Evaluate after `done` steps: an epoch, or with `last` the test set; return the run's status."""
    carry, control = float64s(arrays, ARRAY.carry), ints(arrays, ARRAY.control)
    before, epoch = now(plan, control), done // load(plan, PLAN.steps_per_epoch)
    if last != 0:
        status = finish(plan, arrays)
    else:
        status = evaluate_epoch(plan, arrays, epoch, done, load(carry, CARRY.final_train_loss))
    if status == STATUS.diverged:
        store(carry, CARRY.diverged_step, float64(done))
    advance(carry, CARRY.evaluate_seconds, now(plan, control) - before)
    return status


@device
def record_of(plan, step):
    """Return the row of the records that a step fills in: that of the epoch it is the last of, -1 for none."""
    owed = rows_owed(plan, step)
    return owed - 1 if owed > rows_owed(plan, step - 1) else -1


@device
def note_step(plan, arrays, done, rows, value, skipped):
    """Carry on what the step after `done` has said; return its status. skipped: 1.0 where it was."""
    carry, per_epoch = float64s(arrays, ARRAY.carry), load(plan, PLAN.steps_per_epoch)
    store(carry, CARRY.step, float64(done + 1))
    if finite(value):
        store(carry, CARRY.last_finite_loss, value)
        advance(carry, CARRY.loss_sum, value * rows)
        advance(carry, CARRY.rows_seen, float64(rows))
    elif skipped == 0.0:
        store(carry, CARRY.diverged_step, float64(done + 1))
        return STATUS.diverged
    if done % per_epoch == per_epoch - 1:
        close_epoch(carry)
    return STATUS.running


@kernel
def make_step(plan: Ints, arrays: Ints, done: Int) -> Int:
    """Take the step after `done`; return DIVERGED where its loss is not finite, unless it was skipped.

    The epoch's training loss is the mean over the samples whose loss was finite: NaN where there were none.
    """
    carry, per_epoch = float64s(arrays, ARRAY.carry), load(plan, PLAN.steps_per_epoch)
    batch, skipped = done % per_epoch, load(carry, CARRY.skipped)
    rows = batch_rows(plan, batch)
    gather_batch(plan, arrays, batch * load(plan, PLAN.batch), rows)
    draw_masks(plan, arrays, done + 1, rows)
    row = record_of(plan, done + 1)
    value = take_step(plan, arrays, done + 1, rows, 0 if done == 0 else row)
    if done == 0 and row > 0:
        repeat_step(plan, arrays, 0, row)
    store(ints(arrays, ARRAY.control), CONTROL.progress, done + 1)
    return note_step(plan, arrays, done, rows, value, load(carry, CARRY.skipped) - skipped)


@kernel
def train(plan: Ints, arrays: Ints) -> Int:
    """Run until LAST_STEP, divergence, or a stop; return RUNNING, FINISHED, DIVERGED or STOPPED.

    The stop flag is read before each step and before each chunk of an evaluation. A step is never cut: with the whole
    training set as one batch a stop waits for all of it. An evaluation that was cut is made again by the next call.
    """
    carry, control = float64s(arrays, ARRAY.carry), ints(arrays, ARRAY.control)
    begun, evaluated = now(plan, control), load(carry, CARRY.evaluate_seconds)
    status, ordered = STATUS.running, -1
    done = int(load(carry, CARRY.step))
    while status == STATUS.running:
        if load(carry, CARRY.rows_written) < float64(rows_owed(plan, done)):
            status = report(plan, arrays, done, 0)
        elif done >= load(plan, PLAN.last_step):
            break
        elif load(control, CONTROL.stop) != 0:
            status = STATUS.stopped
        else:
            epoch = done // load(plan, PLAN.steps_per_epoch)
            if epoch != ordered:
                make_order(plan, arrays, epoch)
                ordered = epoch
            status = make_step(plan, arrays, done)
            done += 1
    if status == STATUS.running and done == load(plan, PLAN.total_steps):
        status = report(plan, arrays, done, 1)
    spent = load(carry, CARRY.evaluate_seconds) - evaluated
    advance(carry, CARRY.train_seconds, now(plan, control) - begun - spent)
    return status
