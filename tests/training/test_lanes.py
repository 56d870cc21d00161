"""Runs side by side in vector lanes: each has the bits that it has alone, and its own fate."""

from __future__ import annotations

import threading
import time
import tomllib
from typing import Any

import numpy as np
import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.extending.files import load
from mlpjit.study.plan import to_prepare
from mlpjit.study.study import Study
from mlpjit.training import lanes
from mlpjit.training.chunk import Chunk, make
from mlpjit.training.result import COUNTED, METRICS, Control, Results
from mlpjit.training.values import shared, values_of
from mlpjit.training.warm import prepare

LANES = 16
MOONS: dict[str, Any] = {"dataset": "two_moons", "hidden": [8, 8], "epochs": 2, "optimizer": "adam"}
# Rates of the runs of a chunk, some of which diverge: at once, in the middle, at an evaluation.
RATES = [0.01, 1e30, 0.1, 3.0, 1e-3, 300.0, 1e20]
KINDS: list[dict[str, Any]] = [
    {"activation": "tanh"},
    {"optimizer": "adamw", "hidden": [16, 20], "weight_decay": 0.01, "activation": "gelu", "evaluate_every": 2},
    {"optimizer": "momentum", "momentum_schedule": "linear", "hidden": [17, 3], "batch_size": 1, "epochs": 1},
    {"optimizer": "sgd", "schedule": "reduce_on_plateau", "hidden": [5], "batch_size": 233, "activation": "relu"},
    {"dataset": "diabetes", "hidden": [32], "batch_size": "full", "schedule": "cosine", "epochs": 4},
    {"loss": "mse", "output_activation": "sigmoid", "hidden": [7], "batch_size": 699},
    {"dataset": "iris", "loss": {"name": "cross_entropy", "label_smoothing": 0.1}, "optimizer": "nadam"},
]  # fmt: skip


def configs(count: int, **kind: Any) -> list[RunConfig]:
    given = {**MOONS, **kind}
    return [RunConfig(**given, learning_rate=RATES[place % len(RATES)], seed=place % 11) for place in range(count)]


def bits(results: Results, place: int) -> tuple[object, ...]:
    history, numbers = results.history(place), repr(results.of(place, (*METRICS, *COUNTED)))
    return results.states[place], numbers, *(each.tobytes() for each in history.values())


def made_apart(runs: list[RunConfig]) -> list[tuple[object, ...]]:
    return [bits(make([run], Control()), 0) for run in runs]


def side_by_side(runs: list[RunConfig]) -> Chunk:
    """A chunk that makes its runs in lanes."""
    prepare(runs)
    made = Chunk(values_of(runs[0]), runs, Control())
    assert made.side == LANES
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_runs_in_lanes_have_the_bits_that_they_have_alone(kind):
    runs = configs(LANES + 9, **kind)
    made = side_by_side(runs).make()
    assert [bits(made, place) for place in range(len(runs))] == made_apart(runs)


def test_lanes_end_as_runs_end_alone():
    """Some diverge at once, some later, and the others are not touched by it."""
    made = side_by_side(configs(2 * LANES, **KINDS[1])).make()
    steps = {step for step in made.numbers["diverged_step"] if step is not None}
    assert len(steps) > 1
    assert {"done", "diverged"} == set(made.states)


MANY = [f"h{place}" for place in range(40)]


def test_a_rule_may_have_any_number_of_scalars(tmp_path, own_records_are_forgotten):
    """Forty hyperparameters of a user's rule, of which the last is the factor of the gradient."""
    text = f"""from mlpjit.extending import elementwise

@elementwise({", ".join(f"{name}=0.5" for name in MANY)})
def many(g, learning_rate, {", ".join(MANY)}):
    return learning_rate * {MANY[-1]} * g
"""
    (tmp_path / "many.py").write_text(text)
    load(tmp_path / "many.py")
    runs = configs(LANES, optimizer="many", hidden=[5])
    made = side_by_side(runs)
    assert made.lanes.kept["scalars"].size >= LANES * (len(MANY) + 1)
    found = made.make()
    assert [bits(found, place) for place in range(LANES)] == made_apart(runs)


