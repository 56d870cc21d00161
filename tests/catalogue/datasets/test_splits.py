"""The three parts: drawn by seed, stratified, scaled by the training part alone, and the same bits everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpjit.catalogue.datasets import Dataset, Split, datasets, load, split
from mlpjit.catalogue.datasets.parts import part_sizes
from mlpjit.catalogue.datasets.records import NO_SCALING, STANDARDIZE
from mlpjit.catalogue.datasets.splits import divide, part_rows
from mlpjit.errors import DatasetError

ALL = list(datasets)
PARTS = ("train", "validation", "test")


def made(x: Any, y: Any, scaling: Any = STANDARDIZE) -> Dataset:
    """Return a dataset of given numbers: whole y are labels, others are targets."""
    x, y = np.asarray(x, dtype=float).reshape(len(y), -1), np.asarray(y)
    if y.dtype.kind == "i":
        return Dataset("made", "classification", x, y, tuple("abcdefgh"[: y.max() + 1]), scaling, "")
    return Dataset("made", "regression", x, y.reshape(len(y), -1), (), scaling, "")


def rows_of(parts: Split) -> list[np.ndarray]:
    return [getattr(parts, f"rows_{name}") for name in PARTS]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_are_ready_to_train_on(name: str, dtype: str) -> None:
    parts, data = split(name, 0, dtype), load(name)
    for part in PARTS:
        x, y = getattr(parts, f"x_{part}"), getattr(parts, f"y_{part}")
        assert x.shape == (len(y), data.x.shape[1])
        assert y.shape[1] == data.outputs
        for array in (x, y):
            assert array.dtype == dtype
            assert array.flags.c_contiguous
            assert not array.flags.writeable
            assert np.isfinite(array).all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_every_sample_is_in_one_part(name: str, seed: int) -> None:
    rows = np.concatenate(rows_of(split(name, seed, "float32")))
    assert sorted(rows.tolist()) == list(range(len(load(name).x)))


@pytest.mark.parametrize("name", [name for name in ALL if datasets[name].task == "classification"])
def test_classes_have_their_share_in_every_part(name: str) -> None:
    data, parts = load(name), split(name, 5, "float32")
    sizes = part_sizes(np.bincount(data.y).tolist())
    for part, rows in zip(PARTS, rows_of(parts), strict=True):
        assert tuple(np.bincount(data.y[rows]).tolist()) == getattr(sizes, part)
        np.testing.assert_array_equal(getattr(parts, f"y_{part}"), np.eye(data.outputs)[data.y[rows]])


@pytest.mark.parametrize("name", ALL)
def test_scaling_is_that_of_the_training_rows(name: str) -> None:
    data, parts = load(name), split(name, 0, "float64")
    raw = data.x[parts.rows_train]
    shift, divisor = {
        "none": (0.0, 1.0),
        "divide": (0.0, data.scaling.divisor),
        "standardize": (raw.mean(axis=0), np.where(np.ptp(raw, axis=0) == 0, 1.0, raw.std(axis=0))),
    }[data.scaling.kind]
    for part, rows in zip(PARTS, rows_of(parts), strict=True):
        expected = (data.x[rows] - shift) / divisor
        np.testing.assert_allclose(getattr(parts, f"x_{part}"), expected, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in ALL if datasets[name].task == "regression"])
def test_targets_of_a_regression_are_standardized_by_the_training_rows(name: str) -> None:
    data, parts = load(name), split(name, 0, "float64")
    raw = data.y[parts.rows_train]
    for part, rows in zip(PARTS, rows_of(parts), strict=True):
        expected = (data.y[rows] - raw.mean(axis=0)) / np.where(np.ptp(raw, axis=0) == 0, 1.0, raw.std(axis=0))
        np.testing.assert_allclose(getattr(parts, f"y_{part}"), expected, atol=1e-11)


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_held_out_samples_do_not_touch_the_training_part(name: str) -> None:
    data = load(name)
    before = divide(data, [0], "float64")[0]
    x, y = data.x.copy(), data.y.copy()
    held_out = np.concatenate([before.rows_validation, before.rows_test])
    x[held_out] *= 1e6
    y[held_out] = y[held_out] * 7 if data.task == "regression" else y[held_out]
    after = divide(replace(data, x=x, y=y), [0], "float64")[0]
    assert after.x_train.tobytes() == before.x_train.tobytes()
    assert after.y_train.tobytes() == before.y_train.tobytes()
    assert after.x_transform.shift.tobytes() == before.x_transform.shift.tobytes()
    assert not np.array_equal(after.x_test, before.x_test)


def test_digits_are_divided_by_sixteen() -> None:
    parts = split("digits", 0, "float32")
    np.testing.assert_array_equal(parts.x_test, load("digits").x[parts.rows_test].astype(np.float32) / np.float32(16))


def test_float32_is_float64_rounded_once() -> None:
    single, double = split("diabetes", 0, "float32"), split("diabetes", 0, "float64")
    np.testing.assert_array_equal(single.x_train, double.x_train.astype(np.float32))
    np.testing.assert_array_equal(single.y_test, double.y_test.astype(np.float32))


def test_seeds_differ_and_repeat() -> None:
    data = load("breast_cancer")
    first, again, other = zip(*part_rows(data, [1, 1, 2]), strict=True)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


VARIED = {"imbalance": 4.0, "label_noise": 0.3}


@pytest.mark.parametrize("spec", [*ALL, *({"name": name, **VARIED} for name in ("wine", "digits"))], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_seeds_at_once_are_each_alone(spec: Any, dtype: str) -> None:
    data, seeds = load(spec), [3, 0, 2**40, 5]
    for seed, found in zip(seeds, divide(data, seeds, dtype), strict=True):
        (alone,) = divide(data, [seed], dtype)
        assert found.nbytes == alone.nbytes
        for name, array in vars(alone).items():
            if isinstance(array, np.ndarray):
                own = getattr(found, name)
                assert (own.tobytes(), own.dtype, own.shape) == (array.tobytes(), array.dtype, array.shape)
                assert own.base is None
                assert own.flags.c_contiguous
                assert not own.flags.writeable
        for name in ("x_transform", "y_transform"):
            for part in ("shift", "divisor"):
                one, other = (getattr(getattr(each, name), part) for each in (found, alone))
                assert (one.tobytes(), one.shape) == (other.tobytes(), other.shape)


def test_parts_are_mixed_whatever_the_order_of_the_file() -> None:
    data = made(np.arange(200.0), np.repeat([0, 1], 100))
    labels = divide(data, [0], "float64")[0].y_train[:, 1]
    assert 30 < np.abs(np.diff(labels)).sum() < 110  # sorted labels change once, fair coins 70 times


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(3, 20), min_size=2, max_size=6), st.integers(0, 2**63 - 1))
def test_small_classes_are_in_every_part(counts: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    data = made(np.arange(len(labels)), labels)
    rows = [part[0] for part in part_rows(data, [seed])]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(labels)))
    assert [set(labels[part].tolist()) for part in rows] == [set(range(len(counts)))] * 3


@pytest.mark.parametrize("y", [[0, 0, 0, 1, 1, 1], np.linspace(0, 1, 10)], ids=["classes", "regression"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smallest_data_with_one_column(y: Any, dtype: str) -> None:
    parts = divide(made(np.arange(len(y)), y), [0], dtype)[0]
    assert parts.x_train.shape[1] == 1
    assert np.isfinite(parts.x_test).all()


def test_constant_columns_and_targets_become_zero() -> None:
    parts = divide(made(np.full(20, 0.1), np.full(20, 0.3)), [0], "float64")[0]
    assert not parts.x_train.any()
    assert not parts.y_test.any()
    assert parts.y_transform.divisor.tolist() == [1.0]


@pytest.mark.parametrize(
    ("x", "y", "scaling", "message"),
    [
        (np.arange(10) * 1e300, np.arange(10.0), NO_SCALING, "dataset 'made': column 1 is too large for float32"),
        (np.arange(10) * 1e307, np.arange(10.0), STANDARDIZE, "dataset 'made': column 1 holds numbers too large"),
        (np.arange(10), np.arange(10) * 1e307, STANDARDIZE, "dataset 'made', target: column 1 holds numbers too"),
    ],
)
def test_numbers_too_large(x: Any, y: Any, scaling: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        divide(made(x, y, scaling), [0], "float32")[0]


@pytest.mark.parametrize("dtype", ["float16", "double", None])
def test_other_dtypes(dtype: Any) -> None:
    with pytest.raises(DatasetError, match=f"dtype = {dtype!r}, allowed is 'float32' or 'float64'"):
        split("digits", 0, dtype)


def test_predictions_return_to_the_units_of_the_data() -> None:
    data, parts = load("diabetes"), split("diabetes", 0, "float64")
    np.testing.assert_allclose(parts.y_transform.undo(parts.y_test), data.y[parts.rows_test], rtol=1e-13)


def test_runs_share_one_set_of_arrays() -> None:
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda _: split({"name": "digits"}, 987, "float32"), range(64)))
    assert all(parts is many[0] for parts in many)
    assert split("digits", 987, "float64") is not many[0]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "mine.npz")
    x, y = np.arange(20.0)[:, None], np.arange(20) % 2
    np.savez(path, x=x, y=y)
    before, parts = load(path), split(path, 0, "float64")
    np.savez(path, x=np.nextafter(x, 100.0), y=y)
    os.utime(path, ns=(1, 1))
    assert load(path).data_hash != before.data_hash
    assert split(path, 0, "float64") is not parts


BITS = """
import hashlib
from mlpjit.catalogue.datasets import datasets, split
digest = hashlib.sha256()
for name in datasets:
    for value in vars(split(name, 3, "float64")).values():
        digest.update(value.encode() if isinstance(value, str) else getattr(value, "shift", value).tobytes())
print(digest.hexdigest())
"""


def bits(environment: dict[str, str]) -> str:
    command = [sys.executable, "-W", "error", "-c", BITS]
    return subprocess.run(
        command, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    ).stdout.strip()


def dispatched_features() -> str:
    """Return the CPU features of this machine that NumPy can be told to leave unused."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])


@pytest.mark.parametrize(
    "environment",
    [
        {"NPY_DISABLE_CPU_FEATURES": dispatched_features(), "OPENBLAS_CORETYPE": "Haswell"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""},
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    ],
    ids=["libraries", "haswell", "generic"],
)
def test_every_cpu_gives_the_same_bits(environment: dict[str, str]) -> None:
    assert bits(environment) == bits({})
