"""A group of runs from its beginning to its end: steps and evaluations in lanes, the fate of each its own.

What a run is judged by and what it records is done for each run in its own memory, by the functions that do it alone.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.evaluation import (
    add_losses,
    evaluate_group,
    lose_block,
    score_of,
    write_observed,
)
from mlpjit.kernels.lanes.group import (
    GROUP,
    arrays_of,
    clear,
    goes_on,
    plan_of,
    run_of,
    stage_in,
    take_in,
    take_out,
    turn_in,
)
from mlpjit.kernels.lanes.passes import backward_block, forward_block, output_delta_block
from mlpjit.kernels.lanes.updates import call_lane_update, decay_in_lanes
from mlpjit.kernels.language import (
    Int,
    Ints,
    Primitive,
    device,
    dot,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    store,
)
from mlpjit.kernels.run.beginning import CHUNK, begin_run
from mlpjit.kernels.run.chunk import keep_run
from mlpjit.kernels.run.evaluation import copy_row, stop_asked
from mlpjit.kernels.run.outcomes import finite, judge_epoch
from mlpjit.kernels.run.recording import record_gradients, record_row, record_updates, repeat_step
from mlpjit.kernels.run.steps import advance, set_momentum, stage_of
from mlpjit.kernels.run.training import batch_rows, make_order, note_step, now, record_of, rows_owed
from mlpjit.kernels.run.units import write_units
from mlpjit.kernels.tables import ARRAY, CARRY, CONTROL, NONE_AT, NUMBER, PLAN, STAGE, STAGES, STATUS

move_pair = Primitive("move_pair")


@kernel
def gather_rows(group: Ints, array: Int, first: Int, rows: Int, columns: Int, into: Reals) -> None:
    """Put rows of each run's batch into lanes, in its order."""
    for lane in range(LANES):
        arrays, staged = arrays_of(group, lane), offset(reals(group, GROUP.staged), lane * rows * columns)
        order, source = offset(ints(arrays, ARRAY.order), first), reals(arrays, array)
        if columns == 2:
            for i in range(rows):
                move_pair(offset(source, 2 * load(order, i)), offset(staged, 2 * i))
        else:
            for i in range(rows):
                copy_row(columns, offset(source, load(order, i) * columns), offset(staged, i * columns))
    turn_in(group, rows * columns, into)


@kernel
def group_gradient(group: Ints, first: Int, rows: Int) -> None:
    """Losses and gradients of all runs on a batch; a stop ends it after the block it is in: then they are void."""
    plan, grads, block, late = plan_of(group, 0), reals(group, GROUP.grads), load(group, GROUP.block), 0
    clear(load(plan, PLAN.parameters) * LANES, grads)
    clear(LANES, float64s(group, GROUP.losses))
    scale = real(1.0) / real(rows)
    for i in range(0, rows, block):
        if stop_asked(arrays_of(group, 0)) != 0:
            return
        few = min(block, rows - i)
        gather_rows(group, ARRAY.x_train, first + i, few, load(plan, PLAN.inputs), reals(group, GROUP.inputs))
        gather_rows(group, ARRAY.y_train, first + i, few, load(plan, PLAN.outputs), reals(group, GROUP.targets))
        forward_block(group, few, reals(group, GROUP.params))
        late = lose_block(group, i, few, scale)
        output_delta_block(group, few)
        backward_block(group, few, rows)
    add_losses(group, rows, late)


@kernel
def update_group(group: Ints, step: Int) -> None:
    """Decoupled decay, then the optimizer."""
    rates, amounts = float64s(group, GROUP.rates), float64s(group, GROUP.sums)
    decays = load(float64s(arrays_of(group, 0), ARRAY.numbers), NUMBER.decay) != 0.0
    for lane in range(LANES):
        plan, arrays = plan_of(group, lane), arrays_of(group, lane)
        if load(plan, PLAN.momentum_at) != NONE_AT:
            set_momentum(plan, arrays, load(float64s(arrays, ARRAY.momenta), step - 1))
        factor = load(float64s(arrays, ARRAY.carry), CARRY.rate_factor)
        store(rates, lane, load(float64s(arrays, ARRAY.rates), step - 1) * factor)
        if decays:
            store(amounts, lane, load(rates, lane) * load(float64s(arrays, ARRAY.decays), step - 1))
    if decays:
        decay_in_lanes(group, amounts)
    call_lane_update(load(group, GROUP.update), group, step, rates)