@pytest.mark.parametrize(
    "kind",
    [
        {"normalization": "batch"}, {"dropout": 0.1}, {"clip": "global_norm"}, {"wrapper": "lookahead"},
        {"residual": "pre", "hidden": [8, 8]}, {"optimizer": "muon"}, {"optimizer": "lbfgs"}, {"activation": "prelu"},
        {"hidden": [33]}, {"hidden": []}, {"dataset": "digits"}, {"dtype": "float64"},
    ],
)  # fmt: skip
def test_what_looks_across_the_numbers_of_a_run_is_not_for_lanes(kind):
    assert not lanes.eligible(shared(values_of(RunConfig(**{**MOONS, **kind}))))


@pytest.mark.parametrize("kind", [{"l2": 0.1}, {"timeout": 60.0}])
def test_runs_of_their_own_kind_keep_a_chunk_apart(kind):
    runs = configs(LANES)
    side_by_side(runs)
    last = runs[-1].model_copy(update=kind)
    assert Chunk(values_of(runs[0]), [*runs[:-1], last], Control()).side == 0


def test_a_chunk_compiles_nothing(monkeypatch):
    """Where nothing was prepared for many runs, they are made one after the other."""
    runs = configs(LANES, optimizer="adam")
    lanes._found.clear()
    monkeypatch.setattr(lanes.jit, "on_disk", lambda *_: False)
    assert Chunk(values_of(runs[0]), runs, Control()).side == 0
    monkeypatch.undo()
    assert side_by_side(runs).side


def test_a_few_runs_are_left_to_be_made_one_after_the_other():
    runs = configs(LANES + 3)
    made = side_by_side(runs).make()
    assert [bits(made, place) for place in range(len(runs))] == made_apart(runs)


def test_a_stop_ends_a_group_soon_and_keeps_nothing_of_it():
    runs = configs(LANES, epochs=3000, evaluate_every=3000)
    made = side_by_side([run.model_copy(update={"learning_rate": 1e-3}) for run in runs])
    stopping = threading.Timer(0.1, made.control.stop)
    stopping.start()
    began = time.monotonic()
    assert len(made.make()) == 0
    assert made.control.progress()[0] > 0
    assert time.monotonic() - began < 2


def test_a_stop_meant_for_one_run_begins_its_group_again():
    runs = configs(LANES, epochs=300)
    made = side_by_side(runs)
    stopping = threading.Timer(0.01, lambda: made.control.leave(3))
    stopping.start()
    found, wanted = made.make(), side_by_side(runs).make()
    stopping.join()
    assert [bits(found, place) for place in range(LANES)] == [bits(wanted, place) for place in range(LANES)]


def test_runs_of_a_group_share_its_time():
    made = side_by_side(configs(LANES, epochs=20)).make()
    spent = [made.numbers[f"{part}_seconds"] for part in ("train", "evaluate")]
    assert len(set(spent[1])) == 1
    assert min(spent[0]) > 0 < min(spent[1])
    assert np.sum(spent) == pytest.approx(made.times[-1, 1] - made.times[0, 0])
    assert (np.diff(made.times.ravel()) >= 0).all()


def test_a_study_of_many_small_runs_prepares_lanes():
    head = 'name = "small"\ntitle = "t"\nquestion = "q"\ndataset = "two_moons"\nwidth = 8\nepochs = 2\n[sweep]\n'
    texts = [f"{head}seed = {list(range(count))}" for count in (LANES - 1, LANES)]
    some, many = (Study.from_table(tomllib.loads(text)).runs for text in texts)
    assert (len(to_prepare(some)), len(to_prepare(many))) == (1, 1 + LANES)
    assert len(to_prepare(many, range(LANES), np.full(LANES, 1e-3))) == 1
