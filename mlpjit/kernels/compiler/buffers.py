"""A few numbers on the stack, for loops that gather what lies apart and work on whole vectors of it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from mlpjit.kernels.compiler.simd import primitive

VECTOR_BYTES = 64


def _declare(name: str, element: Any) -> None:
    def typed(typing: Any, like: Any, count: Any) -> Any:
        if not isinstance(count, types.IntegerLiteral):
            return None
        pointer = types.CPointer(element or like.dtype)
        number = count.literal_value

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(pointer.dtype)
            made = cgutils.alloca_once(builder, kind, size=ir.Constant(ir.IntType(64), number))
            made.align = VECTOR_BYTES
            return made

        return pointer(like, count), generate

    typed.__name__ = name
    primitive(typed)


# buffer(like, count): room for `count` (a constant) numbers of the type that the pointer `like` has; buffer64: double.
_declare("buffer", None)
_declare("buffer64", types.float64)