@kernel
def record_before(group: Ints, row: Int) -> None:
    """Have each run record its gradient."""
    count = load(plan_of(group, 0), PLAN.parameters)
    take_out(group, ARRAY.grads, count, reals(group, GROUP.grads))
    take_out(group, ARRAY.params, count, reals(group, GROUP.params))
    for lane in range(LANES):
        if goes_on(group, lane):
            plan, arrays = plan_of(group, lane), arrays_of(group, lane)
            record_gradients(plan, arrays, record_row(plan, arrays, row))


@kernel
def record_behind(group: Ints, row: Int, other: Int) -> None:
    """Have each run record its update, and the whole step in another row too, unless that is -1."""
    take_out(group, ARRAY.params, load(plan_of(group, 0), PLAN.parameters), reals(group, GROUP.params))
    for lane in range(LANES):
        if goes_on(group, lane):
            plan, arrays = plan_of(group, lane), arrays_of(group, lane)
            record_updates(plan, arrays, record_row(plan, arrays, row))
            if other >= 0:
                repeat_step(plan, arrays, row, other)


@device
def note_steps(group, done, rows):
    """Carry on what the step has said of each run; one whose loss is not finite ends."""
    statuses, losses = ints(group, GROUP.statuses), float64s(group, GROUP.losses)
    for lane in range(LANES):
        if load(statuses, lane) == STATUS.running:
            plan, arrays = plan_of(group, lane), arrays_of(group, lane)
            advance(float64s(arrays, ARRAY.carry), CARRY.gradients, float64(1))
            value = load(losses, lane) / rows + float64(0)
            store(statuses, lane, note_step(plan, arrays, done, rows, value, float64(0)))


@kernel
def group_step(group: Ints, done: Int) -> None:
    """Take the step after `done` of all runs."""
    plan = plan_of(group, 0)
    batch = done % load(plan, PLAN.steps_per_epoch)
    rows, row = batch_rows(plan, batch), record_of(plan, done + 1)
    group_gradient(group, batch * load(plan, PLAN.batch), rows)
    first = 0 if done == 0 else row
    if first >= 0:
        record_before(group, first)
    update_group(group, done + 1)
    if first >= 0:
        record_behind(group, first, row if done == 0 and row > 0 else -1)
    note_steps(group, done, rows)
    store(ints(arrays_of(group, 0), ARRAY.control), CONTROL.progress, (done + 1) * LANES)


@kernel
def report_group(group: Ints, done: Int) -> None:
    """Evaluate an epoch of all runs after `done` steps."""
    rows, epoch = load(plan_of(group, 0), PLAN.validation_rows), done // load(plan_of(group, 0), PLAN.steps_per_epoch)
    params, statuses, sums = reals(group, GROUP.params), ints(group, GROUP.statuses), float64s(group, GROUP.sums)
    evaluate_group(group, params, rows, ARRAY.x_validation, ARRAY.y_validation, 1)
    if stop_asked(arrays_of(group, 0)) != 0:
        return
    write_observed(group, rows)
    take_out(group, ARRAY.params, load(plan_of(group, 0), PLAN.parameters), params)
    for lane in range(LANES):
        if goes_on(group, lane):
            plan, arrays = plan_of(group, lane), arrays_of(group, lane)
            carry, score = float64s(arrays, ARRAY.carry), float64s(arrays, ARRAY.spare)
            write_units(plan, arrays, rows, record_row(plan, arrays, int(load(carry, CARRY.rows_written))))
            score_of(group, lane, rows, ARRAY.y_validation, score)
            train_loss = load(carry, CARRY.final_train_loss)
            status = judge_epoch(
                plan, arrays, epoch, done, train_loss, load(sums, lane), load(score, 0),
                reals(arrays, ARRAY.params), reals(arrays, ARRAY.moments),
            )  # fmt: skip
            if status == STATUS.diverged:
                store(carry, CARRY.diverged_step, float64(done))
            store(statuses, lane, status)


@kernel
def test_group(group: Ints, loss: Int, score: Int, from_array: Int) -> None:
    """Evaluate the test set; losses and scores go to these places of what is carried."""
    rows, best = load(plan_of(group, 0), PLAN.test_rows), reals(group, GROUP.best)
    take_in(group, from_array, load(plan_of(group, 0), PLAN.parameters), best)
    evaluate_group(group, best, rows, ARRAY.x_test, ARRAY.y_test, 0)
    for lane in range(LANES):
        if goes_on(group, lane):
            carry = float64s(arrays_of(group, lane), ARRAY.carry)
            store(carry, loss, load(float64s(group, GROUP.sums), lane))
            score_of(group, lane, rows, ARRAY.y_test, offset(carry, score))


