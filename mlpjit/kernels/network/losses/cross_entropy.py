"""The cross-entropy of a softmax over rows of logits."""

from __future__ import annotations

from mlpjit.bounds import at_least
from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.arithmetic.matmul import LANES, pack_transposed_panels
from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Primitive,
    Real,
    Reals,
    device,
    float64,
    fma,
    kernel,
    load,
    offset,
    real,
    select,
    store,
)
from mlpjit.kernels.network.loss_rules import Loss, losses
from mlpjit.kernels.network.loss_samples import sample_categorical

exp, log = elementary.exp, elementary.log
buffer, keep_loops = Primitive("buffer"), Primitive("keep_loops")
WIDEST, SQUARE = 16, 256  # numbers in a vector, and in a vector of vectors


@device
def turned(rows, outputs, predicted, stride, targets, z, y):
    """Have a vector of z hold a class of all rows, and one of y its targets; return the rows' largest logits."""
    pack_transposed_panels(rows, stride, predicted, z)
    pack_transposed_panels(rows, outputs, targets, y)
    largest = buffer(predicted, WIDEST)
    for lane in range(LANES):
        store(largest, lane, load(z, lane))
    for j in range(1, outputs):
        for lane in range(LANES):
            found = load(z, j * LANES + lane)
            store(largest, lane, select(found > load(largest, lane), found, load(largest, lane)))
    keep_loops()
    return largest


@kernel
def few_classes(
    rows: Int, outputs: Int, predicted: Reals, targets: Reals, kept: Real, spread: Real, scale: Real, total: Float64
) -> Float64:  # fmt: skip
    """`cross_entropy` of up to LANES rows, each a vector with room behind its classes, where the row's log goes.

    Returns the total less what is linear in the logits. A row's arithmetic is that of the loop over rows, number by
    number, but a vector holds a class of all rows: a third of the time, for 0.2 s more of compilation.
    """
    z, y, sums = buffer(predicted, SQUARE), buffer(predicted, SQUARE), buffer(predicted, SQUARE)
    linear, mass, weight = sums, offset(sums, LANES), offset(sums, 2 * LANES)
    largest = turned(rows, outputs, predicted, LANES, targets, z, y)
    for lane in range(3 * LANES):
        store(sums, lane, real(0.0))
    for j in range(outputs):
        for lane in range(LANES):
            at = j * LANES + lane
            shifted, wanted = load(z, at) - load(largest, lane), fma(kept, load(y, at), spread)
            grown = exp(shifted)
            store(linear, lane, load(linear, lane) + select(wanted == 0.0, wanted, wanted * shifted))
            store(mass, lane, load(mass, lane) + grown)
            store(weight, lane, load(weight, lane) + wanted)
            store(z, at, grown)
            store(y, at, wanted)
    for lane in range(LANES):
        store(z, outputs * LANES + lane, load(weight, lane) * log(load(mass, lane)))
        store(mass, lane, load(weight, lane) / load(mass, lane))
    for j in range(outputs):
        for lane in range(LANES):
            at = j * LANES + lane
            store(z, at, (load(z, at) * load(mass, lane) - load(y, at)) * scale)
    into = predicted if rows == LANES else y
    pack_transposed_panels(outputs + 1, LANES, z, into)
    if rows < LANES:
        for k in range(rows * LANES):
            store(predicted, k, load(y, k))
    for lane in range(rows):
        total -= float64(load(linear, lane))
    keep_loops()
    return total


@kernel
def cross_entropy(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, settings: Float64s, scale: Real
) -> Float64:  # fmt: skip
    """Softmax cross-entropy from logits, by log-sum-exp; smoothing s moves targets to (1 - s) y + s / outputs."""
    kept, spread = real(1.0 - load(settings, 0)), real(load(settings, 0) / outputs)
    total = float64(0)
    if stride == LANES and outputs < LANES <= rows:
        for i in range(0, rows, LANES):
            block, wanted, some = offset(predicted, i * stride), offset(targets, i * outputs), min(LANES, rows - i)
            total = few_classes(some, outputs, block, wanted, kept, spread, scale, total)
        for i in range(rows):
            total += float64(load(predicted, i * stride + outputs))
        return total
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        largest = load(row, 0)
        for j in range(1, outputs):
            z = load(row, j)
            largest = select(z > largest, z, largest)
        linear = real(0.0)
        for j in range(outputs):
            shifted, y = load(row, j) - largest, fma(kept, load(wanted, j), spread)
            # 0 times an infinite logit is 0: a class that is not wanted does not count.
            linear += select(y == 0.0, y, y * shifted)
            store(row, j, shifted)
        total -= float64(linear)
    # All rows at once, with what pads them: a loop over one row's few classes would not vectorize.
    for at in range(rows * stride):
        store(predicted, at, exp(load(predicted, at)))
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        mass = real(0.0)
        weight = mass
        for j in range(outputs):
            mass += load(row, j)
            weight += fma(kept, load(wanted, j), spread)
        total += float64(weight * log(mass))
        share = weight / mass
        for j in range(outputs):
            y = fma(kept, load(wanted, j), spread)
            store(row, j, (load(row, j) * share - y) * scale)
    return float64(total)


