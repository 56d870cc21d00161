"""Records of each layer: what a declaration says, what follows from it, and what a run records against NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS, layer_records, run_records
from mlpjit.kernels.run.records.declare import (
    AT_EVALUATION,
    MOMENTS,
    after_update,
    at_evaluation,
    at_gradient,
    over_units,
)
from mlpjit.training.run import Run
from mlpjit.training.shape import views

FIRST = (
    "gradient_norm", "activation_mean", "activation_std", "dead_fraction", "saturated_fraction", "weight_norm",
    "update_ratio",
)  # fmt: skip
PAGE = (Path(__file__).parents[3] / "docs" / "studies.md").read_text(encoding="utf-8")
RECORDS = layer_records.records()
OF_RUNS = run_records.records()


def test_columns_stay_where_they_were():
    assert LAYER_RECORDS[: len(FIRST)] == FIRST
    assert RUN_RECORDS[:5] == ("epoch", "step", "train_loss", "validation_loss", "validation_score")


def test_declarations_import_no_numba():
    code = "import sys, mlpjit.kernels.run.records; print({'numba', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("record", [*OF_RUNS, *RECORDS], ids=lambda record: record.name)
def test_the_docs_have_its_line(record):
    meaning = record.meaning.removesuffix(".").replace("|", r"\|")
    assert f"| `{record.name}` | {record.unit} | {record.moment.when} | {meaning} |" in PAGE.splitlines()


def test_the_docs_have_no_other_lines():
    table = PAGE.partition("## Records of a run and of each layer")[2].splitlines()
    assert [line.split("`")[1] for line in table if line.startswith("| `")] == [*RUN_RECORDS, *LAYER_RECORDS]


def test_every_moment_is_taken():
    assert {record.moment for record in RECORDS} == set(MOMENTS)
    assert {record.moment for record in OF_RUNS} == {AT_EVALUATION}


def wrong_argument(size, gradient):
    """."""


def no_memory(size, g, memory):
    """."""


def unused_memory(size, g):
    """."""


@pytest.mark.parametrize(
    ("declared", "function", "told"),
    [
        (at_gradient(unit="1"), wrong_argument, "wrong_argument takes 'gradient' (known: size, g, w, spare, memory)"),
        (at_evaluation(unit="1"), unused_memory, "unused_memory takes 'size'"),
        (over_units(unit="1"), unused_memory, "unused_memory takes 'size'"),
        (at_gradient(unit="1"), no_memory, "no_memory: a memory is declared and taken"),
        (after_update(unit="1", memory="zeros"), no_memory, "no_memory takes 'g'"),
        (at_gradient(unit="1", memory="zeros"), unused_memory, "unused_memory: a memory is declared and taken"),
        (at_gradient(unit="1", memory="param"), no_memory, "begins its memory as 'param': did you mean 'params'?"),
    ],
)
def test_a_declaration_that_cannot_be_is_an_error(declared, function, told):
    with pytest.raises(TypeError) as raised:
        declared(function)
    assert told in str(raised.value)
    assert function.__name__ not in (*layer_records, *run_records)


SETTINGS = {
    "dataset": "iris", "hidden": [5, 4], "activation": "tanh", "optimizer": "adam", "l2": 1e-3, "dtype": "float64",
    "weight_decay": 0.1, "learning_rate": 0.05, "epochs": 6, "evaluate_every": 2, "batch_size": 40,
}  # fmt: skip


def weights_and_gradients(run: Run) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Copies of every layer's W and of the latest dL/dW."""
    w, g = views(run.layers, run.params), views(run.layers, run.grads)
    return [layer["W"].copy() for layer in w], [layer["W"].copy() for layer in g]


