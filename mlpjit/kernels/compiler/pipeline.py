"""Numba made to do less: what is not called gets no machine code, and what was found is not looked for again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import _dynfunc  # type: ignore[attr-defined]
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import cpu_target


class LinkedLibrary(JITCodeLibrary):
    """The optimized code of a function that is only linked into its callers: machine code is made of those alone."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class DeviceCompiler(Compiler):
    """Numba's stages, for a function that nobody calls by its address."""

    def define_pipelines(self) -> Any:
        """Return Numba's own stages, which are to leave their code in a library that is only linked."""
        state = self.state
        state.library = LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.targetctx.get_executable = _entry_of_nothing  # of this compilation's own copy of the context
        return super().define_pipelines()


def _entry_of_nothing(library: Any, descriptor: Any, environment: Any) -> Any:
    """Return what stands for the function where Numba looks it up."""
    name = descriptor.qualname.split(".")[-1]
    return _dynfunc.make_function(descriptor.lookup_module(), name, "", 0, environment, (library,))


def _take_what_was_declared(context: Any) -> None:
    for registry in tuple(context._registries):
        context.install_registry(registry)


def _call_alone(context: Any, library: Any, described: Any) -> None:
    """Add the C function that calls a function which never raises, without what would tell of an exception.

    That is Python's and Numba's: a kernel that could call it could not be loaded without them.
    """
    module = context.create_module("cfunc_wrapper")
    kind = context.call_conv.get_function_type(described.restype, described.argtypes)
    called = ir.Function(module, kind, described.llvm_func_name)
    given = [context.get_value_type(each) for each in described.argtypes]
    entry = ir.FunctionType(context.get_value_type(described.restype), given)
    made = ir.Function(module, entry, described.llvm_cfunc_wrapper_name)
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    _, result = context.call_conv.call_function(
        builder, called, described.restype, described.argtypes, made.args, attrs=("noinline",)
    )
    builder.ret(result)
    library.add_ir_module(module)


@contextmanager
def sparing(never_raises: bool = False) -> Iterator[None]:
    """Compile without what Python and Numba do again and again, and without telling what is never raised.

    Garbage is not collected: each time Python would look through all of Numba's graphs (7 %). The modules of Numba's
    declarations, which must have been loaded once, are not imported again whenever an intrinsic's type is found (5 %).
    """
    context, collecting = cpu_target.target_context, gc.isenabled()
    gc.disable()
    context.load_additional_registries = lambda: _take_what_was_declared(context)
    if never_raises:
        context.create_cfunc_wrapper = lambda library, described, *rest: _call_alone(context, library, described)
    try:
        yield
    finally:
        del context.load_additional_registries
        if never_raises:
            del context.create_cfunc_wrapper
        if collecting:
            gc.enable()
