"""A training step of a group: forward, backward and update in lanes, records by the functions that make them alone."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.evaluation import add_losses, lose_block
from mlpjit.kernels.lanes.group import GROUP, arrays_of, clear, clear_sums, goes_on, plan_of, take_out, turn_in
from mlpjit.kernels.lanes.passes import backward_block, forward_block, output_delta_block
from mlpjit.kernels.lanes.updates import call_lane_update, decay_in_lanes
from mlpjit.kernels.language import (
    Int,
    Ints,
    Primitive,
    Reals,
    device,
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
from mlpjit.kernels.run.evaluation import copy_row, stop_asked
from mlpjit.kernels.run.recording import record_gradients, record_row, record_updates, repeat_step
from mlpjit.kernels.run.steps import advance, set_momentum
from mlpjit.kernels.run.training import batch_rows, note_step, record_of
from mlpjit.kernels.tables import ARRAY, CARRY, CONTROL, NONE_AT, NUMBER, PLAN, STATUS

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
    clear_sums(LANES, float64s(group, GROUP.losses))
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
