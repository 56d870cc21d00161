"""What the code generators of primitives share: LLVM instructions, vectors in memory, counted loops."""

from __future__ import annotations

from llvmlite import ir

BOOL = ir.IntType(1)
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
DOUBLE = ir.DoubleType()


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


def first_lanes(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """Return the mask of the first `count` of so many lanes."""
    numbers = ir.Constant(ir.VectorType(INT64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def load_first(builder: ir.IRBuilder, pointer: ir.Value, vector: ir.VectorType, count: ir.Value) -> ir.Value:
    """Load the first `count` lanes of a vector that is aligned as its elements are; the others are 0, and not read."""
    place, align = vector_pointer(builder, pointer, vector), INT32(4 if suffix(vector)[-2:] == "32" else 8)
    name, zeros = f"llvm.masked.load.{suffix(vector)}.p0{suffix(vector)}", ir.Constant(vector, [0.0] * vector.count)
    return call(builder, name, vector, [place, align, first_lanes(builder, count, vector.count), zeros])


def store_first(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, count: ir.Value) -> None:
    """Store the first `count` lanes of a vector that is aligned as its elements are; nothing behind them is touched."""
    kind = value.type
    place, align = vector_pointer(builder, pointer, kind), INT32(4 if suffix(kind)[-2:] == "32" else 8)
    name = f"llvm.masked.store.{suffix(kind)}.p0{suffix(kind)}"
    call(builder, name, ir.VoidType(), [value, place, align, first_lanes(builder, count, kind.count)])


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