@kernel
def finish_group(group: Ints, done: Int) -> None:
    """Evaluate the test set at the end and at the best epoch; what goes on has finished, or diverged at the end."""
    count, statuses = load(plan_of(group, 0), PLAN.parameters), ints(group, GROUP.statuses)
    take_out(group, ARRAY.params, count, reals(group, GROUP.params))
    test_group(group, CARRY.test_loss, CARRY.test_score, ARRAY.params)
    test_group(group, CARRY.best_test_loss, CARRY.best_test_score, ARRAY.best_params)
    for lane in range(LANES):
        if goes_on(group, lane):
            params = reals(arrays_of(group, lane), ARRAY.params)
            fine = finite(dot(params, params, count))
            store(statuses, lane, STATUS.finished if fine else STATUS.diverged)
            if not fine:
                store(float64s(arrays_of(group, lane), ARRAY.carry), CARRY.diverged_step, float64(done))


@kernel
def begin_group(group: Ints, place: Int, count: Int, fresh: Int) -> None:
    """Make the memory of each lane that of its run before its first step. Lanes beyond `count` have the last run."""
    plan = plan_of(group, 0)
    for lane in range(LANES):
        begin_run(run_of(group, lane), place + min(lane, count - 1), fresh)
        store(ints(group, GROUP.statuses), lane, STATUS.running if lane < count else STATUS.stopped)
    take_in(group, ARRAY.params, load(plan, PLAN.parameters), reals(group, GROUP.params))
    size = load(group, GROUP.state_size)
    for lane in range(LANES):
        stage_in(group, lane, size, reals(stage_of(arrays_of(group, lane), STAGES.optimizer), STAGE.state))
    turn_in(group, size, reals(group, GROUP.state))


@device
def all_ended(group):
    """Say whether no run goes on."""
    for lane in range(LANES):
        if goes_on(group, lane):
            return False
    return True


@device
def order_group(group, epoch):
    """Write the order in which each run visits its samples."""
    for lane in range(LANES):
        if goes_on(group, lane):
            make_order(plan_of(group, lane), arrays_of(group, lane), epoch)


@kernel
def train_group(group: Ints) -> Int:
    """Make all runs of a group to their ends; return STOPPED where a stop came in between, FINISHED otherwise.

    The seconds of its evaluations go to RATES.
    """
    plan, arrays = plan_of(group, 0), arrays_of(group, 0)
    control, done, written, ordered, evaluating = ints(arrays, ARRAY.control), 0, 0, -1, float64(0)
    while not all_ended(group):
        before = now(plan, control)
        if written < rows_owed(plan, done):
            report_group(group, done)
            written += 1
            evaluating += now(plan, control) - before
        elif done == load(plan, PLAN.total_steps):
            finish_group(group, done)
            evaluating += now(plan, control) - before
        else:
            epoch = done // load(plan, PLAN.steps_per_epoch)
            if epoch != ordered:
                order_group(group, epoch)
                ordered = epoch
            group_step(group, done)
            done += 1
        if load(control, CONTROL.stop) != 0:
            return STATUS.stopped
    store(float64s(group, GROUP.rates), 0, evaluating)
    return STATUS.finished


@device
def keep_group(group, place, count, begun, ended):
    """Keep what the runs of a group have left. Each is said to have taken its share of the time, one after the other."""
    share, evaluating = (ended - begun) / count, load(float64s(group, GROUP.rates), 0) / count
    for lane in range(count):
        row = run_of(group, lane)
        carry, times = float64s(row, CHUNK.carry), offset(float64s(row, CHUNK.times), 2 * (place + lane))
        store(carry, CARRY.evaluate_seconds, evaluating)
        store(carry, CARRY.train_seconds, share - evaluating)
        keep_run(row, place + lane, load(ints(group, GROUP.statuses), lane))
        store(times, 0, begun + lane * share)
        store(times, 1, begun + (lane + 1) * share)


@kernel
def make_group(group: Ints, place: Int, count: Int, fresh: Int) -> Int:
    """Make `count` runs of a chunk, from a place on, side by side; return FINISHED, or STOPPED with nothing kept."""
    plan, control = plan_of(group, 0), ints(run_of(group, 0), CHUNK.control)
    begin_group(group, place, count, fresh)
    begun = now(plan, control)
    status = train_group(group)
    if status == STATUS.finished:
        keep_group(group, place, count, begun, now(plan, control))
    return status
