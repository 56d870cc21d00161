"""Evaluation of a group on whole sets: each run's loss, score and units' sums, in the order that they have alone."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.group import (
    GROUP,
    arrays_of,
    clear,
    clear_sums,
    fetch,
    goes_on,
    plan_of,
    stage_in,
    turn_in,
    turn_out,
)
from mlpjit.kernels.lanes.passes import forward_block, layer_at, outputs_of, slopes_of
from mlpjit.kernels.language import (
    Float64s,
    Int,
    Ints,
    Primitive,
    Real,
    Reals,
    absolute,
    device,
    float64,
    float64s,
    fma,
    integer,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    select,
    store,
)
from mlpjit.kernels.network.loss_rules import call_lane_loss
from mlpjit.kernels.run.evaluation import determination, stop_asked
from mlpjit.kernels.run.units import peaks_of, saturated_of
from mlpjit.kernels.tables import ARRAY, LAYER, PLAN, UNIT_SUM

buffer, buffer64, keep_loops = Primitive("buffer"), Primitive("buffer64"), Primitive("keep_loops")
DOT = 16  # sums of a `dot`, whatever the dtype
DOT_LANES = 256  # in lanes
WIDEST = 16


@kernel
def gather_set(group: Ints, array: Int, first: Int, rows: Int, columns: Int, into: Reals) -> None:
    """Put rows of a set of each run into lanes."""
    for lane in range(LANES):
        stage_in(group, lane, rows * columns, offset(reals(arrays_of(group, lane), array), first * columns))
    turn_in(group, rows * columns, into)


@kernel
def add_losses(group: Ints, count: Int, late: Int) -> None:
    """Add what is late to each lane's losses."""
    losses, numbers = float64s(group, GROUP.losses), reals(group, GROUP.late)
    for i in range(count if late != 0 else 0):
        for lane in range(LANES):
            store(losses, lane, load(losses, lane) + float64(load(numbers, i * LANES + lane)))
    keep_loops()


@device
def lose_block(group, first, rows, scale):
    """Add a block's losses, the rows from `first` of their batch; leave its gradient at the outputs."""
    plan = plan_of(group, 0)
    last, outputs = load(plan, PLAN.layer_count) - 1, load(plan, PLAN.outputs)
    return call_lane_loss(
        load(group, GROUP.loss), rows, outputs, outputs_of(group, last), reals(group, GROUP.targets),
        float64s(arrays_of(group, 0), ARRAY.loss_settings), scale, float64s(group, GROUP.losses),
        offset(reals(group, GROUP.late), first * LANES),
    )  # fmt: skip


@kernel
def count_lane_hits(rows: Int, outputs: Int, predicted: Reals, targets: Reals, hits: Ints) -> None:
    """`count_hits` in lanes."""
    most, chosen = buffer(predicted, WIDEST), buffer(predicted, WIDEST)
    aim, right = buffer(predicted, WIDEST), buffer(predicted, WIDEST)
    for i in range(rows):
        row, wanted = offset(predicted, i * outputs * LANES), offset(targets, i * outputs * LANES)
        for lane in range(LANES):
            store(most, lane, load(row, lane))
            store(aim, lane, load(wanted, lane))
            store(chosen, lane, real(0.0))
            store(right, lane, real(0.0))
        for j in range(1, outputs):
            place = real(j)
            for lane in range(LANES):
                found, given = load(row, j * LANES + lane), load(wanted, j * LANES + lane)
                store(chosen, lane, select(found > load(most, lane), place, load(chosen, lane)))
                store(most, lane, select(found > load(most, lane), found, load(most, lane)))
                store(right, lane, select(given > load(aim, lane), place, load(right, lane)))
                store(aim, lane, select(given > load(aim, lane), given, load(aim, lane)))
        for lane in range(LANES):
            hit = select(load(chosen, lane) == load(right, lane), integer(1), integer(0))
            store(hits, lane, load(hits, lane) + hit)
    keep_loops()


