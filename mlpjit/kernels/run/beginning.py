"""What a run begins with: the memory of its template, its own seeds and numbers, first parameters, schedules.

The table of beginnings says row by row what is done behind the copy of the template's image. Addresses in it are those
of the memory that the runs of a chunk share, one after the other.
"""

from __future__ import annotations

from typing import NamedTuple

from mlpjit.kernels.language import (
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    float64,
    float64s,
    integer,
    ints,
    kernel,
    load,
    offset,
    pointer,
    real,
    reals,
    store,
)
from mlpjit.kernels.tables import ARRAY, NUMBER, PLAN, numbered

DATA_ARRAYS = 6  # of the three parts of the data, in the order of ARRAY


class ChunkColumns(NamedTuple):
    """Runs of one template, made one after the other (int64): how many, and addresses of what they share."""

    runs: int
    train: int  # the compiled training loop
    # The memory in which each run is made, and what it begins with; in words of 8 bytes.
    memory: int
    words: int
    image: int
    copied: int
    # Tables: rows of Own and of OwnNumber for each run; of Beginning and of BeginningNumber.
    own: int
    own_numbers: int
    beginnings: int
    beginning_count: int
    beginning_numbers: int
    scratch: int  # as many float64 as the largest tensor has
    # Arrays within the memory.
    plan: int
    arrays: int
    numbers: int
    carry: int
    records: int
    control: int
    # What is kept of each run: its status; its carry; its records, so many numbers a row; when it began and ended.
    statuses: int
    carries: int
    histories: int
    history_size: int
    record_width: int
    times: int
    # How many runs are made side by side at most, 0 where none are; the function, and its table.
    lanes: int
    make_group: int
    group: int


class OwnColumns(NamedTuple):
    """What is a run's own (int64): seeds, and addresses of its data and, where they are given, first parameters."""

    draw_seed: int
    init_seed: int
    order_seed: int
    given: int
    data: int  # and the others behind it


class OwnNumber(NamedTuple):
    """Numbers of a run (float64)."""

    learning_rate: int
    decay: int
    momentum: int
    l1: int
    l2: int


class BeginningColumns(NamedTuple):
    """One thing that is done (int64)."""

    kind: int
    target: int  # address
    size: int
    source: int  # address: of what is copied, of a schedule's settings, of weights
    function: int  # address
    stream: int  # of random numbers
    place: int  # of random numbers: the layer; of lengths: the rows; of a schedule: its warm-up
    number: int  # which number of the run a schedule begins with


class BeginningNumber(NamedTuple):
    """Random numbers x become (x stretch + move) factor + shift, all in float64; shift is also what is filled in."""

    stretch: int
    move: int
    factor: int
    shift: int


class Kinds(NamedTuple):
    """What is done."""

    fill: int  # one number throughout
    copy: int
    given: int  # the run's own first parameters
    draw: int
    lengths: int  # of the columns of weights
    seed: int  # its two halves, float64
    schedule: int  # float64


CHUNK, OWN, OWN_NUMBER = numbered(ChunkColumns), numbered(OwnColumns), numbered(OwnNumber)
BEGINNING, BEGINNING_NUMBER, KIND = numbered(BeginningColumns), numbered(BeginningNumber), numbered(Kinds)
OWN_WIDTH = len(OWN) - 1 + DATA_ARRAYS


@pointer
def call_draw(seed: Int, stream: Int, place: Int, count: Int, out: Float64s) -> None:
    """`fill_normal` or `fill_uniform`."""


@pointer
def call_lengths(rows: Int, columns: Int, v: Reals, lengths: Reals, most: Reals) -> None:
    """`column_lengths`."""


@pointer
def call_schedule(
    start: Int, count: Int, total: Int, base: Float64, warmup: Int, settings: Float64s, out: Float64s
) -> None:
    """Write a schedule's values."""


@device
def copy_words(count, source, target):
    """Copy words of 8 bytes."""
    for i in range(count):
        store(target, i, load(source, i))


@device
def draw_scaled(row, numbers, seed, scratch):
    """Draw in float64, scale and round once."""
    count, target = load(row, BEGINNING.size), reals(row, BEGINNING.target)
    stream, place = load(row, BEGINNING.stream), load(row, BEGINNING.place)
    call_draw(load(row, BEGINNING.function), seed, stream, place, count, scratch)
    stretch, move = load(numbers, BEGINNING_NUMBER.stretch), load(numbers, BEGINNING_NUMBER.move)
    factor, shift = load(numbers, BEGINNING_NUMBER.factor), load(numbers, BEGINNING_NUMBER.shift)
    for i in range(count):
        store(target, i, real((load(scratch, i) * stretch + move) * factor + shift))


