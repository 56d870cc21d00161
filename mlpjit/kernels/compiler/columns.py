"""Tables of `kernels.tables` in compiled code: `PLAN.batch` and `len(PLAN)` are constants there.

Numba knows named tuples, but builds the whole tuple wherever one number of it is read: 60 lines that read two columns
of a table of forty took 0.38 s to compile, and take 0.15 s so. The machine code is the same.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin, lower_constant, lower_getattr_generic
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global
from numba.extending import typeof_impl


class Columns:
    """A table's columns as a global of compiled code."""

    def __init__(self, table: tuple[int, ...]) -> None:
        self.table = table


class ColumnsType(types.Dummy):
    """Its type, which holds the numbers."""

    def __init__(self, table: tuple[int, ...]) -> None:
        self.table = table
        super().__init__(f"columns of {table!r}")


register_default(ColumnsType)(models.OpaqueModel)


@typeof_impl.register(Columns)
def _type_of(value: Columns, context: Any) -> ColumnsType:
    return ColumnsType(value.table)


@lower_constant(ColumnsType)
def _nothing(context: Any, builder: Any, kind: ColumnsType, value: Columns) -> Any:
    return context.get_dummy_value()


@infer_getattr
class _Column(AttributeTemplate):
    key = ColumnsType

    def generic_resolve(self, kind: ColumnsType, name: str) -> Any:  # type: ignore[override]
        return types.int64 if name in kind.table._fields else None  # type: ignore[attr-defined]


@lower_getattr_generic(ColumnsType)
def _column(context: Any, builder: Any, kind: ColumnsType, value: Any, name: str) -> Any:
    return context.get_constant(types.int64, getattr(kind.table, name))


@infer_global(len)
class _Width(AbstractTemplate):
    def generic(self, arguments: Any, keywords: Any) -> Any:
        ours = len(arguments) == 1 and isinstance(arguments[0], ColumnsType)
        return signature(types.int64, *arguments) if ours else None


@lower_builtin(len, ColumnsType)
def _width(context: Any, builder: Any, declared: Any, arguments: Any) -> Any:
    return context.get_constant(types.int64, len(declared.args[0].table))
