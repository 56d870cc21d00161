"""What a run reports: evaluation after an epoch, the best parameters, the test set at the end."""

from __future__ import annotations

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
from mlpjit.kernels.run.steps import (
    advance,
    copy_reals,
    record_row,
    write_point,
)
from mlpjit.kernels.tables import (
    BEST_EPOCH,
    BEST_LOSS,
    BEST_MOMENTS,
    BEST_PARAMS,
    BEST_TEST_LOSS,
    CARRY,
    CHUNK,
    DIVERGED,
    DIVERGENCE_FACTOR,
    FINISHED,
    GRADS,
    LAYER_COUNT,
    LAYERS,
    MOMENTS,
    NUMBERS,
    OUTPUTS,
    PARAMETERS,
    PARAMS,
    PLATEAU_FACTOR,
    POINT_MOMENTS,
    RECORD_EPOCH,
    RECORD_STEP,
    RECORD_TRAIN_LOSS,
    RECORD_VALIDATION_LOSS,
    RECORD_VALIDATION_SCORE,
    ROWS_WRITTEN,
    RUNNING,
    RUNNING_SIZE,
    START_LOSS,
    STOPPED,
    SUMS,
    TEST_LOSS,
    TEST_ROWS,
    TIMES_OVER,
    TOTAL_STEPS,
    TRAIN_ROWS,
    VALIDATION_ROWS,
    WORKSPACE,
    X_TEST,
    X_TRAIN,
    X_VALIDATION,
    Y_TEST,
    Y_TRAIN,
    Y_VALIDATION,
)


@device
def finite(x):
    """Say whether a number is neither infinite nor NaN."""
    return x - x == 0.0


@kernel
def evaluate_test(plan: Ints, arrays: Ints, params: Reals, moments: Reals, place: Int) -> None:
    """Evaluate the test set at some parameters; its loss and score go to carry[place] and behind."""
    carry, workspace = float64s(arrays, CARRY), reals(arrays, WORKSPACE)
    refresh_weights(load(plan, CHUNK), load(plan, LAYER_COUNT), ints(arrays, LAYERS), params, workspace)
    x, y, score = reals(arrays, X_TEST), reals(arrays, Y_TEST), offset(carry, place + 1)
    value = evaluate(plan, arrays, 0, params, moments, load(plan, TEST_ROWS), x, y, 0, score, score)
    store(carry, place, value)


@kernel
def settle_point(plan: Ints, arrays: Ints, step: Int) -> Int:
    """Have the point to report ready after some steps: return the slots' shift, 0 for the parameters themselves.

    Of another point (it stands where the gradients were) batch normalization has no running statistics: they are
    estimated anew by one pass over the training set, starting from those of the parameters.
    """
    if step == 0 or write_point(plan, arrays, step) == 0:
        return 0
    moments, rows = reals(arrays, POINT_MOMENTS), load(plan, TRAIN_ROWS)
    if load(plan, RUNNING_SIZE) > 0:
        copy_reals(load(plan, RUNNING_SIZE), reals(arrays, MOMENTS), moments)
        params, spare = reals(arrays, GRADS), offset(float64s(arrays, SUMS), load(plan, OUTPUTS))
        refresh_weights(
            load(plan, CHUNK), load(plan, LAYER_COUNT), ints(arrays, LAYERS), params, reals(arrays, WORKSPACE)
        )
        # A single sample has no variance.
        rows -= 1 if rows % load(plan, CHUNK) == 1 else 0
        x, y = reals(arrays, X_TRAIN), reals(arrays, Y_TRAIN)
        evaluate(plan, arrays, 1, params, moments, rows, x, y, 0, spare, spare)
    return 1


@kernel
def evaluate_epoch(plan: Ints, arrays: Ints, epoch: Int, step: Int, train_loss: Float64) -> Int:
    """Write a row of the records; keep the best parameters; return DIVERGED where the loss tells so.

    Where a stop came in between return STOPPED with the row not counted: it is to be done again.
    """
    carry, point = float64s(arrays, CARRY), settle_point(plan, arrays, step)
    params, moments = reals(arrays, PARAMS + point), reals(arrays, MOMENTS + point)
    written = int(load(carry, ROWS_WRITTEN))
    row = record_row(plan, arrays, written)
    refresh_weights(load(plan, CHUNK), load(plan, LAYER_COUNT), ints(arrays, LAYERS), params, reals(arrays, WORKSPACE))
    x, y = reals(arrays, X_VALIDATION), reals(arrays, Y_VALIDATION)
    score = offset(row, RECORD_VALIDATION_SCORE)
    # Before the first step running statistics are 0 and 1 and say nothing: epoch 0 uses the samples' own. What that
    # moves is then overwritten by the first copy of the best.
    start, spare = 1 if epoch == 0 else 0, reals(arrays, BEST_MOMENTS)
    used = spare if epoch == 0 else moments
    value = evaluate(plan, arrays, start, params, used, load(plan, VALIDATION_ROWS), x, y, 1, row, score)
    if stop_asked(arrays) != 0:
        return STOPPED
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
    elif load(float64s(arrays, NUMBERS), PLATEAU_FACTOR) != 0.0:
        watch_plateau(float64s(arrays, NUMBERS), carry, value)
    over = value > DIVERGENCE_FACTOR * load(carry, START_LOSS)
    store(carry, TIMES_OVER, load(carry, TIMES_OVER) + 1.0 if over else float64(0))
    if epoch == 0 or value < load(carry, BEST_LOSS):
        store(carry, BEST_LOSS, value)
        store(carry, BEST_EPOCH, float64(epoch))
        copy_reals(count, params, reals(arrays, BEST_PARAMS))
        copy_reals(load(plan, RUNNING_SIZE), moments, reals(arrays, BEST_MOMENTS))
    return DIVERGED if load(carry, TIMES_OVER) >= 2.0 else RUNNING


@kernel
def finish(plan: Ints, arrays: Ints) -> Int:
    """Evaluate the test set at the end and at the best epoch; the outcome depends on the parameters alone.

    STOPPED where a stop came in between: it is to be done again.
    """
    point = settle_point(plan, arrays, load(plan, TOTAL_STEPS))
    params = reals(arrays, PARAMS + point)
    evaluate_test(plan, arrays, params, reals(arrays, MOMENTS + point), TEST_LOSS)
    evaluate_test(plan, arrays, reals(arrays, BEST_PARAMS), reals(arrays, BEST_MOMENTS), BEST_TEST_LOSS)
    if stop_asked(arrays) != 0:
        return STOPPED
    return FINISHED if finite(dot(params, params, load(plan, PARAMETERS))) else DIVERGED
