"""Data in memory: known by its contents, taken wherever a dataset is, never printed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import mlpjit as mj
from mlpjit.catalogue.datasets import datasets
from mlpjit.catalogue.datasets.splits import split

X = np.random.default_rng(5).normal(size=(120, 3))
Y = X @ [1.0, 2.0, 3.0] + 0.5
LABELS = np.array(["low", "high"])[(Y > 0).astype(int)]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The registry as it was: other tests look at all of it."""
    before = set(datasets)
    yield
    for name in set(datasets) - before:
        datasets.remove(name)


def test_a_run_on_arrays_is_the_run_on_their_file(tmp_path):
    np.savez(tmp_path / "own.npz", x=X, y=Y)
    held, filed = (mj.RunConfig(dataset=d, hidden=[4], epochs=2) for d in (mj.Dataset(X, Y), str(tmp_path / "own.npz")))
    assert held.run_id == filed.run_id
    assert np.array_equal(mj.train(held).params, mj.train(filed).params)


def test_it_is_known_by_its_contents():
    one, same, other, scaled = (
        mj.Dataset(X, Y),
        mj.Dataset(X.copy(), Y),
        mj.Dataset(X + 1, Y),
        mj.Dataset(X, Y, scaling=2),
    )
    assert one == same
    assert len({each.name for each in (one, other, scaled)}) == 3


@pytest.mark.parametrize("y", [Y, (Y > 0).astype(int)], ids=["regression", "classification"])
@pytest.mark.parametrize("held_out", [5, 20, 33])
def test_how_many_are_held_out(y, held_out):
    """Every class keeps its share in every part; the training part has what is left."""
    data = mj.Dataset(X, y, held_out=held_out)
    info, parts = data.info, data.split(3)
    wanted = round(held_out * len(X) / 100)
    assert abs(info.validation_samples - wanted) <= 1
    assert info.validation_samples + info.test_samples + info.train_samples == len(X)
    assert [len(parts.x_train), len(parts.x_validation)] == [info.train_samples, info.validation_samples]
    rows = np.concatenate([parts.rows_train, parts.rows_validation, parts.rows_test])
    assert np.array_equal(np.sort(rows), np.arange(len(X)))
    assert data.name != mj.Dataset(X, y).name
    assert mj.Dataset(X, y, held_out=15) == mj.Dataset(X, y)


@pytest.mark.parametrize("held_out", [4, 34, 20.0, True, "half"])
def test_what_cannot_be_held_out(held_out):
    with pytest.raises(mj.DatasetError, match=r"held_out = .*, allowed is a whole percentage from 5 to 33"):
        mj.Dataset(X, Y, held_out=held_out)


def test_of_few_numbers_enough_are_held_out():
    with pytest.raises(mj.DatasetError, match="leaves one sample for validation"):
        mj.Dataset(X[:10], Y[:10], held_out=5)
    smallest = mj.Dataset(X[:6], [0, 0, 0, 1, 1, 1], held_out=33).info
    assert (smallest.train_samples, smallest.validation_samples, smallest.test_samples) == (2, 2, 2)


def test_data_are_copied():
    x = X.copy()
    held = mj.Dataset(x, Y)
    before = split(held, 0).x_train.copy()
    x[:] = 0
    assert np.array_equal(split(held, 0).x_train, before)


@pytest.mark.parametrize(("y", "task", "outputs"), [
    (LABELS, "classification", 2), (list(LABELS), "classification", 2),
    (pd.Series(LABELS, dtype=object), "classification", 2),
    ((Y > 0).astype(int), "classification", 2), (Y, "regression", 1), (Y[:, None], "regression", 1),
    (np.column_stack([Y, -Y]), "regression", 2), (Y > 0, "classification", 2),
])  # fmt: skip
def test_the_task_follows_from_the_target(y, task, outputs):
    info = mj.Dataset(X, y).info
    assert (info.task, info.outputs) == (task, outputs)


