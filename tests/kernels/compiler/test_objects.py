"""Kernels loaded without Numba: what is kept as an object, what not, and what happens when a part of it is gone."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import pytest

from mlpjit.kernels.compiler import elf, objects, target

FUNCTION = """
declare i32 @{called}(i32)
define i32 @entry(i32 %x) {{
  %y = call i32 @{called}(i32 %x)
  %z = add i32 %y, {number}
  ret i32 %z
}}
define i32 @cfunc.entry(i32 %x) {{
  %y = call i32 @entry(i32 %x)
  ret i32 %y
}}
define internal i32 @hidden(i32 %x) {{
  ret i32 %x
}}
@shared = common global i64 0
"""
OUR = "mlpjit_called_float32"


def code_of(number: int, called: str = OUR) -> bytes:
    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    module = llvmlite.binding.parse_assembly(FUNCTION.format(called=called, number=number))
    machine = llvmlite.binding.Target.from_default_triple().create_target_machine(jit=True)
    return machine.emit_object(module)


pytestmark = pytest.mark.skipif(elf.symbols(code_of(1)) is None, reason="no ELF: Numba loads what it wrote")


def test_what_an_object_lacks_and_what_it_alone_may_define():
    assert elf.symbols(code_of(1)) == ({OUR}, {"entry", "cfunc.entry"})
    assert elf.symbols(b"\xcf\xfa\xed\xfe" + bytes(60)) is None


@pytest.mark.parametrize(("called", "kept"), [(OUR, True), ("memcpy", True), ("exp", False), ("PyErr_Clear", False)])
def test_what_needs_more_than_kernels_is_left_to_numba(tmp_path, called, kept):
    """Numba gives some symbols addresses of its own."""
    assert objects.keep(tmp_path, "cfunc.entry", code_of(1, called)) is kept
    assert (tmp_path / objects.OBJECT).exists() is kept


def test_what_defines_more_than_a_kernel_is_left_to_numba(tmp_path):
    assert not objects.keep(tmp_path, "cfunc.other", code_of(1))


def test_of_two_entries_with_one_name_each_has_its_own():
    """Processes number what they compile, and one loads what two have compiled."""
    called = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(lambda x: 10 * x)
    llvmlite.binding.add_symbol(OUR, ctypes.cast(called, ctypes.c_void_p).value)
    addresses = [objects._add("cfunc.entry", code_of(number)) for number in (1, 2)]
    made = [ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(address) for address in addresses]
    assert [function(7) for function in made] == [71, 72]


def said(cache: Path, code: str, **settings: str) -> list:
    environment = {**os.environ, "MLPJIT_CACHE_DIR": str(cache), **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [*json.loads(done.stdout), done.stderr]


# It calls two, of which one calls `memcpy`: what calls whom first differs by the process's hashes.
CALLER = """
import json, sys
from mlpjit.kernels.network.passes import pack_weights
from mlpjit.kernels.compiler import jit
kernel = jit.load(pack_weights, "float32")
print(json.dumps([kernel.from_cache, *jit.counted(), "numba" in sys.modules, jit.cache_folder().name]))
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Path, list]:
    cache = tmp_path_factory.mktemp("kernels") / "cache"
    return cache, said(cache, CALLER)


def test_what_lies_in_the_cache_is_loaded_without_numba(filled):
    cache, (_, compiled, loaded, *_, generation, _) = filled
    assert compiled > 1 == loaded + 1
    assert said(cache, CALLER) == [True, 0, compiled, False, generation, ""]


@pytest.mark.parametrize("lost", ["removed", "cut"])
def test_a_kernel_without_one_that_it_calls_is_kept_and_that_one_compiled(filled, tmp_path, lost):
    cache, (_, compiled, *_, generation, _) = filled
    copy = Path(shutil.copytree(cache, tmp_path / "cache"))
    called = copy / generation / "pack_panels-float32"
    if lost == "removed":
        shutil.rmtree(called)
    else:
        os.truncate(called / objects.OBJECT, 1000)
    assert said(copy, CALLER)[:3] == [True, 1, compiled - 1]
    assert said(copy, CALLER)[:3] == [True, 0, compiled]


RAISING = """
from __future__ import annotations
import json, sys
import numpy as np
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.language import Float64s, kernel, load, store
@kernel
def careful(x: Float64s) -> None:
    if load(x, 0) < 0.0:
        raise ValueError("below 0")
    store(x, 0, load(x, 0) + 1.0)
made = jit.load(careful, "float64")
x = np.array([1.0])
made.call(x.ctypes.data)
below = np.array([-1.0])
made.call(below.ctypes.data)
print(json.dumps([made.from_cache, x[0], "numba" in sys.modules]))
"""


def test_a_users_kernel_that_raises_is_loaded_by_numba_and_tells(tmp_path):
    file = tmp_path / "careful.py"
    file.write_text(RAISING)
    code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); import careful"
    for hit in (False, True):
        found, number, numba, told = said(tmp_path / "cache", code)
        assert (found, number, numba) == (hit, 2.0, True)
        assert "ValueError: below 0" in told


TARGET = """
import json
from mlpjit.kernels.compiler.target import target
before = target()
import numba
from numba.core.registry import cpu_target
print(json.dumps([before, [str(each) for each in cpu_target.target_context.codegen().magic_tuple()]]))
"""
SETTINGS = [{}, {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, {"NUMBA_ENABLE_AVX": "0"}]


@pytest.mark.parametrize("settings", SETTINGS, ids=["nothing", "a CPU", "no AVX"])
def test_the_target_is_that_of_numba(tmp_path, settings):
    ours, numbas, _ = said(tmp_path, TARGET, **settings)
    assert ours == numbas


def test_a_settings_file_of_numba_is_respected(tmp_path, monkeypatch):
    assert target._of_numba() == target.target()
    monkeypatch.chdir(tmp_path)
    (tmp_path / target.SETTINGS_FILE).write_text("cpu_name: haswell\n")
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(target, "_of_numba", lambda: ("asked", "", ""))
    assert target.target() == ("asked", "", "")


def test_the_symbol_of_a_kernel_leads_to_its_place():
    from mlpjit.kernels.arithmetic.matmul import pack_panels

    assert target.place_of(target.symbol(pack_panels, "float64")) == target.place(pack_panels, "float64")
