"""What the units of each layer do over a set: sums that are begun, added to chunk by chunk, and recorded at the end."""

from __future__ import annotations

from mlpjit.kernels.language import (
    Float64s,
    Int,
    Ints,
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
    store,
)
from mlpjit.kernels.network.passes import outputs_of
from mlpjit.kernels.run.recording import layer_part
from mlpjit.kernels.run.records.calls import take_over_units
from mlpjit.kernels.tables import ARRAY, LAYER, PLAN, UNIT_SUM


@device
def peaks_of(plan, arrays, l):  # noqa: E741
    """Return where each unit's largest |df| stands."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.peaks_at) + l * load(plan, PLAN.widest))


@device
def saturated_of(plan, arrays, l):  # noqa: E741
    """Return where it stands how often each unit's |df| was below the limit."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.saturated_at) + l * load(plan, PLAN.widest))


@device
def ones_of(plan, arrays):
    """Return a row of ones."""
    return offset(reals(arrays, ARRAY.workspace), load(plan, PLAN.ones_at))


@kernel
def begin_units(plan: Ints, arrays: Ints) -> None:
    """Set all sums to zero."""
    for j in range(load(plan, PLAN.widest)):
        store(ones_of(plan, arrays), j, real(1.0))
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        peaks, saturated = peaks_of(plan, arrays, l), saturated_of(plan, arrays, l)
        sums = offset(float64s(arrays, ARRAY.unit_sums), l * len(UNIT_SUM))
        for j in range(load(plan, PLAN.widest)):
            store(peaks, j, real(0.0))
            store(saturated, j, real(0.0))
        store(sums, UNIT_SUM.values, float64(0))
        store(sums, UNIT_SUM.squares, float64(0))


@kernel
def observe_units(
    rows: Int, columns: Int, a: Reals, slope: Reals, stride: Int, limit: Real, ones: Reals, peak: Reals,
    saturated: Reals, sums: Float64s,
) -> None:  # fmt: skip
    """Add rows to a layer's sums: of a and a^2, each unit's largest |df|, how often |df| was below the limit."""
    total, squares = load(sums, UNIT_SUM.values), load(sums, UNIT_SUM.squares)
    for i in range(rows):
        values, slopes = offset(a, i * stride), offset(slope, i * stride)
        total += dot(values, ones, columns)
        squares += dot(values, values, columns)
        for j in range(columns):
            size, most = absolute(load(slopes, j)), load(peak, j)
            store(peak, j, select(size > most, size, most))
            store(saturated, j, load(saturated, j) + select(size < limit, real(1.0), real(0.0)))
    store(sums, UNIT_SUM.values, total)
    store(sums, UNIT_SUM.squares, squares)


@kernel
def add_units(plan: Ints, arrays: Ints, rows: Int) -> None:
    """Add a chunk of rows, as forward left it, to the sums of every layer."""
    workspace, ones = reals(arrays, ARRAY.workspace), ones_of(plan, arrays)
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        layer = offset(ints(arrays, ARRAY.layers), l * len(LAYER))
        peaks, saturated = peaks_of(plan, arrays, l), saturated_of(plan, arrays, l)
        sums = offset(float64s(arrays, ARRAY.unit_sums), l * len(UNIT_SUM))
        values = outputs_of(layer, load(plan, PLAN.softmax_output), workspace)
        columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
        limit = real(0.01 * load(float64s(arrays, ARRAY.slope_limits), l))
        if load(layer, LAYER.activation) == 0:
            # A linear output has slope 1 everywhere, and no matrix that holds it.
            for i in range(rows):
                observe_units(1, columns, offset(values, i * stride), ones, 0, limit, ones, peaks, saturated, sums)
        else:
            slope = offset(workspace, load(layer, LAYER.slope_at))
            observe_units(rows, columns, values, slope, stride, limit, ones, peaks, saturated, sums)


@kernel
def write_units(plan: Ints, arrays: Ints, rows: Int, record: Float64s) -> None:
    """Take what is recorded of each layer's units, over so many rows."""
    for l in range(load(plan, PLAN.layer_count)):  # noqa: E741
        columns = load(offset(ints(arrays, ARRAY.layers), l * len(LAYER)), LAYER.fan_out)
        sums = offset(float64s(arrays, ARRAY.unit_sums), l * len(UNIT_SUM))
        values, squares = load(sums, UNIT_SUM.values), load(sums, UNIT_SUM.squares)
        peaks, saturated = peaks_of(plan, arrays, l), saturated_of(plan, arrays, l)
        take_over_units(rows, columns, values, squares, peaks, saturated, layer_part(record, l))
