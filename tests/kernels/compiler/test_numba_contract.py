"""What the package relies on beyond Numba's and llvmlite's documented interfaces: each name exists and does its part.

When one of these fails after an upgrade, a module of `mlpjit/kernels` (`jit`, `cache`, or a generator) needs a change.
"""

from __future__ import annotations

import ctypes
import gc
import inspect
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
import pytest
from llvmlite import ir
from numba.core import caching, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from mlpjit.kernels.compiler import building, cache, jit, pipeline
from mlpjit.kernels.compiler.target import symbol
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Float64, Float64s, Real, Reals, fma, kernel, load, store


def address_of(array: np.ndarray) -> int:
    return array.ctypes.data


def run(record: Any, dtype: str, *arguments: Any) -> Any:
    """Compile a kernel of this file and call it."""
    call = jit.load(record, dtype, key=function_hash(record.function)).call
    return call(*(address_of(a) if isinstance(a, np.ndarray) else a for a in arguments))


def test_the_installed_version_is_within_the_declared_bounds():
    declared = next(line for line in requires("mlpjit") or [] if line.startswith("numba"))
    bounds = {sign: (int(a), int(b)) for sign, a, b in re.findall(r"(>=|<)(\d+)\.(\d+)", declared)}
    major, minor = map(int, numba.__version__.split(".")[:2])
    assert bounds[">="] <= (major, minor) < bounds["<"]


def test_the_target_is_three_strings():
    """`magic_tuple` is what Numba itself keys its cache with: triple, CPU name, features."""
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    assert all(map(str, (triple, name)))
    assert (str(triple), str(name), str(features)) == jit.target()


def test_the_locator_has_every_method_that_numba_asks_for():
    wanted = {n for n, m in inspect.getmembers(caching._CacheLocator) if getattr(m, "__isabstractmethod__", False)}
    assert "get_cache_path" in wanted
    assert all(callable(getattr(cache.FolderLocator, name)) for name in wanted)


def plain(x):
    return x + 1.0


def test_the_locator_hook_decides_where_a_cfunc_is_kept(tmp_path):
    """`numba.config.CACHE_LOCATOR_CLASSES` is read when the function is decorated; `cache_hits` tells of a load."""
    signature, hits = types.float64(types.float64), []
    assert isinstance(numba.config.CACHE_LOCATOR_CLASSES, str)
    for _ in range(2):
        function = jit.link(plain, "float64")
        made = building._compile(function, signature, tmp_path / "here")
        hits.append(made.cache_hits)
        assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(made.address)(2.0) == 3.0
    assert hits == [0, 1]
    assert {path.suffix for path in (tmp_path / "here").iterdir()} == {".nbi", ".nbc"}
    assert cache.LOCATOR not in numba.config.CACHE_LOCATOR_CLASSES


def test_what_came_from_a_cache_shows_no_ir(tmp_path):
    for _ in range(2):
        made = building._compile(jit.link(plain, "float64"), types.float64(types.float64), tmp_path / "here")
    with pytest.warns(UserWarning, match="Inspection disabled for cached code"):
        made.inspect_llvm()


def test_float_constants_of_code_may_be_numpy_scalars():
    """`code.replace(co_consts=...)` with np.float32 gives literals of that type, so nothing widens to double."""
    function = jit.link(plain, "float32")
    assert [type(c) for c in function.__code__.co_consts if c is not None and type(c) is not str] == [np.float32]
    made = numba.cfunc(types.float32(types.float32), **jit.OPTIONS)(function)
    assert "double" not in made.inspect_llvm()


@kernel
def product_and_sum(a: Real, b: Real, c: Real, out: Reals) -> None:
    """Two roundings, one rounding."""
    store(out, 0, a * b + c)
    store(out, 1, fma(a, b, c))


