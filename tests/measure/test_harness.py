"""What Python does for a small run: parts add up, kernels count as released, every part is found in a real sweep."""

from __future__ import annotations

import time

import pytest

from mlpjit.errors import MlpjitError
from mlpjit.measure import harness


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_part_is_what_it_does_itself_and_its_kernels_have_no_gil():
    probe = harness.Probe()
    kernel = probe.kernel(lambda: busy(0.004))
    inner = probe.part("inner", lambda: (busy(0.002), kernel()))
    probe.part("outer", lambda: (inner(), busy(0.008)))()
    assert probe.spent["inner"] == pytest.approx([0.002, 0.006], rel=0.2)
    assert probe.spent["outer"] == pytest.approx([0.008, 0.008], rel=0.2)
    kernel()  # outside all parts: of nobody
    assert probe.calls == {"inner": 1, "outer": 1}


def test_a_part_that_fails_is_counted():
    probe = harness.Probe()
    with pytest.raises(ZeroDivisionError):
        probe.part("failing", lambda: 1 / 0)()
    assert probe.calls == {"failing": 1}


def test_the_rest_is_what_no_part_explains():
    probe = harness.Probe()
    first = next(iter(harness.PARTS))
    probe.stage(lambda: (probe.part(first, busy)(0.004), busy(0.006)))()
    found = probe.by_run(runs=2)
    assert found[harness.REST] == pytest.approx([0.003, 0.003], rel=0.2)
    assert found[harness.TOTAL] == pytest.approx([0.005, 0.005], rel=0.2)
    assert list(found) == [*harness.PARTS, harness.REST, harness.TOTAL]


def test_every_part_takes_time_in_a_sweep():
    """A part whose function has moved would show nothing."""
    found = {part.name: part for part in harness.measure(rounds=1)}
    assert [name for name, part in found.items() if part.spent.median <= 1e-7] == []
    assert all(part.held.median <= part.spent.median for part in found.values())
    compiled = found["compiled call"]
    assert compiled.spent.median > 5 * compiled.held.median
    assert found[harness.TOTAL].held.median < 0.9 * found[harness.TOTAL].spent.median


def test_a_process_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harness, "CODE", "raise ValueError('no luck')")
    with pytest.raises(MlpjitError, match="no luck"):
        harness.measure(1)
