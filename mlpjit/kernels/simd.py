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

INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
DOUBLE = ir.DoubleType()

LANES = {types.float32: 16, types.float64: 8}
PRIMITIVES: dict[str, Callable[..., Any]] = {}


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register an intrinsic under its function name (a trailing underscore is dropped)."""
    made = intrinsic(prefer_literal=True)(function)
    PRIMITIVES[function.__name__.strip("_")] = made
    return made


def call(builder: ir.IRBuilder, name: str, returns: ir.Type, arguments: list[ir.Value]) -> ir.Value:
    """Call an LLVM intrinsic or an external function by its full name, declaring it once per module."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(returns, [a.type for a in arguments])
        function = ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def suffix(kind: ir.Type) -> str:
    """Return LLVM's name suffix of a float type: f32, f64, v16f32, v8f64."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{suffix(kind.element)}"
    return "f64" if kind == DOUBLE else "f32"


def fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """Return a b + c rounded once, for scalars and vectors."""
    return call(builder, f"llvm.fma.{suffix(a.type)}", a.type, [a, b, c])


def address(builder: ir.IRBuilder, pointer: ir.Value, *steps: ir.Value) -> ir.Value:
    """Return the pointer moved on by the sum of the steps, in elements."""
    for step in steps:
        pointer = builder.gep(pointer, [step])
    return pointer


def vector_pointer(builder: ir.IRBuilder, pointer: ir.Value, vector: ir.Type) -> ir.Value:
    """Return an element pointer as a pointer to a whole vector."""
    return builder.bitcast(pointer, vector.as_pointer())


def load_vector(builder: ir.IRBuilder, pointer: ir.Value, vector: ir.VectorType) -> ir.Value:
    """Load a vector that is aligned as its elements are."""
    return builder.load(vector_pointer(builder, pointer, vector), align=4 if suffix(vector)[-2:] == "32" else 8)


def store_vector(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value) -> None:
    """Store a vector that is aligned as its elements are."""
    builder.store(
        value, vector_pointer(builder, pointer, value.type), align=4 if suffix(value.type)[-2:] == "32" else 8
    )


def local(builder: ir.IRBuilder, kind: ir.Type) -> ir.Value:
    """Return room on the stack, taken once on entry: inside a loop it would grow with every turn."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int) -> ir.Value:
    """Return a vector with the scalar in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


class Loop:
    """A counted loop in LLVM IR whose carried values are phi nodes: `with Loop(b, n, [zero]) as loop: ...`."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, carried: list[ir.Value], step: int = 1) -> None:
        self.builder, self.step = builder, step
        self.body = builder.append_basic_block("loop")
        self.after = builder.append_basic_block("after")
        before = builder.block
        some = builder.icmp_signed(">", count, INT64(0))
        builder.cbranch(some, self.body, self.after)
        builder.position_at_end(self.body)
        self.count = count
        self.index = builder.phi(INT64)
        self.index.add_incoming(INT64(0), before)
        self.values = [builder.phi(value.type) for value in carried]
        for phi, value in zip(self.values, carried, strict=True):
            phi.add_incoming(value, before)
        self._before, self._carried = before, carried

    def end(self, values: list[ir.Value]) -> list[ir.Value]:
        """Close the loop with the next carried values; return them as they stand behind the loop."""
        builder, last = self.builder, self.builder.block
        following = builder.add(self.index, INT64(self.step))
        self.index.add_incoming(following, last)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, last)
        builder.cbranch(builder.icmp_signed("<", following, self.count), self.body, self.after)
        builder.position_at_end(self.after)
        results = []
        for start, value in zip(self._carried, values, strict=True):
            phi = builder.phi(value.type)
            phi.add_incoming(start, self._before)
            phi.add_incoming(value, last)
            results.append(phi)
        return results


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
    ("int32", types.int32),
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


def _hint(module: ir.Module, name: str, value: int) -> Any:
    """Return a loop's metadata node with one hint; its first operand is the node itself, as LLVM wants it."""
    node = module.add_metadata([module.add_metadata([f"{name}.{len(module.metadata)}"])])
    node.operands = (node, module.add_metadata([name, INT32(value)]))
    return node


@primitive
def interleave(typing: Any, count: Any) -> Any:
    """Have LLVM work on `count` vectors (1, 2 or 4) side by side in every loop that ends above this place."""
    if not isinstance(count, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        seen, number = set(), count.literal_value
        for block in builder.function.blocks:
            seen.add(block.name)
            end = block.terminator
            back = end is not None and end.opname == "br" and len(end.operands) == 1 and end.operands[0].name in seen
            if back and number > 1:
                end.set_metadata("llvm.loop", _hint(builder.module, "llvm.loop.interleave.count", number))
        return context.get_dummy_value()

    return types.void(count), generate


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
