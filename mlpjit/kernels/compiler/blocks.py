"""Code generators that move matrices a vector at a time: whole or cut at an edge, as they are or transposed.

Reads may run up to one vector past a row's end: every buffer has a vector to spare behind it (`workspace.aligned`).
Element by element LLVM moves one number an instruction here, since it cannot know that source and target differ.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.compiler import llvm, simd

INT32, INT64 = llvm.INT32, llvm.INT64


def _vector_of(pointer: Any) -> Any:
    element = pointer.type.pointee
    return ir.VectorType(element, 16 if element == ir.FloatType() else 8)


def _first_lanes(builder: Any, vector: Any, count: Any) -> Any:
    """Return the vector with zeros from lane `count` on."""
    lanes = vector.type.count
    kept = llvm.first_lanes(builder, count, lanes)
    return builder.select(kept, vector, ir.Constant(vector.type, [0.0] * lanes))


@simd.primitive
def copy_vector(typing: Any, source: Any, target: Any, count: Any) -> Any:
    """Copy `count` numbers, at most a vector, and zeros up to a whole vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, count = arguments
        value = llvm.load_vector(builder, source, _vector_of(source))
        llvm.store_vector(builder, _first_lanes(builder, value, count), target)
        return context.get_dummy_value()

    return types.void(source, target, types.int64), generate


def _interleaved(builder: Any, low: Any, high: Any, size: int) -> tuple[Any, Any]:
    """Exchange the odd pieces of `low` with the even pieces of `high`, pieces of `size` lanes."""
    lanes = low.type.count
    places = [lane for start in range(0, lanes, 2 * size) for lane in range(start, start + size)]
    even = [p for start in range(0, len(places), size) for p in _pair(places[start : start + size], lanes)]
    odd = [p + size for p in even]
    return tuple(
        builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, lanes), chosen)) for chosen in (even, odd)
    )


def _pair(piece: list[int], lanes: int) -> list[int]:
    return piece + [place + lanes for place in piece]


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a square block: log2(lanes) rounds of shuffles of two vectors."""
    size = 1
    while size < len(rows):
        for first in range(len(rows)):
            if not first & size:
                rows[first], rows[first + size] = _interleaved(builder, rows[first], rows[first + size], size)
        size *= 2
    return rows


def _store_first(builder: Any, vectors: list[Any], target: Any, count: Any) -> None:
    """Store the first `count` vectors one behind the other."""
    lanes = vectors[0].type.count
    with builder.if_else(builder.icmp_signed(">=", count, INT64(lanes))) as (whole, part):
        with whole:
            for number, vector in enumerate(vectors):
                llvm.store_vector(builder, vector, builder.gep(target, [INT64(number * lanes)]))
        with part:
            kept = llvm.local(builder, ir.ArrayType(vectors[0].type, lanes))
            for number, vector in enumerate(vectors):
                builder.store(vector, builder.gep(kept, [INT64(0), INT64(number)]))
            loop = llvm.Loop(builder, count, [])
            value = builder.load(builder.gep(kept, [INT64(0), loop.index]))
            llvm.store_vector(builder, value, builder.gep(target, [builder.mul(loop.index, INT64(lanes))]))
            loop.end([])


@simd.primitive
def move_vector(typing: Any, source: Any, target: Any) -> Any:
    """Copy one whole vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = arguments
        llvm.store_vector(builder, llvm.load_vector(builder, source, _vector_of(source)), target)
        return context.get_dummy_value()

    return types.void(source, target), generate


@simd.primitive
def move_pair(typing: Any, source: Any, target: Any) -> Any:
    """Copy two numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = arguments
        pair = ir.VectorType(source.type.pointee, 2)
        llvm.store_vector(builder, llvm.load_vector(builder, source, pair), target)
        return context.get_dummy_value()

    return types.void(source, target), generate


@simd.primitive
def move_rest(typing: Any, source: Any, target: Any, count: Any) -> Any:
    """Copy `count` numbers, fewer than a vector holds: pieces of a half, a quarter and so on of its lanes.

    One by one, LLVM would ask before each few numbers whether source and target overlap.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, count = arguments
        size = _vector_of(source).count // 2
        while size > 0:
            with builder.if_then(builder.trunc(builder.lshr(count, INT64(size.bit_length() - 1)), llvm.BOOL)):
                done = builder.and_(count, INT64(-2 * size))
                piece = ir.VectorType(source.type.pointee, size)
                value = llvm.load_vector(builder, builder.gep(source, [done]), piece)
                llvm.store_vector(builder, value, builder.gep(target, [done]))
            size //= 2
        return context.get_dummy_value()

    return types.void(source, target, types.int64), generate


@simd.primitive
def transpose_block(typing: Any, source: Any, stride: Any, rows: Any, columns: Any, target: Any) -> Any:
    """Write the transpose of (rows, columns), each at most a vector's lanes, as `columns` vectors of `rows` numbers.

    Lanes beyond `rows` are zero. Rows of the source are `stride` apart; nothing beyond `columns` of them is read.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, stride, rows, columns, target = arguments
        vector = _vector_of(source)
        last = builder.sub(rows, INT64(1))
        loaded = []
        for number in range(vector.count):
            # Beyond the edge the last row is read again, so that nothing outside the matrix is.
            inside = builder.icmp_signed("<", INT64(number), rows)
            row = builder.select(inside, INT64(number), last)
            loaded.append(llvm.load_first(builder, builder.gep(source, [builder.mul(row, stride)]), vector, columns))
        made = [_first_lanes(builder, v, rows) for v in _transposed(builder, loaded)]
        _store_first(builder, made, target, columns)
        return context.get_dummy_value()

    n = types.int64
    return types.void(source, n, n, n, target), generate
