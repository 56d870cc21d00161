"""Runs that are made side by side: a group, a run in each lane of every vector.

Parameters, gradients, states and what a block of samples passes through lie in lanes: the numbers of all runs one
behind the other, then the next number. Seeds, schedules, orders, records and what is carried stay in a memory that each
run has of its own, as when it is made alone.
"""

from __future__ import annotations

from typing import NamedTuple

from mlpjit.kernels.arithmetic.matmul import LANES, pack_transposed_panels
from mlpjit.kernels.language import Int, Ints, Reals, device, float64, ints, kernel, load, offset, real, reals, store
from mlpjit.kernels.run.beginning import CHUNK
from mlpjit.kernels.run.evaluation import copy_row
from mlpjit.kernels.tables import STATUS, numbered


class GroupColumns(NamedTuple):
    """A group (int64): addresses, but for numbers that say so."""

    runs: int  # rows of CHUNK: the memory of each lane's run
    block: int  # a number: samples that go forward and backward together
    widest: int  # a number: of units of a layer
    state_size: int  # a number: of the optimizer's state
    # Compiled for the rules of the runs.
    loss: int
    update: int
    # In lanes.
    params: int
    grads: int
    state: int
    best: int
    inputs: int  # of a block
    targets: int
    room: int  # a and z of each layer
    late: int  # what is added to the losses after all samples of a batch
    peaks: int  # of each unit of each layer, as in PLAN
    saturated: int
    scalars: int  # of the optimizer
    spare: int
    staged: int  # not in lanes: room to turn numbers in and out of them
    # Float64 in lanes: losses of a batch; of a set; rates; sums over units; squared residuals of each output.
    losses: int
    sums: int
    rates: int
    unit_sums: int
    residuals: int
    # Int64 in lanes.
    hits: int
    statuses: int


GROUP = numbered(GroupColumns)


@device
def run_of(group, lane):
    """Return the row of CHUNK of a lane's run."""
    return offset(ints(group, GROUP.runs), lane * len(CHUNK))


@device
def plan_of(group, lane):
    """Return the plan of a lane's run; but for seeds all are the same."""
    return ints(run_of(group, lane), CHUNK.plan)


@device
def arrays_of(group, lane):
    """Return the addresses of the arrays of a lane's run."""
    return ints(run_of(group, lane), CHUNK.arrays)


@device
def goes_on(group, lane):
    """Say whether a lane's run has not ended."""
    return load(ints(group, GROUP.statuses), lane) == STATUS.running


@device
def stage_in(group, lane, size, source):
    """Put numbers of a lane's run to where `turn_in` takes them from."""
    copy_row(size, source, offset(reals(group, GROUP.staged), lane * size))


@device
def turn_in(group, size, into):
    """Put what was staged of all runs into lanes."""
    pack_transposed_panels(LANES, size, reals(group, GROUP.staged), into)


@kernel
def take_in(group: Ints, array: Int, size: Int, into: Reals) -> None:
    """Put the first numbers of an array of each run into lanes."""
    for lane in range(LANES):
        stage_in(group, lane, size, reals(arrays_of(group, lane), array))
    turn_in(group, size, into)


@kernel
def turn_out(group: Ints, size: Int, given: Reals) -> None:
    """Stage what is in lanes, LANES numbers of each run at a time."""
    pack_transposed_panels(size, LANES, given, reals(group, GROUP.staged))


@device
def fetch(group, lane, size, into):
    """Take what was staged by `turn_out` to the memory of a run."""
    staged = offset(reals(group, GROUP.staged), lane * LANES)
    for i in range(0, size, LANES):
        copy_row(min(LANES, size - i), offset(staged, i * LANES), offset(into, i))


@kernel
def take_out(group: Ints, array: Int, size: Int, given: Reals) -> None:
    """Take what is in lanes to an array of each run that goes on."""
    turn_out(group, size, given)
    for lane in range(LANES):
        if goes_on(group, lane):
            fetch(group, lane, size, reals(arrays_of(group, lane), array))


@device
def clear(count, numbers):
    """Set numbers of the runs' dtype to 0."""
    for k in range(count):
        store(numbers, k, real(0.0))


@device
def clear_sums(count, sums):
    """Set float64 numbers to 0."""
    for k in range(count):
        store(sums, k, float64(0))
