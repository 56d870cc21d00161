"""Samples of each run's sets into lanes; where all runs have the same, each number is loaded once."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES
from mlpjit.kernels.lanes.group import GROUP, arrays_of, plan_of, stage_in, turn_in
from mlpjit.kernels.language import Int, Ints, Primitive, Reals, device, ints, kernel, load, offset, reals, store
from mlpjit.kernels.run.evaluation import copy_row
from mlpjit.kernels.tables import ARRAY, PLAN

keep_loops, move_pair = Primitive("keep_loops"), Primitive("move_pair")


@device
def all_have(group, array):
    """Say whether an array is one and the same for all runs."""
    others = 0
    for lane in range(1, LANES):
        others += load(arrays_of(group, lane), array) != load(arrays_of(group, 0), array)
    return others == 0


@device
def all_visit(group):
    """Say whether all runs visit the same samples in the same order."""
    others = 0
    for lane in range(1, LANES):
        others += load(plan_of(group, lane), PLAN.order_seed) != load(plan_of(group, 0), PLAN.order_seed)
    return others == 0 and all_have(group, ARRAY.x_train)


@kernel
def give_all(count: Int, source: Reals, into: Reals) -> None:
    """Put numbers into all lanes."""
    for k in range(count):
        given = load(source, k)
        for lane in range(LANES):
            store(into, k * LANES + lane, given)
    keep_loops()


@kernel
def gather_set(group: Ints, array: Int, first: Int, rows: Int, columns: Int, into: Reals) -> None:
    """Put rows of a set of each run into lanes."""
    if all_have(group, array):
        give_all(rows * columns, offset(reals(arrays_of(group, 0), array), first * columns), into)
        return
    for lane in range(LANES):
        stage_in(group, lane, rows * columns, offset(reals(arrays_of(group, lane), array), first * columns))
    turn_in(group, rows * columns, into)


@device
def stage_rows(order, rows, columns, source, staged):
    """Copy rows in an order; of two numbers, as in two moons, without asking for their length."""
    if columns == 2:
        for i in range(rows):
            move_pair(offset(source, 2 * load(order, i)), offset(staged, 2 * i))
    else:
        for i in range(rows):
            copy_row(columns, offset(source, load(order, i) * columns), offset(staged, i * columns))


@kernel
def gather_rows(group: Ints, array: Int, first: Int, rows: Int, columns: Int, into: Reals) -> None:
    """Put rows of each run's batch into lanes, in its order."""
    staged, together = reals(group, GROUP.staged), all_visit(group)
    for lane in range(1 if together else LANES):
        arrays = arrays_of(group, lane)
        order, source = offset(ints(arrays, ARRAY.order), first), reals(arrays, array)
        stage_rows(order, rows, columns, source, offset(staged, lane * rows * columns))
    if together:
        give_all(rows * columns, staged, into)
    else:
        turn_in(group, rows * columns, into)
