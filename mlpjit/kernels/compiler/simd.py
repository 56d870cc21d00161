"""Code generators of the primitives that `rules` names: LLVM instructions that Numba has no words for.

Every generator fixes the order of its arithmetic, and none sets a fast-math flag: the bits are the same on
every CPU. Vectors are LLVM vectors of a fixed number of virtual lanes (16 float32, 8 float64) that the
code generator splits to whatever the hardware has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from mlpjit.kernels.compiler.llvm import INT32, INT64, call, fused, suffix

LANES = {types.float32: 16, types.float64: 8}
PRIMITIVES: dict[str, Callable[..., Any]] = {}


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register an intrinsic under its function name (a trailing underscore is dropped)."""
    made = intrinsic(prefer_literal=True)(function)
    PRIMITIVES[function.__name__.strip("_")] = made
    return made


@primitive
def load(typing: Any, pointer: Any, index: Any) -> Any:
    """Return pointer[index], with no wrap-around for negative indices."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.gep(arguments[0], [arguments[1]]))

    return pointer.dtype(pointer, types.int64), generate


@primitive
def store(typing: Any, pointer: Any, index: Any, value: Any) -> Any:
    """Set pointer[index] = value; the value has the element type already."""
    if value != pointer.dtype:
        raise TypeError(f"store of {value} through a pointer to {pointer.dtype}: convert with real(...)")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.void(pointer, types.int64, value), generate


@primitive
def offset(typing: Any, pointer: Any, index: Any) -> Any:
    """Return the pointer moved on by `index` elements."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


@primitive
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""
    kind = typing.unify_types(a, b, c)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return fused(builder, *arguments)

    return kind(kind, kind, kind), generate