@kernel
def add_lane_residuals(rows: Int, outputs: Int, predicted: Reals, targets: Reals, sums: Float64s) -> None:
    """`add_residuals` in lanes."""
    for i in range(rows):
        for j in range(outputs):
            for lane in range(LANES):
                at = j * LANES + lane
                place = i * outputs * LANES + at
                rest = float64(load(predicted, place)) - float64(load(targets, place))
                store(sums, at, load(sums, at) + rest * rest)
    keep_loops()


@kernel
def observe_lanes(
    rows: Int, columns: Int, a: Reals, slope: Reals, linear: Int, limit: Real, peaks: Reals, saturated: Reals,
    sums: Float64s,
) -> None:  # fmt: skip
    """`observe_units` in lanes; of a linear layer every slope is 1."""
    values, squares = buffer64(a, DOT_LANES), buffer64(a, DOT_LANES)
    whole = columns - columns % DOT
    for i in range(rows):
        row, slopes = offset(a, i * columns * LANES), offset(slope, i * columns * LANES)
        for k in range(DOT * LANES if whole > 0 else LANES):
            store(values, k, float64(0))
            store(squares, k, float64(0))
        for first in range(0, whole, DOT):
            for k in range(DOT * LANES):
                given = float64(load(row, first * LANES + k))
                store(values, k, load(values, k) + given)
                store(squares, k, fma(given, given, load(squares, k)))
        half = DOT // 2 if whole > 0 else 0
        while half > 0:
            for k in range(half * LANES):
                store(values, k, load(values, k) + load(values, half * LANES + k))
                store(squares, k, load(squares, k) + load(squares, half * LANES + k))
            half //= 2
        for j in range(whole, columns):
            for lane in range(LANES):
                given = float64(load(row, j * LANES + lane))
                store(values, lane, load(values, lane) + given)
                store(squares, lane, fma(given, given, load(squares, lane)))
        for lane in range(LANES):
            store(sums, lane, load(sums, lane) + load(values, lane))
            store(sums, LANES + lane, load(sums, LANES + lane) + load(squares, lane))
        for k in range(columns * LANES):
            size = real(1.0) if linear != 0 else absolute(load(slopes, k))
            store(peaks, k, select(size > load(peaks, k), size, load(peaks, k)))
            store(saturated, k, load(saturated, k) + select(size < limit, real(1.0), real(0.0)))
    keep_loops()


@device
def units_at(group, l):  # noqa: E741
    """Return where the peaks and the counts of saturation of a layer stand, and its sums."""
    at = l * load(group, GROUP.widest) * LANES
    sums = offset(float64s(group, GROUP.unit_sums), l * len(UNIT_SUM) * LANES)
    return offset(reals(group, GROUP.peaks), at), offset(reals(group, GROUP.saturated), at), sums


@device
def begin_observing(group):
    """Set all sums to zero."""
    layers = load(plan_of(group, 0), PLAN.layer_count)
    clear(layers * load(group, GROUP.widest) * LANES, reals(group, GROUP.peaks))
    clear(layers * load(group, GROUP.widest) * LANES, reals(group, GROUP.saturated))
    clear_sums(layers * len(UNIT_SUM) * LANES, float64s(group, GROUP.unit_sums))


@kernel
def observe_block(group: Ints, rows: Int) -> None:
    """Add a block of samples, as it went forward, to the sums of every layer."""
    for l in range(load(plan_of(group, 0), PLAN.layer_count)):  # noqa: E741
        layer, (peaks, saturated, sums) = layer_at(group, l), units_at(group, l)
        limit = real(0.01 * load(float64s(arrays_of(group, 0), ARRAY.slope_limits), l))
        linear = 1 if load(layer, LAYER.activation) == 0 else 0
        columns, values = load(layer, LAYER.fan_out), outputs_of(group, l)
        observe_lanes(rows, columns, values, slopes_of(group, l), linear, limit, peaks, saturated, sums)


@device
def keep_sums(group, l, sums):  # noqa: E741
    """Give each run its sums over a layer's outputs."""
    for lane in range(LANES):
        if goes_on(group, lane):
            into = offset(float64s(arrays_of(group, lane), ARRAY.unit_sums), l * len(UNIT_SUM))
            store(into, UNIT_SUM.values, load(sums, lane))
            store(into, UNIT_SUM.squares, load(sums, LANES + lane))


