"""Code generators of dot products and sums: 16 lanes, folded pairwise, then the remainder in order."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.compiler.llvm import DOUBLE, INT32, INT64, Loop, address, fused, load_vector
from mlpjit.kernels.compiler.simd import primitive

DOT_LANES = 16


def _widened(builder: Any, value: Any, kind: Any) -> Any:
    return value if value.type == kind else builder.fpext(value, kind)


def _dot_tail(builder: Any, x: Any, y: Any, start: Any, count: Any, total: Any) -> Any:
    """Add the products of the last elements one by one, in order."""
    loop = Loop(builder, builder.sub(count, start), [total])
    at = builder.add(start, loop.index)
    a, b = (_widened(builder, builder.load(address(builder, p, at)), total.type) for p in (x, y))
    return loop.end([fused(builder, a, b, loop.values[0])])[0]


def _fold(builder: Any, vector: Any) -> Any:
    """Add the lanes pairwise: halves onto halves, in one fixed order."""
    lanes = vector.type.count
    while lanes > 1:
        lanes //= 2
        undefined = ir.Constant(vector.type, ir.Undefined)
        low, high = (
            ir.Constant(ir.VectorType(INT32, lanes), list(range(first, first + lanes))) for first in (0, lanes)
        )
        vector = builder.fadd(
            builder.shuffle_vector(vector, undefined, low), builder.shuffle_vector(vector, undefined, high)
        )
    return builder.extract_element(vector, INT32(0))


def _dot(name: str, explanation: str, total: Any) -> None:
    def typed(typing: Any, x: Any, y: Any, count: Any) -> Any:
        returned = total or x.dtype

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, y, count = arguments
            vector = ir.VectorType(x.type.pointee, DOT_LANES)
            wide = ir.VectorType(context.get_value_type(returned), DOT_LANES)
            whole = builder.and_(count, INT64(-DOT_LANES))
            loop = Loop(builder, whole, [ir.Constant(wide, [0.0] * DOT_LANES)], step=DOT_LANES)
            a, b = (
                _widened(builder, load_vector(builder, address(builder, p, loop.index), vector), wide) for p in (x, y)
            )
            lanes = loop.end([fused(builder, a, b, loop.values[0])])[0]
            return _dot_tail(builder, x, y, whole, count, _fold(builder, lanes))

        return returned(x, y, types.int64), generate

    typed.__name__, typed.__doc__ = name, explanation
    primitive(typed)


_dot(
    "dot",
    "Return the sum of x[i] y[i] in float64: 16 lanes, folded pairwise, then the remainder in order.",
    types.float64,
)
_dot("plain_dot", "Return the sum of x[i] y[i] in the numbers' own type, in the order of `dot`.", None)


@primitive
def summed(typing: Any, x: Any, count: Any) -> Any:
    """Return the sum of x[i] in float64, in the order of `dot`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, count = arguments
        element, wide = x.type.pointee, ir.VectorType(DOUBLE, DOT_LANES)
        whole = builder.and_(count, INT64(-DOT_LANES))
        loop = Loop(builder, whole, [ir.Constant(wide, [0.0] * DOT_LANES)], step=DOT_LANES)
        found = _widened(
            builder, load_vector(builder, address(builder, x, loop.index), ir.VectorType(element, DOT_LANES)), wide
        )
        lanes = loop.end([builder.fadd(loop.values[0], found)])[0]
        rest = Loop(builder, builder.sub(count, whole), [_fold(builder, lanes)])
        last = _widened(builder, builder.load(address(builder, x, builder.add(whole, rest.index))), DOUBLE)
        return rest.end([builder.fadd(rest.values[0], last)])[0]

    return types.float64(x, types.int64), generate