def _unary(name: str, llvm: str) -> None:
    def typed(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = arguments[0].type
            return call(builder, f"llvm.{llvm}.{suffix(kind)}", kind, list(arguments))

        return x(x), generate

    typed.__name__ = name
    primitive(typed)


_unary("sqrt", "sqrt")
_unary("absolute", "fabs")


@primitive
def copysign(typing: Any, magnitude: Any, sign: Any) -> Any:
    """Return the magnitude with the other number's sign."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        return call(builder, f"llvm.copysign.{suffix(kind)}", kind, list(arguments))

    return magnitude(magnitude, sign), generate


@primitive
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Return yes where the condition holds, else no: an instruction, never a branch."""
    kind = typing.unify_types(yes, no)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return kind(types.boolean, kind, kind), generate


_BITS: dict[Any, Any] = {types.float32: types.int32, types.float64: types.int64}
_FLOATS: dict[Any, Any] = {integer: real for real, integer in _BITS.items()}


@primitive
def to_bits(typing: Any, x: Any) -> Any:
    """Return the bits of a float as the integer of the same size."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _BITS[x](x), generate


@primitive
def from_bits(typing: Any, x: Any) -> Any:
    """Return the float that an integer's bits are."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _FLOATS[x](x), generate


def _integer_operation(name: str, operation: str) -> None:
    def typed(typing: Any, a: Any, b: Any) -> Any:
        other = types.int64 if isinstance(b, types.IntegerLiteral) else b

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            right = context.cast(builder, arguments[1], other, a)
            return getattr(builder, operation)(arguments[0], right)

        return a(a, other), generate

    typed.__name__ = name
    primitive(typed)


for _name, _operation in (("iadd", "add"), ("isub", "sub"), ("ishl", "shl"), ("iashr", "ashr")):
    _integer_operation(_name, _operation)


def _convert(name: str, target: types.Type) -> Callable[..., Any]:
    def typed(typing: Any, x: Any) -> Any:
        source = types.int64 if isinstance(x, types.IntegerLiteral) else x

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return context.cast(builder, arguments[0], source, target)

        return target(source), generate

    typed.__name__ = name
    return primitive(typed)


for _name, _target in (
    ("float64", types.float64),
    ("float32", types.float32),
    ("integer", types.int64),
    ("uint32", types.uint32),
    ("uint64", types.uint64),
):
    _convert(_name, _target)


def _pointer_at(name: str, element: types.Type) -> None:
    def typed(typing: Any, table: Any, slot: Any) -> Any:
        result = types.CPointer(element)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = builder.load(builder.gep(arguments[0], [arguments[1]]))
            return builder.inttoptr(number, context.get_value_type(result))

        return result(table, types.int64), generate

    typed.__name__ = name
    primitive(typed)


for _name, _element in (
    ("ints", types.int64), ("float64s", types.float64), ("float32_pointer", types.float32),
):  # fmt: skip
    _pointer_at(_name, _element)


def by_dtype(name: str, dtype: types.Type) -> Callable[..., Any]:
    """Return the primitive that `real` or `reals` stands for in a run of this dtype."""
    if name == "real":
        return PRIMITIVES[str(dtype)]
    return PRIMITIVES["float32_pointer" if dtype == types.float32 else "float64s"]


def _hint(module: ir.Module, *hint: Any) -> Any:
    """Return a loop's metadata node with one hint; its first operand is the node itself, as LLVM wants it."""
    node = module.add_metadata([module.add_metadata([f"{hint[0]}.{len(module.metadata)}"])])
    node.operands = (node, module.add_metadata(hint))
    return node


def _hint_loops(builder: Any, *hint: Any) -> None:
    """Give every loop that ends above this place a hint."""
    seen = set()
    for block in builder.function.blocks:
        seen.add(block.name)
        end = block.terminator
        if end is not None and end.opname == "br" and len(end.operands) == 1 and end.operands[0].name in seen:
            end.set_metadata("llvm.loop", _hint(builder.module, *hint))


@primitive
def interleave(typing: Any, count: Any) -> Any:
    """Have LLVM work on `count` vectors (1, 2 or 4) side by side in every loop that ends above this place."""
    if not isinstance(count, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if count.literal_value > 1:
            _hint_loops(builder, "llvm.loop.interleave.count", INT32(count.literal_value))
        return context.get_dummy_value()

    return types.void(count), generate


@primitive
def keep_loops(typing: Any) -> Any:
    """Have LLVM unroll no loop that ends above this place: one of a vector's lanes is then one vector, not numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _hint_loops(builder, "llvm.loop.unroll.disable")
        return context.get_dummy_value()

    return types.void(), generate


@primitive
def unpack(typing: Any, pointer: Any, count: Any) -> Any:
    """Return pointer[0], ..., pointer[count - 1] as a tuple; the count is a constant."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    number = count.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = [builder.load(builder.gep(arguments[0], [INT64(i)])) for i in range(number)]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(pointer.dtype, number)(pointer, count), generate


@primitive
def unpack_settings(typing: Any, pointer: Any, count: Any, lists: Any) -> Any:
    """Return pointer[0], ..., pointer[count - 1] and, if `lists` is 1, the pointer behind them (constants)."""
    if not (isinstance(count, types.IntegerLiteral) and isinstance(lists, types.IntegerLiteral)):
        return None
    number, tail = count.literal_value, lists.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = [builder.gep(arguments[0], [INT64(i)]) for i in range(number + tail)]
        values = [builder.load(place) for place in places[:number]] + places[number:]
        return context.make_tuple(builder, signature.return_type, values)

    return types.Tuple([pointer.dtype] * number + [pointer] * tail)(pointer, count, lists), generate


@primitive
def rounded(typing: Any, like: Any, values: Any) -> Any:
    """Return a tuple of numbers, each converted to the element type of the pointer `like`."""
    result = types.UniTuple(like.dtype, len(values))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = [types.int64 if isinstance(k, types.IntegerLiteral) else k for k in values]
        items = [builder.extract_value(arguments[1], i) for i in range(len(kinds))]
        cast = [context.cast(builder, v, k, like.dtype) for v, k in zip(items, kinds, strict=True)]
        return context.make_tuple(builder, result, cast)

    return result(like, values), generate
