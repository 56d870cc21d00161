"""The work that measures the machine does what it is said to do: else its rates mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.rounding import fused

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.timing import machine_limits
from mlpjit.measure import machine_limits as work
from mlpjit.measure.cases.work import filled

LANES = {"float32": 16, "float64": 8}
DTYPES = list(LANES)


def chained(kernel: str, dtype: str, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the chains before and after three operations."""
    before = filled(dtype, 64 * LANES[dtype], low=1.5, high=1.7)
    after = before.copy()
    call = jit.load(getattr(machine_limits, kernel), dtype).call
    call(3, a, b, after.ctypes.data)
    used = jit.load(machine_limits.chains_at_once, dtype).call(after.ctypes.data) * LANES[dtype]
    np.testing.assert_array_equal(after[used:], before[used:])
    return before[:used], after[:used]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_lane_of_every_chain_is_multiplied_and_added(dtype):
    before, after = chained("fused_multiply_add", dtype, 0.5, 0.75)
    for x, y in zip(before.tolist(), after.tolist(), strict=True):
        for _ in range(3):
            x = fused(x, 0.5, 0.75, dtype)
        assert x == y


@pytest.mark.parametrize("dtype", DTYPES)
def test_roots_and_quotients(dtype):
    before, after = chained("square_root", dtype, 0.5, 0.75)
    for _ in range(3):
        before = np.sqrt(before) + np.dtype(dtype).type(0.75)
    np.testing.assert_array_equal(after, before)
    before, after = chained("division", dtype, 0.5, 0.75)
    for _ in range(3):
        before = np.dtype(dtype).type(0.5) / before + np.dtype(dtype).type(0.75)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_streams(dtype):
    a, b, c = (filled(dtype, 128, low=low, high=1.0) for low in (0.0, 0.1, 0.2))
    wanted = {"triad": b + np.dtype(dtype).type(0.5) * c, "copy": b, "scale": np.dtype(dtype).type(0.5) * b}
    for name, result in wanted.items():
        a[:] = 9.0
        jit.load(getattr(machine_limits, name), dtype).call(64, 0.5, a.ctypes.data, b.ctypes.data, c.ctypes.data)
        np.testing.assert_allclose(a[:64], result[:64], rtol=1e-6)
        assert (a[64:] == 9.0).all()


def test_levels_are_ordered_and_found():
    levels = work.levels()
    assert [level.name for level in levels] == ["L1", "L2", "L3", "DRAM"]
    assert sorted(levels, key=lambda level: level.holds) == list(levels)
    assert all(level.stream <= level.holds for level in levels)
    assert work.level_of(1000) == "L1"
    assert work.level_of(1e12) == "DRAM"


@pytest.mark.parametrize("stream", work.STREAMS)
def test_a_stream_fills_what_its_level_says(stream):
    level = work.Level("L1", 32 << 10, 16 << 10)
    made = work.memory(stream, level, "float32")
    made.run(2)
    assert 0.9 * level.stream <= made.resident <= level.stream
    assert made.moved == made.resident * {"triad": 1, "copy": 1, "scale": 2}[stream]
