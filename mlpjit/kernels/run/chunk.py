"""Runs of one template, made one after the other by one compiled call that releases the GIL."""

from __future__ import annotations

from mlpjit.kernels.language import (
    Int,
    Ints,
    device,
    float64,
    float64s,
    integer,
    ints,
    kernel,
    load,
    offset,
    pointer,
    store,
)
from mlpjit.kernels.run.beginning import CHUNK, begin_run
from mlpjit.kernels.run.training import now
from mlpjit.kernels.tables import CARRY, CONTROL, STATUS


@pointer
def call_train(plan: Ints, arrays: Ints) -> Int:
    """`train`."""


@pointer
def call_group(group: Ints, place: Int, count: Int, fresh: Int) -> Int:
    """`make_group`: so many runs side by side, from a place on."""


@device
def copy_numbers(count, source, target):
    """Copy float64 numbers."""
    for i in range(count):
        store(target, i, load(source, i))


@kernel
def keep_run(chunk: Ints, place: Int, status: Int) -> None:
    """Keep what a run has left, before the next takes its memory."""
    store(ints(chunk, CHUNK.statuses), place, status)
    carry = float64s(chunk, CHUNK.carry)
    copy_numbers(len(CARRY), carry, offset(float64s(chunk, CHUNK.carries), place * len(CARRY)))
    size = int(load(carry, CARRY.rows_written)) * load(chunk, CHUNK.record_width)
    into = offset(float64s(chunk, CHUNK.histories), place * load(chunk, CHUNK.history_size))
    copy_numbers(size, float64s(chunk, CHUNK.records), into)


@device
def side_by_side(chunk, place):
    """Return how many of the runs from a place on are made at once: 1 where fewer are left than are worth a group."""
    left, most = load(chunk, CHUNK.runs) - place, load(chunk, CHUNK.lanes)
    return min(left, most) if 2 * left >= most > 0 else 1


@device
def make_one(chunk, place, fresh):
    """Make a run; return its status."""
    control, times = ints(chunk, CHUNK.control), offset(float64s(chunk, CHUNK.times), 2 * place)
    plan, arrays = ints(chunk, CHUNK.plan), ints(chunk, CHUNK.arrays)
    begin_run(chunk, place, fresh)
    store(times, 0, now(plan, control))
    status = call_train(load(chunk, CHUNK.train), plan, arrays)
    store(times, 1, now(plan, control))
    return status


@device
def spent(chunk, place):
    """Return the seconds from the beginning of the first run to the end of the one before a place."""
    times = float64s(chunk, CHUNK.times)
    return load(times, 2 * place - 1) - load(times, 0)


@kernel
def make_runs(chunk: Ints) -> Int:
    """Make the runs of a chunk; return how many have ended: all, unless the budget is spent or a stop is meant for all.

    A stop is meant for one alone where its time is up: it is kept as STOPPED, and the next begins. One that came when
    the run it was meant for had just ended meets another, which begins again: a run has the same bits however often.
    """
    control = ints(chunk, CHUNK.control)
    place, fresh, budget = 0, 1, 1e-9 * float64(load(control, CONTROL.budget))
    while place < load(chunk, CHUNK.runs):
        count = side_by_side(chunk, place)
        if count > 1:
            status = call_group(load(chunk, CHUNK.make_group), ints(chunk, CHUNK.group), place, count, fresh)
        else:
            status = make_one(chunk, place, fresh)
        fresh = 0
        if status == STATUS.stopped:
            store(control, CONTROL.stop, integer(0))
            if load(control, CONTROL.all) != 0:
                break
            if load(control, CONTROL.overdue) != place:
                continue
        if count == 1:
            keep_run(chunk, place, status)
        place += count
        store(control, CONTROL.progress, integer(0))
        store(control, CONTROL.ended, place)
        if budget > 0.0 and spent(chunk, place) > budget:
            break
    return place