@device
def write_schedule(row, own_numbers):
    """Write the value of every step."""
    count, warmup = load(row, BEGINNING.size), load(row, BEGINNING.place)
    base, settings = load(own_numbers, load(row, BEGINNING.number)), float64s(row, BEGINNING.source)
    out = float64s(row, BEGINNING.target)
    call_schedule(load(row, BEGINNING.function), 0, count, count, base, warmup, settings, out)


@device
def write_lengths(row, scratch):
    """Write the length of each column of weights."""
    rows, count, w = load(row, BEGINNING.place), load(row, BEGINNING.size), reals(row, BEGINNING.source)
    call_lengths(load(row, BEGINNING.function), rows, count, w, reals(row, BEGINNING.target), scratch)


@device
def copy_reals(count, source, target):
    """Copy numbers of the run's dtype."""
    for i in range(count):
        store(target, i, load(source, i))


@device
def write_seed(row, seed):
    """Write the low and the high 32 bits of a seed as numbers."""
    out = float64s(row, BEGINNING.target)
    store(out, 0, float64(seed & 0xFFFFFFFF))
    store(out, 1, float64(seed >> 32))


@device
def write_own(chunk, own, own_numbers):
    """Write a run's seeds, penalties and the addresses of its data to where its kernels look for them."""
    plan, arrays, numbers = ints(chunk, CHUNK.plan), ints(chunk, CHUNK.arrays), float64s(chunk, CHUNK.numbers)
    store(plan, PLAN.order_seed, load(own, OWN.order_seed))
    store(plan, PLAN.draw_seed, load(own, OWN.draw_seed))
    for i in range(DATA_ARRAYS):
        store(arrays, ARRAY.x_train + i, load(own, OWN.data + i))
    store(numbers, NUMBER.l1, load(own_numbers, OWN_NUMBER.l1))
    store(numbers, NUMBER.l2, load(own_numbers, OWN_NUMBER.l2))
    store(numbers, NUMBER.decay, load(own_numbers, OWN_NUMBER.decay))


@device
def fill_reals(row, numbers):
    """Fill an array with one number."""
    target, value = reals(row, BEGINNING.target), real(load(numbers, BEGINNING_NUMBER.shift))
    for i in range(load(row, BEGINNING.size)):
        store(target, i, value)


@kernel
def begin(chunk: Ints, own: Ints, own_numbers: Float64s, row: Ints, numbers: Float64s) -> None:
    """Do what one row of the beginnings says."""
    kind, count = load(row, BEGINNING.kind), load(row, BEGINNING.size)
    if kind == KIND.fill:
        fill_reals(row, numbers)
    elif kind == KIND.copy:
        copy_reals(count, reals(row, BEGINNING.source), reals(row, BEGINNING.target))
    elif kind == KIND.given:
        copy_reals(count, reals(own, OWN.given), reals(row, BEGINNING.target))
    elif kind == KIND.draw:
        draw_scaled(row, numbers, load(own, OWN.init_seed), float64s(chunk, CHUNK.scratch))
    elif kind == KIND.lengths:
        write_lengths(row, reals(chunk, CHUNK.scratch))
    elif kind == KIND.seed:
        write_seed(row, load(own, OWN.draw_seed))
    else:
        write_schedule(row, own_numbers)


@kernel
def begin_run(chunk: Ints, place: Int, fresh: Int) -> None:
    """Make the memory of a chunk that of its run at a place, before its first step. fresh: it is all zeros still."""
    memory, copied = ints(chunk, CHUNK.memory), load(chunk, CHUNK.copied)
    copy_words(copied, ints(chunk, CHUNK.image), memory)
    if fresh == 0:
        for i in range(copied, load(chunk, CHUNK.words)):
            store(memory, i, integer(0))
    own = offset(ints(chunk, CHUNK.own), place * OWN_WIDTH)
    own_numbers = offset(float64s(chunk, CHUNK.own_numbers), place * len(OWN_NUMBER))
    write_own(chunk, own, own_numbers)
    rows, numbers = ints(chunk, CHUNK.beginnings), float64s(chunk, CHUNK.beginning_numbers)
    for i in range(load(chunk, CHUNK.beginning_count)):
        row, with_numbers = offset(rows, i * len(BEGINNING)), offset(numbers, i * len(BEGINNING_NUMBER))
        begin(chunk, own, own_numbers, row, with_numbers)
