"""The processor's rounding mode, set by another library: no run, no kernel and no store is made with it."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import MlpjitError
from mlpjit.host import check_rounding
from mlpjit.kernels.compiler import jit
from mlpjit.study.study import Study
from mlpjit.training.run import Run, execute

# <fenv.h> of glibc: FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO.
MODES = {
    "x86_64": {"downward": 0x400, "upward": 0x800, "toward zero": 0xC00},
    "aarch64": {"downward": 0x800000, "upward": 0x400000, "toward zero": 0xC00000},
}.get(platform.machine(), {})
CONFIG = RunConfig(dataset="xor", hidden=[3], epochs=1)


@contextmanager
def rounding(way: str) -> Iterator[None]:
    """Have this thread round another way, as a library would that forgets to set it back."""
    library = ctypes.CDLL(None)
    assert library.fesetround(MODES[way]) == 0
    try:
        yield
    finally:
        library.fesetround(0)


@pytest.mark.parametrize("way", MODES)
def test_another_mode_changes_numbers_and_is_refused(way):
    numbers = np.linspace(-1.0, 1.0, 1001) / 3.0
    with rounding(way):
        changed = np.linspace(-1.0, 1.0, 1001) / 3.0
        with pytest.raises(MlpjitError, match=f"the processor rounds {way}, which another library has set"):
            check_rounding()
    assert not np.array_equal(numbers, changed)
    check_rounding()


@pytest.mark.parametrize("way", MODES)
def test_no_run_goes_on_in_another_mode(way):
    run = Run(CONFIG)
    run.advance(1)
    before = run.params.copy()
    with rounding(way), pytest.raises(MlpjitError, match="the processor rounds"):
        run.advance()
    np.testing.assert_array_equal(run.params, before)
    run.advance()
    np.testing.assert_array_equal(run.params, execute(CONFIG).params)


@pytest.mark.parametrize("way", MODES)
def test_nothing_is_compiled_or_written_in_another_mode(way, tmp_path, monkeypatch):
    """A constant that was worked out then would stay in the cache."""
    monkeypatch.setattr(jit, "_loaded", {})
    with rounding(way):
        with pytest.raises(MlpjitError, match=f"rounds {way}"):
            execute(CONFIG)
        with pytest.raises(MlpjitError, match=f"rounds {way}"):
            Study.from_table({"name": "rounded", "dataset": "xor", "epochs": 1}).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()
