"""Evaluation on a whole set: loss, score, and what the units of each layer do."""

from __future__ import annotations

from mlpjit.kernels import tables
from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Primitive,
    Real,
    Reals,
    absolute,
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
    select,
    sqrt,
    store,
)
from mlpjit.kernels.network.loss_rules import call_loss
from mlpjit.kernels.network.passes import forward
from mlpjit.kernels.tables import (
    ACTIVATION,
    ACTIVATION_MEAN,
    ACTIVATION_STD,
    CHUNK,
    CLASSIFICATION,
    DEAD_FRACTION,
    DIAGNOSTIC_COUNT,
    FAN_OUT,
    INPUT_AT,
    INPUT_STRIDE,
    INPUTS,
    LAYER_COLUMNS,
    LAYER_COUNT,
    NUMBERS_SIZE,
    OUTPUT_AT,
    OUTPUTS,
    RECORD_HEAD,
    SATURATED_FRACTION,
    SCRATCH_AT,
    SLOPE_AT,
    SOFTMAX_OUTPUT,
    STRIDE,
    WIDEST,
    WORKSPACE,
)

LAYERS, NUMBERS, SUMS, LOSS = tables.LAYERS, tables.NUMBERS, tables.SUMS, tables.LOSS
CONTROL, STOP = tables.CONTROL, tables.STOP
LOSS_SETTINGS = tables.LOSS_SETTINGS
move_vector = Primitive("move_vector")


@device
def outputs_of(layer, softmax, workspace):
    """Return where the network's outputs stand: in place of z where the output is the identity."""
    changed = load(layer, ACTIVATION) != 0 or softmax != 0
    return offset(workspace, load(layer, OUTPUT_AT) if changed else load(layer, SLOPE_AT))


@device
def copy_row(count, source, target):
    """Copy numbers a vector at a time, and what is left one by one: nothing beyond them is read or written."""
    whole = count - count % LANES
    for j in range(0, whole, LANES):
        move_vector(offset(source, j), offset(target, j))
    for j in range(whole, count):
        store(target, j, load(source, j))


@kernel
def copy_rows(rows: Int, columns: Int, source: Reals, target: Reals, stride: Int) -> None:
    """Copy packed rows to rows of a stride."""
    for i in range(rows):
        copy_row(columns, offset(source, i * columns), offset(target, i * stride))


@kernel
def observe_units(
    rows: Int, columns: Int, a: Reals, slope: Reals, stride: Int, limit: Real, ones: Reals, peak: Reals,
    saturated: Reals, sums: Float64s,
) -> None:  # fmt: skip
    """Add rows to a layer's sums: of a and a^2, each unit's largest |df|, how often |df| was below the limit."""
    total, squares = load(sums, 0), load(sums, 1)
    for i in range(rows):
        values, slopes = offset(a, i * stride), offset(slope, i * stride)
        total += dot(values, ones, columns)
        squares += dot(values, values, columns)
        for j in range(columns):
            size, most = absolute(load(slopes, j)), load(peak, j)
            store(peak, j, select(size > most, size, most))
            store(saturated, j, load(saturated, j) + select(size < limit, real(1.0), real(0.0)))
    store(sums, 0, total)
    store(sums, 1, squares)


@device
def summarize_units(rows, columns, peak, saturated, sums, record):
    """Write a layer's activation mean and deviation, dead and saturated fractions."""
    count = float64(rows * columns)
    mean = load(sums, 0) / count
    spread = load(sums, 1) / count - mean * mean
    dead, often = 0, float64(0)
    for j in range(columns):
        if load(peak, j) == 0.0:
            dead += 1
        often += float64(load(saturated, j))
    store(record, ACTIVATION_MEAN, mean)
    store(record, ACTIVATION_STD, sqrt(spread if not (spread < 0.0) else float64(0)))
    store(record, DEAD_FRACTION, float64(dead) / float64(columns))
    store(record, SATURATED_FRACTION, often / count)


