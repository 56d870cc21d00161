"""What runs share is made once, and changes no bit of any of them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mlpjit import registry
from mlpjit.config.run_config import RunConfig
from mlpjit.training.memory import Layout, Memory
from mlpjit.training.run import Run
from mlpjit.training.template import template_of
from mlpjit.training.values import OWN, shared, values_of

MOONS = {"dataset": "two_moons", "hidden": [6, 6], "epochs": 2, "optimizer": "adam", "activation": "tanh"}
# What the arrays of a run hold besides numbers: masks, a curvature workspace, drawn numbers, kept parameters.
KINDS = [
    {},
    {"dropout": 0.2, "optimizer": "adahessian", "normalization": "batch"},
    {"optimizer": "kfac", "batch_size": 17, "dtype": "float64"},
    {"wrapper": "lookahead", "clip": "global_norm", "momentum_schedule": "linear", "optimizer": "momentum"},
]
OTHERS = {
    "learning_rate": 0.3, "l1": 1e-3, "l2": 1e-2, "seed": 2**40 + 3, "split_seed": 5, "init_seed": 6, "order_seed": 7,
}  # fmt: skip


def bits(config: RunConfig) -> list[bytes]:
    run = Run(config)
    run.advance()
    found = run.result()
    return [found.params.tobytes(), *(a.tobytes() for a in found.history.values()), repr(found.metrics).encode()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_used_template_gives_the_bits_of_a_new_one(kind):
    config = RunConfig(**{**MOONS, **kind})
    template_of.cache_clear()
    alone = bits(config)
    for name, value in OTHERS.items():
        assert bits(config.model_copy(update={name: value})) != alone
    assert template_of.cache_info().misses == 1
    assert bits(config) == alone


def test_seeds_the_rate_and_penalties_are_a_runs_own():
    assert {*OTHERS} == {*OWN}
    one = shared(values_of(RunConfig(**MOONS)))
    assert {shared(values_of(RunConfig(**{**MOONS, **{n: v}}))) for n, v in OTHERS.items()} == {one}


@pytest.mark.parametrize(
    "other", [{"weight_decay": 0.1}, {"epochs": 3}, {"hidden": [6, 7]}, {"optimizer": {"name": "adam", "b1": 0.8}}]
)
def test_all_else_makes_another_template(other):
    assert len({shared(values_of(RunConfig(**{**MOONS, **each}))) for each in ({}, other)}) == 2


def test_decay_itself_is_a_runs_own():
    template_of.cache_clear()
    weak, strong = (bits(RunConfig(**MOONS, weight_decay=decay)) for decay in (0.01, 0.5))
    assert weak != strong
    assert template_of.cache_info().currsize == 1


def test_templates_are_forgotten_when_a_name_may_stand_for_something_else():
    template_of(shared(values_of(RunConfig(**MOONS))))
    for forget in registry.forgetting:
        forget()
    assert template_of.cache_info().currsize == 0


def test_no_run_writes_to_what_it_shares():
    run = Run(RunConfig(**MOONS, momentum_schedule="linear", clip="global_norm"))
    held = run.template
    kept = [held.image, held.tables, held.slope_limits, held.loss_settings, *(t for t in held.tensors if t is not None)]
    before = [each.tobytes() for each in kept]
    run.advance()
    assert [each.tobytes() for each in kept] == before


def test_arrays_of_a_memory_do_not_touch_and_begin_at_whole_lines():
    layout = Layout()
    for place, (count, dtype) in enumerate([(3, "float32"), (5000, "float32"), (1, "int64"), (4096, "float64")]):
        layout.take(f"array{place}", count, dtype)
    memory = Memory(layout)
    places = sorted(layout.places.values())
    assert all(after.start >= before.stop + 64 for before, after in pairwise(places))
    assert {memory.at(name) % 64 for name in layout.places} == {0}
    assert all(memory.array(name).ctypes.data == memory.at(name) for name in layout.places)
    large = [memory.at(name) % 4096 for name in ("array1", "array3")]
    assert abs(large[0] - large[1]) >= 1024  # stores to one do not look like stores to the other


def test_a_run_has_no_other_attributes():
    with pytest.raises(AttributeError, match="wieghts"):
        _ = Run(RunConfig(**MOONS)).wieghts


def test_a_setting_of_minus_zero_is_zero():
    """Equal values share a template, so they must be the same: else the run that came first would decide."""
    plain, minus = (RunConfig(optimizer={"name": "momentum", "momentum": zero}) for zero in (0.0, -0.0))
    assert str(minus.optimizer["momentum"]) == "0.0"
    assert minus.run_id == plain.run_id
