"""Code generators for runs in lanes: register tiles of vectors, each a number of as many runs as it has lanes.

Every sum runs over k in order, one fused multiply-add a step, as in `tiles`. Strides are in vectors.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from mlpjit.kernels.compiler import llvm, simd

INT64 = llvm.INT64
SIDES = (4, 2, 1)  # rows and columns of tiles, the largest first
PLUS_BIAS, TIMES, ONTO = range(3)


class _Product:
    """The arguments of `lane_product` while its code is generated."""

    def __init__(self, builder: Any, arguments: Any) -> None:
        self.builder = builder
        (self.how, self.rows, self.columns, self.inner, self.a, self.ai, self.ak, self.b, self.bk, self.bj,
         self.c, self.ci, self.extra, self.ei) = arguments  # fmt: skip
        element = self.a.type.pointee
        self.vector = ir.VectorType(element, 16 if element == ir.FloatType() else 8)
        self.one = INT64(1)

    def place(self, base: Any, *steps: tuple[Any, Any]) -> Any:
        """Return where a vector stands, so many strides on."""
        for stride, number in steps:
            base = self.builder.gep(
                base, [self.builder.mul(self.builder.mul(stride, number), INT64(self.vector.count))]
            )
        return base

    def taken(self, base: Any, *steps: tuple[Any, Any]) -> Any:
        return llvm.load_vector(self.builder, self.place(base, *steps), self.vector)

    def emit(self) -> None:
        """Emit all rows."""
        self._over(
            self.rows, lambda height, i: self._over(self.columns, lambda width, j: self.tile(height, width, i, j))
        )

    def _over(self, count: Any, each: Any) -> None:
        """Emit a loop over whole sides, then what is left in smaller ones."""
        builder, (largest, *rest) = self.builder, SIDES
        whole = builder.and_(count, INT64(-largest))
        loop = llvm.Loop(builder, whole, [], step=largest)
        each(largest, loop.index)
        loop.end([])
        for size in rest:
            with builder.if_then(builder.trunc(builder.lshr(count, INT64(size.bit_length() - 1)), llvm.BOOL)):
                each(size, builder.and_(count, INT64(-2 * size)))

    def tile(self, height: int, width: int, i: Any, j: Any) -> None:
        """Emit the tile that begins at row i and column j."""
        builder = self.builder
        places = [(INT64(row), INT64(column)) for row in range(height) for column in range(width)]
        a, b = self.place(self.a, (self.ai, i)), self.place(self.b, (self.bj, j))
        c = self.place(self.c, (self.ci, i), (self.one, j))
        loop = llvm.Loop(builder, self.inner, self._begun(c, places))
        left = [self.taken(a, (self.ai, INT64(row)), (self.ak, loop.index)) for row in range(height)]
        right = [self.taken(b, (self.bj, INT64(column)), (self.bk, loop.index)) for column in range(width)]
        sums = [
            llvm.fused(builder, left[row.constant], right[column.constant], total)
            for (row, column), total in zip(places, loop.values, strict=True)
        ]
        totals = loop.end(sums)
        self._end(c, self.place(self.extra, (self.ei, i), (self.one, j)), places, totals)

    def _begun(self, c: Any, places: Any) -> list[Any]:
        """Return what the sums begin with: zeros, or what is added to."""
        builder, zero = self.builder, ir.Constant(self.vector, [0.0] * self.vector.count)
        before = builder.block
        with builder.if_then(builder.icmp_signed("==", self.how, INT64(ONTO))):
            found = [self.taken(c, (self.ci, row), (self.one, column)) for row, column in places]
            inside = builder.block
        made = []
        for value in found:
            phi = builder.phi(self.vector)
            phi.add_incoming(zero, before)
            phi.add_incoming(value, inside)
            made.append(phi)
        return made

    def _end(self, c: Any, extra: Any, places: Any, totals: list[Any]) -> None:
        """Store the sums, with what is done to them."""
        builder = self.builder
        for how, change in ((PLUS_BIAS, builder.fadd), (TIMES, builder.fmul), (ONTO, lambda total, _: total)):
            with builder.if_then(builder.icmp_signed("==", self.how, INT64(how))):
                for (row, column), total in zip(places, totals, strict=True):
                    beside = total if how == ONTO else self.taken(extra, (self.ei, row), (self.one, column))
                    llvm.store_vector(builder, change(total, beside), self.place(c, (self.ci, row), (self.one, column)))


@simd.primitive
def lane_tiles(
    typing: Any, how: Any, rows: Any, columns: Any, inner: Any, a: Any, ai: Any, ak: Any, b: Any, bk: Any, bj: Any,
    c: Any, ci: Any, extra: Any, ei: Any,
) -> Any:  # fmt: skip
    """c[i, j] = sum over k of a(i, k) b(k, j), plus extra, times extra, or onto c: what `how` says."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Product(builder, arguments).emit()
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, n, n, n, a, n, n, b, n, n, c, n, extra, n), generate
