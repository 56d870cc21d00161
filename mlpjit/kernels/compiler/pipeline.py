"""Numba made to do less: what is not called gets no machine code, and what was found is not looked for again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def sparing() -> Iterator[None]:
    """Compile without what Python and Numba do again and again.

    Garbage is not collected: each time Python would look through all of Numba's graphs (7 %). The modules of Numba's
    declarations, which must have been loaded once, are not imported again whenever an intrinsic's type is found (5 %).
    """
    context, collecting = cpu_target.target_context, gc.isenabled()
    gc.disable()
    context.load_additional_registries = lambda: _take_what_was_declared(context)
    try:
        yield
    finally:
        del context.load_additional_registries
        if collecting:
            gc.enable()
