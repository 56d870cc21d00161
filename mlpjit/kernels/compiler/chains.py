"""Code generators of `limits`: what a core can do at most, with nothing in its way.

Chains are independent of each other and live in registers, so that only the arithmetic unit limits them; streams
move whole vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.compiler import llvm, simd, tiles

INT64 = llvm.INT64
# Vectors that one pass of a stream's loop moves from each array.
UNROLLED = 4
Advance = Callable[[Any, Any, Any, Any], Any]


def _vector(element: Any) -> Any:
    return ir.VectorType(element, 16 if element == ir.FloatType() else 8)


def chain_count() -> int:
    """Return how many chains hide the latency and leave registers for two operands.

    12 where a vector is one of 32 registers; 6 with AVX2, where it takes two of sixteen.
    """
    return 12 if tiles.tile_rows()[0] == 8 else 6


def _fma(builder: Any, x: Any, a: Any, b: Any) -> Any:
    return llvm.fused(builder, x, a, b)


def _root(builder: Any, x: Any, a: Any, b: Any) -> Any:
    """The sum keeps x away from 1, where a unit might end early."""
    return builder.fadd(llvm.call(builder, f"llvm.sqrt.{llvm.suffix(x.type)}", x.type, [x]), b)


def _quotient(builder: Any, x: Any, a: Any, b: Any) -> Any:
    return builder.fadd(builder.fdiv(a, x), b)


def _chains(name: str, advance: Advance) -> None:
    def typed(typing: Any, count: Any, a: Any, b: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count, a, b, x = arguments
            vector = _vector(x.type.pointee)
            places = [builder.gep(x, [INT64(i * vector.count)]) for i in range(chain_count())]
            a, b = (llvm.splat(builder, scalar, vector.count) for scalar in (a, b))
            loop = llvm.Loop(builder, count, [llvm.load_vector(builder, place, vector) for place in places])
            for place, value in zip(places, loop.end([advance(builder, v, a, b) for v in loop.values]), strict=True):
                llvm.store_vector(builder, value, place)
            return context.get_dummy_value()

        return types.void(types.int64, x.dtype, x.dtype, x), generate

    typed.__name__ = name
    simd.primitive(typed)


_chains("fma_chains", _fma)
_chains("root_chains", _root)
_chains("quotient_chains", _quotient)


@simd.primitive
def chains(typing: Any, like: Any) -> Any:
    """Return the number of chains; `like` is a pointer of the run's dtype."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return INT64(chain_count())

    return types.int64(like), generate


def _stream(name: str, value: Callable[..., Any]) -> None:
    def typed(typing: Any, count: Any, scale: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count, scale, *pointers = arguments
            vector = _vector(pointers[0].type.pointee)
            factor, lanes = llvm.splat(builder, scale, vector.count), vector.count
            loop = llvm.Loop(builder, count, [], step=UNROLLED * lanes)
            places = [
                [builder.gep(p, [builder.add(loop.index, INT64(i * lanes))]) for p in pointers]
                for i in range(UNROLLED)
            ]  # fmt: skip
            made = [value(builder, vector, factor, b, c) for _, b, c in places]
            for (target, _, _), moved in zip(places, made, strict=True):
                llvm.store_vector(builder, moved, target)
            loop.end([])
            return context.get_dummy_value()

        return types.void(types.int64, a.dtype, a, b, c), generate

    typed.__name__ = name
    simd.primitive(typed)


def _triad(builder: Any, vector: Any, factor: Any, b: Any, c: Any) -> Any:
    left, right = (llvm.load_vector(builder, pointer, vector) for pointer in (b, c))
    return llvm.fused(builder, factor, right, left)


def _copy(builder: Any, vector: Any, factor: Any, b: Any, c: Any) -> Any:
    return llvm.load_vector(builder, b, vector)


def _scale(builder: Any, vector: Any, factor: Any, b: Any, c: Any) -> Any:
    return builder.fmul(factor, llvm.load_vector(builder, b, vector))


_stream("stream_triad", _triad)
_stream("stream_scale", _scale)
_stream("stream_copy", _copy)
