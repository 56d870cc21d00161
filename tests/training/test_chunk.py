"""Runs that one call makes one after the other: the bits that each has alone, and each its own fate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from mlpjit.catalogue.registries import initializers
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.tables import CONTROL
from mlpjit.training.chunk import make
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.result import METRICS, Control, Results
from mlpjit.training.run import Run, execute

MOONS = {"dataset": "two_moons", "hidden": [6, 6], "epochs": 2, "optimizer": "adam", "activation": "tanh"}
# Rates, seeds and penalties of the runs of a chunk; a rate of 1e30 diverges at once.
OWN = [
    {"learning_rate": rate, "seed": seed, "split_seed": seed % 3, "l2": l2}
    for rate, seed, l2 in [
        (0.01, 0, 0.0), (0.1, 2**40 + 3, 1e-3), (1e30, 2, 0.0), (0.01, 3, 1e-2), (1e30, 4, 0.0), (0.3, 5, 0.0),
        (0.05, 6, 0.0), (0.01, 0, 0.0),
    ]
]  # fmt: skip
# What has memory of its own besides parameters: drawn numbers, masks, states that do not begin at 0, schedules.
KINDS = [
    {"optimizer": "sgd"},
    {"dropout": 0.2, "optimizer": "adahessian", "normalization": "batch"},
    {"optimizer": "adagrad", "wrapper": "lookahead", "clip": "global_norm", "schedule": "cosine"},
    {"optimizer": "momentum", "momentum_schedule": "linear", "init": "lsuv", "dtype": "float64"},
    {"activation": "prelu", "normalization": "weight", "init": "torch_default", "weight_decay": 0.1},
]  # fmt: skip


def bits(results: Results, place: int) -> tuple[object, ...]:
    history = results.history(place)
    return results.states[place], repr(results.of(place, METRICS)), *(each.tobytes() for each in history.values())


def alone(config: RunConfig) -> tuple[object, ...]:
    result = execute(config)
    return result.status, repr(result.metrics), *(each.tobytes() for each in result.history.values())


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_a_chunk_have_the_bits_that_they_have_alone(kind):
    configs = [RunConfig(**{**MOONS, **kind, **own}) for own in OWN]
    expected = [alone(config) for config in configs]
    assert len(set(expected)) == len(OWN) - 1
    assert {"done", "diverged"} <= {state for state, *_ in expected}
    for size in (1, 2, 7, len(OWN)):
        made = [make(configs[first : first + size], Control()) for first in range(0, len(OWN), size)]
        assert [bits(each, place) for each in made for place in range(len(each))] == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("init", list(initializers))
@pytest.mark.parametrize("more", [{}, {"normalization": "batch"}, {"normalization": "weight", "activation": "prelu"}])
def test_first_parameters_are_those_of_the_initializer(init, dtype, more):
    """Drawn in compiled code or by NumPy."""
    run = Run(
        RunConfig(**{**MOONS, "init": init, "dtype": dtype, "activation": "relu", "init_seed": 2**40 + 1, **more})
    )
    names, samples = run.template.names, run.data.x_train
    wanted = initial_params(run.layers, dict(run.values.init), 2**40 + 1, dtype, names, samples)
    assert run.params.tobytes() == wanted.tobytes()


def test_what_scales_standard_numbers_is_drawn_in_compiled_code():
    """The others look at data, or do more with their numbers than compiled code knows."""
    left = {
        name for name in initializers
        if Run(RunConfig(**{**MOONS, "init": name, "activation": "relu"})).template.beginnings.given
    }  # fmt: skip
    assert left == {"lsuv", "orthogonal", "sparse", "truncated_normal"}


LONG = RunConfig(**{**MOONS, "epochs": 10**5, "evaluate_every": 100})


def when(ready: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act as soon as it is time, in another thread."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.001)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_stop_keeps_the_runs_that_had_ended():
    control = Control()
    configs = [LONG.model_copy(update={"learning_rate": rate}) for rate in (1e30, 1e30, 0.01, 1e30)]
    waiting = when(lambda: control.progress()[0] > 2 * Run(LONG).steps, control.stop)
    began = time.monotonic()
    made = make(configs, control)
    waiting.join()
    assert made.states == ["diverged"] * 2
    assert time.monotonic() - began < 30


def test_a_run_whose_time_is_up_ends_alone():
    control = Control()
    configs = [LONG.model_copy(update={"learning_rate": rate}) for rate in (1e30, 0.01, 1e30)]
    waiting = when(lambda: control.ended == 1 and bool(control.array[CONTROL.progress]), lambda: control.leave(1))
    made = make(configs, control)
    waiting.join()
    assert made.states == ["diverged", "stopped", "diverged"]
    assert made.numbers["steps"][1] > 0
    assert bits(made.among([2]), 0) == bits(make(configs[2:], Control()), 0)


def test_a_stop_that_comes_late_does_not_meet_the_next_run():
    """It was meant for one that has ended: the run it meets is begun again, and has the same bits."""
    control = Control()
    config = RunConfig(**{**MOONS, "epochs": 300})
    configs = [config, config.model_copy(update={"seed": 1})]
    waiting = when(lambda: control.ended == 1 and bool(control.array[CONTROL.progress]), lambda: control.leave(0))
    made = make(configs, control)
    waiting.join()
    assert [bits(made, place) for place in (0, 1)] == [alone(config) for config in configs]


def test_no_run_is_begun_when_the_budget_is_spent():
    control = Control()
    control.limit(1e-9)
    configs = [RunConfig(**MOONS, seed=seed) for seed in range(3)]
    made = make(configs, control)
    assert (len(made), made.states) == (1, ["done"])
    assert np.diff(made.times)[0, 0] > 0
