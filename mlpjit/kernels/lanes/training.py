"""A group of runs from its beginning to its end: steps and evaluations in lanes, the fate of each its own.

What a run is judged by and what it records is done for each run in its own memory, by the functions that do it alone.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.evaluation import (
    evaluate_group,
    score_of,
    write_observed,
)
from mlpjit.kernels.lanes.group import (
    GROUP,
    arrays_of,
    goes_on,
    plan_of,
    run_of,
    stage_in,
    take_in,
    take_out,
    turn_in,
)
from mlpjit.kernels.lanes.steps import group_step
from mlpjit.kernels.language import (
    Int,
    Ints,
    device,
    dot,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    reals,
    store,
)
from mlpjit.kernels.run.beginning import CHUNK, begin_run, copy_words
from mlpjit.kernels.run.chunk import keep_run
from mlpjit.kernels.run.evaluation import stop_asked
from mlpjit.kernels.run.outcomes import finite, judge_epoch
from mlpjit.kernels.run.recording import record_row
from mlpjit.kernels.run.steps import stage_of
from mlpjit.kernels.run.training import make_order, now, rows_owed
from mlpjit.kernels.run.units import write_units
from mlpjit.kernels.tables import ARRAY, CARRY, CONTROL, PLAN, STAGE, STAGES, STATUS


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


@device
def best_are_last(group):
    """Say whether the best parameters of every run are its last."""
    plan, earlier = plan_of(group, 0), 0
    last = float64(load(plan, PLAN.total_steps) // load(plan, PLAN.steps_per_epoch))
    for lane in range(LANES):
        best = load(float64s(arrays_of(group, lane), ARRAY.carry), CARRY.best_epoch)
        earlier += goes_on(group, lane) and best != last
    return earlier == 0


@device
def copy_tests(group):
    """Let what was found of the last parameters hold for the best."""
    for lane in range(LANES):
        carry = float64s(arrays_of(group, lane), ARRAY.carry)
        store(carry, CARRY.best_test_loss, load(carry, CARRY.test_loss))
        store(carry, CARRY.best_test_score, load(carry, CARRY.test_score))


@kernel
def finish_group(group: Ints, done: Int) -> None:
    """Evaluate the test set at the end and at the best epoch; what goes on has finished, or diverged at the end."""
    count, statuses = load(plan_of(group, 0), PLAN.parameters), ints(group, GROUP.statuses)
    take_out(group, ARRAY.params, count, reals(group, GROUP.params))
    test_group(group, CARRY.test_loss, CARRY.test_score, ARRAY.params)
    if best_are_last(group):
        copy_tests(group)
    else:
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
    left = 0
    for lane in range(LANES):
        left += goes_on(group, lane)
    return left == 0


@kernel
def order_group(group: Ints, epoch: Int) -> None:
    """Write the order in which each run visits its samples; that of the lane before, where its seed is the same."""
    rows = load(plan_of(group, 0), PLAN.train_rows)
    for lane in range(LANES):
        plan, arrays = plan_of(group, lane), arrays_of(group, lane)
        same = lane > 0 and load(plan, PLAN.order_seed) == load(plan_of(group, lane - 1), PLAN.order_seed)
        if same:
            copy_words(rows, ints(arrays_of(group, lane - 1), ARRAY.order), ints(arrays, ARRAY.order))
        else:
            make_order(plan, arrays, epoch)


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
    """Keep what the runs of a group have left; of the time each is given its share, one after the other."""
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