@pytest.mark.parametrize(("dtype", "small"), [("float32", 2.0**-13), ("float64", 2.0**-30)])
def test_a_product_and_a_sum_are_not_contracted(dtype, small):
    """(1 + s)(1 - s) - 1 is 0 in two roundings and -s^2 in one, on every CPU."""
    out = np.zeros(2, dtype)
    run(product_and_sum, dtype, 1 + small, 1 - small, -1.0, out)
    assert out.tolist() == [0.0, -(small**2)]


@kernel
def divide(a: Real, b: Real, out: Reals) -> None:
    """IEEE division: no exception at 0."""
    store(out, 0, a / b)


def test_the_numpy_error_model_divides_by_zero():
    out = np.zeros(1)
    run(divide, "float64", 1.0, 0.0, out)
    assert out[0] == np.inf


@kernel
def inner_of_contract(x: Float64, out: Float64s) -> None:
    """Called by symbol."""
    store(out, 0, x + 1.0)


@kernel
def outer_of_contract(x: Float64, out: Float64s) -> None:
    """Calls another kernel."""
    inner_of_contract(x, out)
    inner_of_contract(load(out, 0), out)


def test_kernels_call_each_other_by_a_process_wide_symbol():
    """`llvmlite.binding.add_symbol` resolves what another module declares."""
    out = np.zeros(1)
    run(outer_of_contract, "float64", 1.0, out)
    assert out[0] == 3.0
    assert llvmlite.binding.address_of_symbol(symbol(inner_of_contract, "float64"))


def test_pointers_of_llvmlite_know_their_element():
    """Generators read the dtype of what they are given from `pointer.type.pointee`."""
    assert ir.FloatType().as_pointer().pointee == ir.FloatType()
    assert ir.VectorType(ir.DoubleType(), 8).count == 8


def test_intrinsics_see_literals_and_casts():
    """`prefer_literal` hands over IntegerLiteral, `unify_types` and `cast` behave as in Numba's own code."""
    seen = []

    @intrinsic(prefer_literal=True)
    def probe(typing, value, number):
        seen.append((type(number), typing.unify_types(types.float32, types.float64)))
        return types.float64(value, number), lambda context, builder, signature, arguments: context.cast(
            builder, arguments[0], types.float32, types.float64
        )

    made = numba.cfunc(types.float64(types.float32), **jit.OPTIONS)(lambda x: probe(x, 7))
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_float)(made.address)(0.5) == 0.5
    assert (types.IntegerLiteral, types.float64) in seen


def test_numba_is_called_in_two_places():
    """A device function is declared in `linking`, a kernel compiled in `building`, which has the options of both."""
    package = Path(jit.__file__).parents[1]
    call = re.compile(r"numba\.(njit|jit|cfunc|vectorize)\(")
    callers = {path.name for path in package.rglob("*.py") if call.search(path.read_text())}
    assert callers == {"building.py", "linking.py"}


def add_one(x):
    return x + 1.0


def test_a_device_function_is_linked_and_has_no_machine_code():
    """Numba leaves to a pipeline which library takes its code, and asks the compilation's context for the entry."""
    device = jit.device(add_one, "float64")
    made = numba.cfunc(types.float64(types.float64), **jit.OPTIONS)(lambda x: device(x))
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(made.address)(0.5) == 1.5
    (compiled,) = device.overloads.values()
    assert isinstance(compiled.library, pipeline.LinkedLibrary)
    assert compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name) == 0


def test_what_is_spared_is_as_before_afterwards():
    context = cpu_target.target_context
    with suppress(KeyError), pipeline.sparing():
        assert not gc.isenabled()
        context.refresh()
        raise KeyError
    assert gc.isenabled()
    assert "load_additional_registries" not in vars(context)


def test_scipy_is_not_imported_for_nothing_and_found_when_it_is_needed():
    """Numba looks for BLAS when it loads its declarations; users' own functions still find it."""
    code = (
        "import sys\nfrom mlpjit.kernels.arithmetic.random import uniforms\nuniforms(0, 'init', 2)\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "from numba.np.linalg import ensure_blas\nensure_blas()\nassert 'scipy.linalg.cython_blas' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