@kernel
def write_observed(group: Ints, rows: Int) -> None:
    """Give each run what was observed of its units."""
    for l in range(load(plan_of(group, 0), PLAN.layer_count)):  # noqa: E741
        columns, (peaks, saturated, sums) = load(layer_at(group, l), LAYER.fan_out), units_at(group, l)
        keep_sums(group, l, sums)
        turn_out(group, columns, peaks)
        for lane in range(LANES):
            if goes_on(group, lane):
                fetch(group, lane, columns, peaks_of(plan_of(group, lane), arrays_of(group, lane), l))
        turn_out(group, columns, saturated)
        for lane in range(LANES):
            if goes_on(group, lane):
                fetch(group, lane, columns, saturated_of(plan_of(group, lane), arrays_of(group, lane), l))


@device
def score_block(group, rows):
    """Add a block to the hits, or to the squared residuals."""
    plan = plan_of(group, 0)
    outputs, last = load(plan, PLAN.outputs), load(plan, PLAN.layer_count) - 1
    predicted, targets = outputs_of(group, last), reals(group, GROUP.targets)
    if load(plan, PLAN.classification) != 0:
        count_lane_hits(rows, outputs, predicted, targets, ints(group, GROUP.hits))
    else:
        add_lane_residuals(rows, outputs, predicted, targets, float64s(group, GROUP.residuals))


@kernel
def score_of(group: Ints, lane: Int, rows: Int, y: Int, score: Float64s) -> None:
    """Write the score of a lane's run on the set that was evaluated."""
    plan, arrays = plan_of(group, lane), arrays_of(group, lane)
    if load(plan, PLAN.classification) != 0:
        store(score, 0, float64(load(ints(group, GROUP.hits), lane)) / float64(rows))
    else:
        sums, outputs = float64s(arrays, ARRAY.residuals), load(plan, PLAN.outputs)
        for j in range(outputs):
            store(sums, j, load(float64s(group, GROUP.residuals), j * LANES + lane))
        store(score, 0, determination(rows, outputs, reals(arrays, y), sums))


@device
def begin_set(group):
    """Set the losses and scores of a set to zero."""
    clear_sums(LANES, float64s(group, GROUP.sums))
    clear_sums(load(plan_of(group, 0), PLAN.outputs) * LANES, float64s(group, GROUP.residuals))
    for lane in range(LANES):
        store(ints(group, GROUP.hits), lane, integer(0))


@kernel
def evaluate_group(group: Ints, params: Reals, rows: Int, x: Int, y: Int, observe: Int) -> None:
    """Evaluate a set, of which x and y say where it stands: each lane's mean loss goes to SUMS, its hits are counted.

    A stop ends it after the block it is in: what it then wrote is void.
    """
    plan, block, losses = plan_of(group, 0), load(group, GROUP.block), float64s(group, GROUP.losses)
    begin_set(group)
    if observe != 0:
        begin_observing(group)
    sums, chunk = float64s(group, GROUP.sums), load(plan, PLAN.chunk)
    for first in range(0, rows, chunk):
        some, late = min(chunk, rows - first), 0
        clear_sums(LANES, losses)
        for i in range(0, some, block):
            if stop_asked(arrays_of(group, 0)) != 0:
                return
            few = min(block, some - i)
            gather_set(group, x, first + i, few, load(plan, PLAN.inputs), reals(group, GROUP.inputs))
            gather_set(group, y, first + i, few, load(plan, PLAN.outputs), reals(group, GROUP.targets))
            forward_block(group, few, params)
            if observe != 0:
                observe_block(group, few)
            score_block(group, few)
            late = lose_block(group, i, few, real(1.0))
        add_losses(group, some, late)
        for lane in range(LANES):
            store(sums, lane, load(sums, lane) + load(losses, lane))
    for lane in range(LANES):
        store(sums, lane, load(sums, lane) / rows)