@kernel
def observe_layers(plan: Ints, arrays: Ints, rows: Int, total_rows: Int, record: Float64s) -> None:
    """Add a chunk of rows to every layer's sums; with rows = 0 begin, with rows < 0 write the record."""
    layers, workspace, numbers = ints(arrays, LAYERS), reals(arrays, WORKSPACE), float64s(arrays, NUMBERS)
    count = load(plan, LAYER_COUNT)
    width = load(plan, WIDEST)
    ones = offset(workspace, load(plan, SCRATCH_AT))
    units = offset(ones, width)
    sums = offset(float64s(arrays, SUMS), 2 * load(plan, OUTPUTS))
    for l in range(count):  # noqa: E741
        layer = offset(layers, l * LAYER_COLUMNS)
        peak, saturated = offset(units, 2 * l * width), offset(units, (2 * l + 1) * width)
        columns, moments = load(layer, FAN_OUT), offset(sums, 2 * l)
        if rows == 0:
            for j in range(width):
                store(ones, j, real(1.0))
                store(peak, j, real(0.0))
                store(saturated, j, real(0.0))
            store(moments, 0, float64(0))
            store(moments, 1, float64(0))
        elif rows < 0:
            at = RECORD_HEAD + l * DIAGNOSTIC_COUNT
            summarize_units(total_rows, columns, peak, saturated, moments, offset(record, at))
        else:
            linear = load(layer, ACTIVATION) == 0
            values = outputs_of(layer, load(plan, SOFTMAX_OUTPUT), workspace)
            # A linear output has slope 1 everywhere, and no matrix that holds it.
            slope = ones if linear else offset(workspace, load(layer, SLOPE_AT))
            limit = real(0.01 * load(numbers, NUMBERS_SIZE + l))
            if linear:
                for i in range(rows):
                    row = offset(values, i * load(layer, STRIDE))
                    observe_units(1, columns, row, slope, 0, limit, ones, peak, saturated, moments)
            else:
                stride = load(layer, STRIDE)
                observe_units(rows, columns, values, slope, stride, limit, ones, peak, saturated, moments)


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
    """R^2, the mean over outputs; of a constant target 1 where it is met exactly, else 0."""
    score = float64(0)
    for j in range(outputs):
        mean, total = float64(0), float64(0)
        for i in range(rows):
            mean += float64(load(targets, i * outputs + j))
        mean /= rows
        for i in range(rows):
            rest = float64(load(targets, i * outputs + j)) - mean
            total += rest * rest
        if total > 0.0:
            score += 1.0 - load(residuals, j) / total
        elif load(residuals, j) == 0.0:
            score += 1.0
    return score / outputs


@device
def stop_asked(arrays):
    """Return the stop flag."""
    return load(ints(arrays, CONTROL), STOP)


@kernel
def evaluate(
    plan: Ints, arrays: Ints, training: Int, params: Reals, moments: Reals, rows: Int, x: Reals, y: Reals,
    observe: Int, record: Float64s, score: Float64s,
) -> Float64:  # fmt: skip
    """Return the mean loss over a set and write its score; with `observe`, the diagnostics of all layers too.

    Weights must have been refreshed from `params`. With `training`, batch normalization uses the statistics of each
    chunk, and moves `moments`. A stop ends it after the chunk it is in: what it then returned and wrote is void.
    """
    layers, workspace, sums = ints(arrays, LAYERS), reals(arrays, WORKSPACE), float64s(arrays, SUMS)
    inputs, outputs, softmax = load(plan, INPUTS), load(plan, OUTPUTS), load(plan, SOFTMAX_OUTPUT)
    count, chunk = load(plan, LAYER_COUNT), load(plan, CHUNK)
    settings = offset(float64s(arrays, NUMBERS), LOSS_SETTINGS)
    last = offset(layers, (count - 1) * LAYER_COLUMNS)
    for j in range(outputs):
        store(sums, j, float64(0))
    if observe != 0:
        observe_layers(plan, arrays, 0, rows, record)
    total, hits = float64(0), 0
    for first in range(0, rows, chunk):
        if stop_asked(arrays) != 0:
            break
        some = min(chunk, rows - first)
        given, wanted = offset(x, first * inputs), offset(y, first * outputs)
        copy_rows(some, inputs, given, offset(workspace, load(layers, INPUT_AT)), load(layers, INPUT_STRIDE))
        forward(some, training, softmax, count, layers, params, moments, workspace)
        predicted, stride = outputs_of(last, softmax, workspace), load(last, STRIDE)
        if observe != 0:
            observe_layers(plan, arrays, some, rows, record)
        if load(plan, CLASSIFICATION) != 0:
            hits += count_hits(some, outputs, predicted, stride, wanted)
        else:
            add_residuals(some, outputs, predicted, stride, wanted, sums)
        total += call_loss(load(plan, LOSS), some, outputs, predicted, stride, wanted, settings, real(1.0))
    if observe != 0:
        observe_layers(plan, arrays, -1, rows, record)
    if load(plan, CLASSIFICATION) != 0:
        store(score, 0, float64(hits) / float64(rows))
    else:
        store(score, 0, determination(rows, outputs, y, sums))
    return total / rows