@kernel
def lane_cross_entropy(
    rows: Int, outputs: Int, predicted: Reals, targets: Reals, settings: Float64s, scale: Real, totals: Float64s,
    late: Reals,
) -> Int:  # fmt: skip
    """`cross_entropy` in lanes."""
    kept, spread = real(1.0 - load(settings, 0)), real(load(settings, 0) / outputs)
    largest, linear = buffer(predicted, WIDEST), buffer(predicted, WIDEST)
    mass, weight = buffer(predicted, WIDEST), buffer(predicted, WIDEST)
    for i in range(rows):
        row, wanted = offset(predicted, i * outputs * LANES), offset(targets, i * outputs * LANES)
        for lane in range(LANES):
            store(largest, lane, load(row, lane))
            store(linear, lane, real(0.0))
            store(mass, lane, real(0.0))
            store(weight, lane, real(0.0))
        for j in range(1, outputs):
            for lane in range(LANES):
                found = load(row, j * LANES + lane)
                store(largest, lane, select(found > load(largest, lane), found, load(largest, lane)))
        for j in range(outputs):
            for lane in range(LANES):
                at = j * LANES + lane
                shifted, y = load(row, at) - load(largest, lane), fma(kept, load(wanted, at), spread)
                store(linear, lane, load(linear, lane) + select(y == 0.0, y, y * shifted))
                grown = exp(shifted)
                store(mass, lane, load(mass, lane) + grown)
                store(weight, lane, load(weight, lane) + y)
                store(row, at, grown)
        for lane in range(LANES):
            store(totals, lane, load(totals, lane) - float64(load(linear, lane)))
        for lane in range(LANES):
            store(late, i * LANES + lane, load(weight, lane) * log(load(mass, lane)))
            store(mass, lane, load(weight, lane) / load(mass, lane))
        for j in range(outputs):
            for lane in range(LANES):
                at = j * LANES + lane
                y = fma(kept, load(wanted, at), spread)
                store(row, at, (load(row, at) * load(mass, lane) - y) * scale)
    keep_loops()
    return 1


@kernel
def cross_entropy_tangent(
    rows: Int, outputs: Int, predicted: Reals, moved: Reals, stride: Int, targets: Reals, settings: Float64s,
    scratch: Reals, scale: Real,
) -> None:  # fmt: skip
    """g = (w p - y) / n with p = softmax(z) and w = sum y, so R g = w p (Rz - sum p Rz) / n."""
    kept, spread = real(1.0 - load(settings, 0)), real(load(settings, 0) / outputs)
    for i in range(rows):
        z, row, wanted = offset(predicted, i * stride), offset(moved, i * stride), offset(targets, i * outputs)
        largest = load(z, 0)
        for j in range(1, outputs):
            largest = select(load(z, j) > largest, load(z, j), largest)
        mass, weight, mean = real(0.0), real(0.0), real(0.0)
        for j in range(outputs):
            grown = exp(load(z, j) - largest)
            mass += grown
            weight += fma(kept, load(wanted, j), spread)
            mean = fma(grown, load(row, j), mean)
            store(scratch, j, grown)
        mean, share = mean / mass, weight / mass * scale
        for j in range(outputs):
            store(row, j, load(scratch, j) * share * (load(row, j) - mean))


losses.register(
    Loss(
        "cross_entropy", cross_entropy.function, "L = -(1/n) sum_i sum_k y_ik log softmax(z_i)_k",
        "Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108",
        {"label_smoothing": 0.0}, (sample_categorical.function, lane_cross_entropy.function),
        limits={"label_smoothing": at_least(0, 1)},
        kernel=cross_entropy, tangent=cross_entropy_tangent, sample=sample_categorical,
        in_lanes=lane_cross_entropy, logits=True, classes=True,
    )
)  # fmt: skip
