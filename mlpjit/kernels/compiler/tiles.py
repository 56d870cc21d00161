"""Code generators of the register tiles of `matmul`: rows x one vector of sums kept in registers.

The tile's shape follows the CPU that code is generated for; its bits do not: every sum runs over k in order,
one fused multiply-add a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from mlpjit.kernels.compiler import llvm, simd

INT64 = llvm.INT64
WIDE_CPUS = ("avx512", "znver4", "znver5", "icelake", "sapphirerapids", "cascadelake", "cannonlake", "tigerlake")
WIDE_ROWS = 8
Epilogue = Callable[[Any, Any, Any, int], Any]


def tile_rows() -> tuple[int, ...]:
    """Return the heights of tiles, tallest first.

    With AVX2 a 16-lane float32 vector takes two of sixteen registers: six rows leave four for operands, and 64
    rows are ten tiles of six and one of four, which still hides the latency. AVX-512 has room for eight and more.
    """
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    wide = "+avx512f" in features or any(part in name for part in WIDE_CPUS)
    return (WIDE_ROWS, 4, 2, 1) if wide else (6, 4, 2, 1)


def _sums(
    builder: Any, rows: int, inner: Any, left: Any, strides: Any, rights: list[Any], right_stride: Any
) -> list[Any]:
    """Return the tile's vectors, row by row: one for each of `rights` in a row."""
    element = left.type.pointee
    vector = ir.VectorType(element, 16 if element == ir.FloatType() else 8)
    i_stride, k_stride = strides
    starts = [builder.gep(left, [builder.mul(i_stride, INT64(row))]) for row in range(rows)]
    loop = llvm.Loop(builder, inner, [ir.Constant(vector, [0.0] * vector.count)] * (rows * len(rights)))
    down = builder.mul(loop.index, right_stride)
    b = [llvm.load_vector(builder, builder.gep(right, [down]), vector) for right in rights]
    step = builder.mul(loop.index, k_stride)
    following, totals = [], iter(loop.values)
    for start in starts:
        a = llvm.splat(builder, builder.load(builder.gep(start, [step])), vector.count)
        following += [llvm.fused(builder, a, each, next(totals)) for each in b]
    return loop.end(following)


def _add_bias(builder: Any, total: Any, extra: Any, row: int) -> Any:
    """Add the panel's part of a vector."""
    return builder.fadd(total, llvm.load_vector(builder, extra[0], total.type))


def _multiply(builder: Any, total: Any, extra: Any, row: int) -> Any:
    """Multiply by the same place of another matrix."""
    at = builder.gep(extra[0], [builder.mul(extra[1], INT64(row))])
    return builder.fmul(total, llvm.load_vector(builder, at, total.type))


def _keep(builder: Any, total: Any, extra: Any, row: int) -> Any:
    return total


def _store_valid(builder: Any, vector: Any, pointer: Any, valid: Any) -> None:
    """Store the first `valid` lanes: all of them, or at a matrix's edge those that a mask leaves."""
    with builder.if_else(builder.icmp_signed(">=", valid, INT64(vector.type.count))) as (whole, part):
        with whole:
            llvm.store_vector(builder, vector, pointer)
        with part:
            llvm.store_first(builder, vector, pointer, valid)


class _Panel:
    """The arguments of a panel while its code is generated; `tile(rows, first)` emits one tile.

    nexts: how far the vectors of a row are apart in b. Of several in a row all are whole.
    """

    def __init__(self, builder: Any, arguments: Any, epilogue: Epilogue, nexts: list[Any]) -> None:
        self.builder, self.epilogue, self.nexts = builder, epilogue, nexts
        (self.rows, self.inner, self.a, self.i, self.k, self.b, self.b_stride,
         self.c, self.c_stride, self.extra, self.extra_stride, self.valid) = arguments  # fmt: skip

    def tile(self, rows: int, first: Any) -> None:
        """Emit the tile of `rows` rows that begins at row `first`."""
        builder = self.builder
        left, rights = builder.gep(self.a, [builder.mul(first, self.i)]), [builder.gep(self.b, [n]) for n in self.nexts]
        beside = builder.gep(self.extra, [builder.mul(first, self.extra_stride)])
        totals = _sums(builder, rows, self.inner, left, (self.i, self.k), rights, self.b_stride)
        for number, total in enumerate(totals):
            row, column = divmod(number, len(rights))
            shift = INT64(column * total.type.count)
            value = self.epilogue(builder, total, (builder.gep(beside, [shift]), self.extra_stride), row)
            at = builder.add(builder.mul(builder.add(first, INT64(row)), self.c_stride), shift)
            if len(rights) == 1:
                _store_valid(builder, value, builder.gep(self.c, [at]), self.valid)
            else:
                llvm.store_vector(builder, value, builder.gep(self.c, [at]))

    def emit(self) -> None:
        """Emit all rows."""
        tallest, *rest = tile_rows()
        whole = self.builder.mul(self.builder.sdiv(self.rows, INT64(tallest)), INT64(tallest))
        loop = llvm.Loop(self.builder, whole, [], step=tallest)
        self.tile(tallest, loop.index)
        loop.end([])
        _remainder(self.builder, self, whole, rest)


