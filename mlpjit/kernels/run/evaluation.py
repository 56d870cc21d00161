"""Evaluation on a whole set: loss and score."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.language import (
    Float64,
    Float64s,
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
from mlpjit.kernels.network.loss_rules import call_loss
from mlpjit.kernels.network.passes import forward, outputs_of
from mlpjit.kernels.run.units import add_units, begin_units, write_units
from mlpjit.kernels.tables import ARRAY, CONTROL, LAYER, PLAN

move_vector, move_rest = Primitive("move_vector"), Primitive("move_rest")


@device
def copy_row(count, source, target):
    """Copy numbers a vector at a time, and what is left in smaller pieces: nothing beyond is read or written."""
    whole = count - count % LANES
    for j in range(0, whole, LANES):
        move_vector(offset(source, j), offset(target, j))
    move_rest(offset(source, whole), offset(target, whole), count - whole)


@kernel
def copy_rows(rows: Int, columns: Int, source: Reals, target: Reals, stride: Int) -> None:
    """Copy packed rows to rows of a stride."""
    for i in range(rows):
        copy_row(columns, offset(source, i * columns), offset(target, i * stride))


@kernel
def count_hits(rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals) -> Int:
    """How often the largest output is the largest target."""
    hits = 0
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        chosen, right = 0, 0
        for j in range(1, outputs):
            if load(row, j) > load(row, chosen):
                chosen = j
            if load(wanted, j) > load(wanted, right):
                right = j
        if chosen == right:
            hits += 1
    return hits


@kernel
def add_residuals(rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, sums: Float64s) -> None:
    """sums[j] += squared residuals of output j."""
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        for j in range(outputs):
            rest = float64(load(row, j)) - float64(load(wanted, j))
            store(sums, j, load(sums, j) + rest * rest)


@kernel
def determination(rows: Int, outputs: Int, targets: Reals, residuals: Float64s) -> Float64:
    """R^2, the mean over outputs; of a constant target 1 where it is met exactly, else 0.

    Whether it is constant its rows say: their mean is rounded, and leaves a total of 1e-33 in place of 0.
    """
    score = float64(0)
    for j in range(outputs):
        mean, total, others = float64(0), float64(0), 0
        for i in range(rows):
            mean += float64(load(targets, i * outputs + j))
        mean /= rows
        for i in range(rows):
            rest = float64(load(targets, i * outputs + j)) - mean
            total += rest * rest
            others += load(targets, i * outputs + j) != load(targets, j)
        if others > 0 and total > 0.0:
            score += 1.0 - load(residuals, j) / total
        elif load(residuals, j) == 0.0:
            score += 1.0
    return score / outputs


@device
def stop_asked(arrays):
    """Return the stop flag."""
    return load(ints(arrays, ARRAY.control), CONTROL.stop)


@kernel
def evaluate(
    plan: Ints, arrays: Ints, training: Int, params: Reals, moments: Reals, rows: Int, x: Reals, y: Reals,
    observe: Int, record: Float64s, score: Float64s,
) -> Float64:  # fmt: skip
    """Return the mean loss over a set and write its score; with `observe`, the diagnostics of all layers too.

    Weights must have been refreshed from `params`. With `training`, batch normalization uses the statistics of each
    chunk, and moves `moments`. A stop ends it after the chunk it is in: what it then returned and wrote is void.
    """
    layers, workspace = ints(arrays, ARRAY.layers), reals(arrays, ARRAY.workspace)
    sums, settings = float64s(arrays, ARRAY.residuals), float64s(arrays, ARRAY.loss_settings)
    inputs, outputs, softmax = load(plan, PLAN.inputs), load(plan, PLAN.outputs), load(plan, PLAN.softmax_output)
    count, chunk = load(plan, PLAN.layer_count), load(plan, PLAN.chunk)
    last, into = offset(layers, (count - 1) * len(LAYER)), offset(workspace, load(layers, LAYER.input_at))
    for j in range(outputs):
        store(sums, j, float64(0))
    if observe != 0:
        begin_units(plan, arrays)
    total, hits = float64(0), 0
    for first in range(0, rows, chunk):
        if stop_asked(arrays) != 0:
            break
        some = min(chunk, rows - first)
        given, wanted = offset(x, first * inputs), offset(y, first * outputs)
        copy_rows(some, inputs, given, into, load(layers, LAYER.input_stride))
        forward(some, training, softmax, count, layers, params, moments, workspace)
        predicted, stride = outputs_of(last, softmax, workspace), load(last, LAYER.stride)
        if observe != 0:
            add_units(plan, arrays, some)
        if load(plan, PLAN.classification) != 0:
            hits += count_hits(some, outputs, predicted, stride, wanted)
        else:
            add_residuals(some, outputs, predicted, stride, wanted, sums)
        total += call_loss(load(plan, PLAN.loss), some, outputs, predicted, stride, wanted, settings, real(1.0))
    if observe != 0:
        write_units(plan, arrays, rows, record)
    if load(plan, PLAN.classification) != 0:
        store(score, 0, float64(hits) / float64(rows))
    else:
        store(score, 0, determination(rows, outputs, y, sums))
    return total / rows