def test_a_frame_becomes_what_its_file_becomes(tmp_path):
    frame = pd.DataFrame({"area": X[:, 0], "price": Y, "zone": ["north", "south", "east"] * 40})
    frame.loc[7, "area"] = np.nan
    frame.to_csv(tmp_path / "own.csv", index=False)
    spec = {"name": str(tmp_path / "own.csv"), "target": "price"}
    held = mj.Dataset(frame, target="price")
    assert held.info.data_hash == mj.RunConfig(dataset=spec).data.data_hash
    assert "'zone': 3 categories, one column each" in repr(held)


def test_a_study_takes_it():
    study = mj.Study.load("quick", data=mj.Dataset(X, LABELS))
    assert {config.dataset["name"] for config in study.configs()} == {mj.Dataset(X, LABELS).name}
    assert study.told()[0].endswith("120 rows, 3 inputs, 2 classes (high: 58, low: 62)")


FRAME = pd.DataFrame({"a": Y, "b": Y})


@pytest.mark.parametrize(("make", "said"), [
    (lambda: mj.RunConfig(dataset=X), r"dataset: got ndarray of shape \(120, 3\), need a name"),
    (lambda: mj.RunConfig(dataset={"name": X}), r"dataset: got ndarray of shape \(120, 3\), need a name"),
    (lambda: mj.RunConfig(dataset=FRAME), r"dataset: got DataFrame of shape \(120, 2\), need a name"),
    (lambda: mj.RunConfig(optimizer=X), r"optimizer: got ndarray of shape \(120, 3\), need a name"),
    (lambda: mj.RunConfig(learning_rate=X), r"learning_rate: got \[\[.{190,210}\.\.\., need a positive number"),
    (lambda: mj.Study.load("quick", data=X), r"got ndarray of shape \(120, 3\), need a name"),
    (lambda: mj.Dataset(X), "got ndarray, need a pandas frame with a target, or arrays x and y"),
    (lambda: mj.Dataset(FRAME[:0], target="b"), "data in memory: a frame without rows"),
    (lambda: mj.Dataset(X, Y[:3]), "x has 120 samples and y has 3"),
    (lambda: mj.Dataset(X[0], Y), r"x has shape \(3,\)"),
    (lambda: mj.Dataset(X, Y, target="price"), "are for frames"),
    (lambda: mj.Dataset(X.astype(object), Y), "x holds Python objects, need numbers"),
    (lambda: mj.Dataset([[1.0], [1.0, 2.0]], [0, 1]), "x: rows of different lengths"),
    (lambda: mj.Dataset(np.where(X > 2, np.nan, X), Y), "nan in x, row"),
    (lambda: mj.Dataset(X, np.zeros(120, int), task="classification"), "only one class"),
    (lambda: mj.Dataset(FRAME), "which column is the target"),
    (lambda: mj.Dataset(X, Y, task="guess"), "task = 'guess'"),
    (lambda: mj.Dataset(X, Y, scaling="log"), "scaling = 'log'"),
    (lambda: mj.Dataset(FRAME, target=np.nan), "target = nan, allowed is a column's name or its number from 1"),
    (lambda: mj.Dataset(X * 1e-320, Y), "column 1 varies by less than 2.2e-308, too little to standardize"),
    (lambda: mj.Dataset(np.where(X > 0, 1e308, -1e308), Y), "column 1 holds numbers too large to standardize"),
])  # fmt: skip
def test_what_is_wrong_is_told_without_the_numbers(make, said):
    with pytest.raises(mj.ConfigError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_what_no_run_can_use_is_not_kept():
    before = len(datasets)
    with pytest.raises(mj.DatasetError, match="regression needs at least 10"):
        mj.Dataset(X[:5], Y[:5])
    assert len(datasets) == before


def test_another_process_says_that_it_is_not_there():
    name = mj.Dataset(X, Y).name
    tried = f"try:\n    mj.RunConfig(dataset={name!r})\nexcept mj.ConfigError as error:\n    print(error)"
    code = f"import mlpjit as mj\n{tried}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"dataset: dataset {name!r} was data in the memory of another process: "
        "make it here again, with mj.Dataset of the same data\n"
    )