def _panel(name: str, epilogue: Epilogue) -> None:
    def typed(
        typing: Any, rows: Any, inner: Any, a: Any, i_stride: Any, k_stride: Any, b: Any, b_stride: Any,
        c: Any, c_stride: Any, extra: Any, extra_stride: Any, valid: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _Panel(builder, arguments, epilogue, [INT64(0)]).emit()
            return context.get_dummy_value()

        n = types.int64
        return types.void(n, n, a, n, n, b, n, c, n, extra, n, n), generate

    typed.__name__ = name
    simd.primitive(typed)


def _pair(name: str, epilogue: Epilogue) -> None:
    """Two panels at once, whole vectors both: a number of a is loaded for two products.

    A core loads two vectors while it multiplies two: with one panel loads are the limit. AVX2 has registers for one.
    """

    def typed(
        typing: Any, rows: Any, inner: Any, a: Any, i_stride: Any, k_stride: Any, b: Any, b_stride: Any, b_next: Any,
        c: Any, c_stride: Any, extra: Any, extra_stride: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, inner, a, i, k, b, b_stride, b_next, c, c_stride, extra, extra_stride = arguments
            lanes = 16 if a.type.pointee == ir.FloatType() else 8
            if tile_rows()[0] == WIDE_ROWS:
                given = (rows, inner, a, i, k, b, b_stride, c, c_stride, extra, extra_stride, INT64(2 * lanes))
                _Panel(builder, given, epilogue, [INT64(0), b_next]).emit()
                return context.get_dummy_value()
            for column in range(2):
                shift = INT64(column * lanes)
                panel, out = builder.gep(b, [builder.mul(b_next, INT64(column))]), builder.gep(c, [shift])
                beside = builder.gep(extra, [shift])
                given = (rows, inner, a, i, k, panel, b_stride, out, c_stride, beside, extra_stride, INT64(lanes))
                _Panel(builder, given, epilogue, [INT64(0)]).emit()
            return context.get_dummy_value()

        n = types.int64
        return types.void(n, n, a, n, n, b, n, n, c, n, extra, n), generate

    typed.__name__ = f"{name}_pair"
    simd.primitive(typed)


def _remainder(builder: Any, panel: _Panel, done: Any, heights: list[int]) -> None:
    """Emit the rows that the tallest tile leaves over: one tile of each height that still fits."""
    at = llvm.local(builder, done.type)
    builder.store(done, at)
    for height in heights:
        first = builder.load(at)
        left = builder.sub(panel.rows, first)
        with builder.if_then(builder.icmp_signed(">=", left, INT64(height))):
            panel.tile(height, first)
            builder.store(builder.add(first, INT64(height)), at)


for _name, _epilogue in (("panel_bias", _add_bias), ("panel_scale", _multiply), ("panel_plain", _keep)):
    _panel(_name, _epilogue)
    _pair(_name, _epilogue)


@simd.primitive
def panel_sums(typing: Any, rows: Any, a: Any, stride: Any, out: Any, valid: Any, vectors: Any) -> Any:
    """out[j] = sum over the rows, in order from 0, of the columns of `vectors` (a constant) vectors.

    Whole vectors are read of every row; `valid` numbers are written.
    """
    if not isinstance(vectors, types.IntegerLiteral):
        return None
    number = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, a, stride, out, valid, _ = arguments
        lanes = number * (16 if a.type.pointee == ir.FloatType() else 8)
        wide = ir.VectorType(a.type.pointee, lanes)
        loop = llvm.Loop(builder, rows, [ir.Constant(wide, [0.0] * lanes)])
        row = llvm.load_vector(builder, builder.gep(a, [builder.mul(loop.index, stride)]), wide)
        _store_valid(builder, loop.end([builder.fadd(loop.values[0], row)])[0], out, valid)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, a, n, out, n, vectors), generate
