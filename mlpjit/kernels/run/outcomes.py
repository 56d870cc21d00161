"""What a run reports: evaluation after an epoch, the best parameters, the test set at the end."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import copy_matrix
from mlpjit.kernels.language import (
    Float64,
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
    reals,
    store,
)
from mlpjit.kernels.network.passes import (
    refresh_weights,
)
from mlpjit.kernels.run.evaluation import (
    evaluate,
    stop_asked,
)
from mlpjit.kernels.run.plateau import (
    watch_plateau,
)
from mlpjit.kernels.run.recording import record_row
from mlpjit.kernels.run.records.calls import take_at_evaluation
from mlpjit.kernels.run.steps import advance, write_point
from mlpjit.kernels.tables import ARRAY, CARRY, DIVERGENCE_FACTOR, MODE, NUMBER, PLAN, STATUS


@device
def finite(x):
    """Say whether a number is neither infinite nor NaN."""
    return x - x == 0.0


@device
def refresh_all(plan, arrays, params):
    """Have the weights of some parameters ready for an evaluation."""
    layers, workspace = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace)
    refresh_weights(load(plan, PLAN.chunk), load(plan, PLAN.layer_count), layers, params, workspace)


@kernel
def evaluate_test(plan: Ints, arrays: Ints, params: Reals, moments: Reals, loss: Int, score: Int) -> None:
    """Evaluate the test set at some parameters; its loss and score go to these places of the carry."""
    carry, x, y = float64s(arrays, ARRAY.carry), reals(arrays, ARRAY.x_test), reals(arrays, ARRAY.y_test)
    refresh_all(plan, arrays, params)
    found = offset(carry, score)
    value = evaluate(plan, arrays, MODE.evaluation, params, moments, load(plan, PLAN.test_rows), x, y, 0, found, found)
    store(carry, loss, value)


@kernel
def settle_point(plan: Ints, arrays: Ints, step: Int) -> Int:
    """Have the point to report ready after some steps; return 0 where it is the parameters themselves.

    Of another point (it stands where the gradients were) batch normalization has no running statistics: they are
    estimated anew by one pass over the training set, starting from those of the parameters.
    """
    if step == 0 or write_point(plan, arrays, step) == 0:
        return 0
    moments, rows = reals(arrays, ARRAY.point_moments), load(plan, PLAN.train_rows)
    if load(plan, PLAN.running_size) > 0:
        copy_matrix(load(plan, PLAN.running_size), reals(arrays, ARRAY.moments), moments)
        params, spare = reals(arrays, ARRAY.grads), float64s(arrays, ARRAY.spare)
        refresh_all(plan, arrays, params)
        # A single sample has no variance.
        rows -= 1 if rows % load(plan, PLAN.chunk) == 1 else 0
        x, y = reals(arrays, ARRAY.x_train), reals(arrays, ARRAY.y_train)
        evaluate(plan, arrays, MODE.statistics, params, moments, rows, x, y, 0, spare, spare)
    return 1


@device
def reported(arrays, point):
    """Return the point to report and its running statistics, as `settle_point` has left them."""
    if point != 0:
        return reals(arrays, ARRAY.grads), reals(arrays, ARRAY.point_moments)
    return reals(arrays, ARRAY.params), reals(arrays, ARRAY.moments)


@kernel
def judge_epoch(
    plan: Ints, arrays: Ints, epoch: Int, step: Int, train_loss: Float64, value: Float64, score: Float64, params: Reals,
    moments: Reals,
) -> Int:  # fmt: skip
    """End a row of the records once the validation set is evaluated; keep the best parameters; return a status."""
    carry = float64s(arrays, ARRAY.carry)
    row = record_row(plan, arrays, int(load(carry, CARRY.rows_written)))
    count = load(plan, PLAN.parameters)
    take_at_evaluation(epoch, step, train_loss, value, score, count, params, row)
    advance(carry, CARRY.rows_written, 1.0 * float64(1))
    if not finite(value) or not finite(dot(params, params, count)):
        return STATUS.diverged
    if epoch == 0:
        store(carry, CARRY.start_loss, value)
    elif load(float64s(arrays, ARRAY.numbers), NUMBER.plateau_factor) != 0.0:
        watch_plateau(float64s(arrays, ARRAY.numbers), carry, value)
    over = value > DIVERGENCE_FACTOR * load(carry, CARRY.start_loss)
    store(carry, CARRY.times_over, load(carry, CARRY.times_over) + 1.0 if over else float64(0))
    if epoch == 0 or value < load(carry, CARRY.best_loss):
        store(carry, CARRY.best_loss, value)
        store(carry, CARRY.best_epoch, float64(epoch))
        copy_matrix(count, params, reals(arrays, ARRAY.best_params))
        copy_matrix(load(plan, PLAN.running_size), moments, reals(arrays, ARRAY.best_moments))
    return STATUS.diverged if load(carry, CARRY.times_over) >= 2.0 else STATUS.running


@kernel
def evaluate_epoch(plan: Ints, arrays: Ints, epoch: Int, step: Int, train_loss: Float64) -> Int:
    """Write a row of the records; keep the best parameters; return DIVERGED where the loss tells so.

    Where a stop came in between return STOPPED with the row not counted: it is to be done again.
    """
    carry, point = float64s(arrays, ARRAY.carry), settle_point(plan, arrays, step)
    params, moments = reported(arrays, point)
    written = int(load(carry, CARRY.rows_written))
    row = record_row(plan, arrays, written)
    refresh_all(plan, arrays, params)
    x, y = reals(arrays, ARRAY.x_validation), reals(arrays, ARRAY.y_validation)
    score = float64s(arrays, ARRAY.spare)
    # Before the first step running statistics are 0 and 1 and say nothing: epoch 0 uses the samples' own. What that
    # moves is then overwritten by the first copy of the best.
    start, spare = MODE.statistics if epoch == 0 else MODE.evaluation, reals(arrays, ARRAY.best_moments)
    used = spare if epoch == 0 else moments
    value = evaluate(plan, arrays, start, params, used, load(plan, PLAN.validation_rows), x, y, 1, row, score)
    if stop_asked(arrays) != 0:
        return STATUS.stopped
    return judge_epoch(plan, arrays, epoch, step, train_loss, value, load(score, 0), params, moments)


@kernel
def finish(plan: Ints, arrays: Ints) -> Int:
    """Evaluate the test set at the end and at the best epoch; the outcome depends on the parameters alone.

    STOPPED where a stop came in between: it is to be done again.
    """
    params, moments = reported(arrays, settle_point(plan, arrays, load(plan, PLAN.total_steps)))
    best, best_moments = reals(arrays, ARRAY.best_params), reals(arrays, ARRAY.best_moments)
    evaluate_test(plan, arrays, params, moments, CARRY.test_loss, CARRY.test_score)
    evaluate_test(plan, arrays, best, best_moments, CARRY.best_test_loss, CARRY.best_test_score)
    if stop_asked(arrays) != 0:
        return STATUS.stopped
    return STATUS.finished if finite(dot(params, params, load(plan, PLAN.parameters))) else STATUS.diverged