def step_by_step(**changed: object) -> tuple[dict[str, np.ndarray], list[dict[str, list[np.ndarray]]]]:
    """The history of a run, and for each recorded step W before and after, dL/dW, and the first W.

    Of 105 samples a batch of 40 leaves 25: the last step of an epoch is not recorded, the one before is.
    """
    run, found = Run(mj.RunConfig(**{**SETTINGS, **changed})), []
    start, _ = weights_and_gradients(run)
    every = run.steps // SETTINGS["epochs"] * SETTINGS["evaluate_every"]
    for step in range(1, run.steps + 1):
        before, _ = weights_and_gradients(run)
        run.advance(step)
        after, gradients = weights_and_gradients(run)
        if step == 1 or step % every == every - 1:
            found.append({"start": start, "before": before, "after": after, "gradients": gradients})
    return run.result().history, found


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"batch_size": 64}, [1, 19, 39, 59]),  # 1,257 samples: nineteen batches, and 41 are left
        ({"batch_size": 64, "evaluate_every": 2}, [1, 39, 59]),
        ({"batch_size": 157}, [1, 8, 17, 26]),  # one is left
        ({"batch_size": 157, "normalization": "batch"}, [1, 8, 16, 24]),  # and joins the batch before
        ({"batch_size": 419}, [1, 3, 6, 9]),  # nothing is left
        ({"batch_size": 1000}, [1, 1, 3, 5]),  # the first step is also that of epoch 1
        ({"batch_size": "full"}, [1, 1, 2, 3]),
    ],
)
def test_the_recorded_step_is_the_last_on_a_full_batch(given, steps):
    history = mj.train(mj.RunConfig(hidden=[4], epochs=3, **given)).history
    assert history["recorded_step"].tolist() == steps
    assert np.isfinite(history["update_ratio"]).all()
    repeated = [(a == b).all() for a, b in pairwise(history["update_ratio"])]
    assert repeated == [a == b for a, b in pairwise(steps)]


HISTORY, STEPS = step_by_step()


def cosine(steps: list[dict[str, list[np.ndarray]]], layer: int) -> float:
    """Of the last two gradients of a layer; NaN where there is one alone."""
    if len(steps) < 2:
        return np.nan
    a, b = (step["gradients"][layer] for step in steps[-2:])
    return (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))


# By NumPy in float64, of the recorded steps so far (the last is the one in question) and a layer.
ORACLES = {
    "gradient_norm": lambda steps, layer: np.linalg.norm(steps[-1]["gradients"][layer]),
    "weight_norm": lambda steps, layer: np.linalg.norm(steps[-1]["before"][layer]),
    "update_ratio": lambda steps, layer: (
        np.linalg.norm(steps[-1]["after"][layer] - steps[-1]["before"][layer])
        / np.linalg.norm(steps[-1]["before"][layer])
    ),
    "gradient_cosine": cosine,
    "distance_from_start": lambda steps, layer: np.linalg.norm(steps[-1]["after"][layer] - steps[-1]["start"][layer]),
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_record_of_steps_is_what_numpy_says(name):
    expected = [[ORACLES[name](STEPS[: at + 1], layer) for layer in range(3)] for at in range(len(STEPS))]
    assert HISTORY[name].shape == (4, 3)
    np.testing.assert_allclose(HISTORY[name], expected, rtol=1e-12)


def test_every_record_of_steps_is_compared():
    assert {r.name for r in RECORDS if r.moment.name != "over_units"} == set(ORACLES)


def test_one_step_an_epoch_is_recorded_once_and_told_twice():
    """The first step is that of epoch 0 and of epoch 1."""
    history, _ = step_by_step(batch_size="full", evaluate_every=1)
    for name in ORACLES:
        np.testing.assert_array_equal(history[name][0], history[name][1])


ONE_MORE = """
import numpy as np
from mlpjit.kernels.language import dot, sqrt
from mlpjit.kernels.run import records
from mlpjit.kernels.run.records.declare import at_evaluation

@at_evaluation(unit="weight")
def parameter_norm(count, params):
    '''|theta|.'''
    return sqrt(dot(params, params, count))

records.RUN_RECORDS = tuple(records.run_records)  # as if it had stood in runs.py
import mlpjit as mj
from mlpjit.store.arrays import encode
from mlpjit.training import warm

warm.WORTH_A_PROCESS = 99  # a second process would compile without this declaration
result = mj.train(mj.RunConfig(dataset="iris", hidden=[4], epochs=2, dtype="float64"))
np.testing.assert_allclose(result.history["parameter_norm"][-1], np.linalg.norm(result.params), rtol=1e-14)
assert len(encode(result.history)[1]) == 8 * 7 * 3
"""


def test_a_record_of_a_run_needs_its_declaration_alone(tmp_path):
    """In a process of its own: what is compiled follows from what was declared before."""
    environment = {**os.environ, "MLPJIT_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ONE_MORE], env=environment, check=True)
