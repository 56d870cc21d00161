"""The user's .npz files: what is read, and one clear line for everything that is not."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.catalogue.datasets import describe, load
from mlpjit.errors import DatasetError

X = np.arange(36.0).reshape(12, 3)
Y = np.arange(12) % 2
HOLE = np.where(np.arange(36).reshape(12, 3) == 23, np.nan, X)


def saved(folder: Path, **arrays: Any) -> str:
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, np.int32, bool])
@pytest.mark.parametrize("names", ["xy", "Xy", "XY"])
def test_x_and_y_of_any_number_type(tmp_path: Path, dtype: type, names: str) -> None:
    data = load(saved(tmp_path, **{names[0]: X.astype(dtype), names[1]: Y}))
    assert data.x.dtype == np.float64
    np.testing.assert_array_equal(data.x, X.astype(dtype).astype(float))
    assert data.classes == ("0", "1")


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array(["cat", "ant", "bee"] * 4), ("ant", "bee", "cat")),
        (np.array([b"no", b"yes"] * 6), ("no", "yes")),
        (np.array([10, 9, -1] * 4), ("-1", "9", "10")),
        (np.array([0.0, 1.0] * 6, np.float32), ("0", "1")),
        (np.array([True, False] * 6), ("0", "1")),
        (np.array([[2], [1]] * 6), ("1", "2")),
        (np.eye(3)[np.arange(12) % 3], ("0", "1", "2")),
    ],
)
def test_classes_are_numbered_in_sorted_order(tmp_path: Path, y: np.ndarray, classes: tuple[str, ...]) -> None:
    data = load(saved(tmp_path, x=X, y=y))
    flat = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
    assert data.classes == classes
    assert data.y.dtype == np.int64
    np.testing.assert_array_equal(data.y, np.searchsorted(np.unique(flat), flat))


@pytest.mark.parametrize(
    ("y", "task", "expected"),
    [
        (np.arange(12), None, "regression"),
        (np.arange(12) / 2, None, "regression"),
        (np.arange(24.0).reshape(12, 2), None, "regression"),
        (np.arange(12) % 4, None, "classification"),
        (np.arange(12) % 5, None, "regression"),
        (np.arange(12) % 4, "regression", "regression"),
        (np.eye(3)[np.arange(12) % 3], "regression", "regression"),
        (np.arange(12) % 3 / 2, "classification", "classification"),
    ],
)
def test_the_task_is_found_or_given(tmp_path: Path, y: np.ndarray, task: str | None, expected: str) -> None:
    data = load({"name": saved(tmp_path, x=X, y=y), "task": task})
    assert data.task == expected
    assert data.y.ndim == (1 if expected == "classification" else 2)


def test_more_than_twenty_whole_numbers_are_a_quantity(tmp_path: Path) -> None:
    x = np.arange(210.0)[:, None]
    assert load(saved(tmp_path, x=x, y=np.arange(210) % 20)).task == "classification"
    assert load(saved(tmp_path, x=x, y=np.arange(210) % 21)).task == "regression"


@pytest.mark.parametrize(
    ("scaling", "words"),
    [(None, "standardize"), ("standardize", "standardize"), ("none", "none"), (255, "divide by 255")],
)
def test_scaling_can_be_chosen(tmp_path: Path, scaling: str | int | None, words: str) -> None:
    assert str(load({"name": saved(tmp_path, x=X, y=Y), "scaling": scaling}).scaling) == words


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "no array 'y' (the file holds 'x'); need 'x' and 'y'"),
        ({"a": X, "b": Y}, "no array 'x' (the file holds 'a', 'b'); need 'x' and 'y'"),
        ({}, "no array 'x' (the file holds nothing); need 'x' and 'y'"),
        ({"x": X[:, 0], "y": Y}, "x has shape (12,), need (samples, inputs); one column: x[:, None]"),
        ({"x": X.reshape(12, 3, 1), "y": Y}, "x has shape (12, 3, 1), need (samples, inputs); images: x.reshape"),
        ({"x": np.float64(3), "y": Y}, "x has shape (), need (samples, inputs)"),
        ({"x": X[:, :0], "y": Y}, "x has shape (12, 0), need (samples, inputs)"),
        ({"x": X, "y": Y[:9]}, "x has 12 samples and y has 9, need as many"),
        ({"x": X, "y": np.float64(1)}, "y has shape (), need (samples,) or (samples, outputs)"),
        ({"x": X, "y": X.reshape(12, 3, 1)}, "y has shape (12, 3, 1), need"),
        ({"x": X, "y": X[:, :0]}, "y has shape (12, 0), need"),
        ({"x": X[:0], "y": Y[:0]}, "no samples"),
        ({"x": HOLE, "y": Y}, "nan in x, row 8, column 3; need finite numbers"),
        ({"x": np.where(X > 30, np.inf, X), "y": Y}, "inf in x, row 11, column 2 (5 such values); need finite numbers"),
        ({"x": X, "y": HOLE[:, 2]}, "nan in y, row 8; need finite numbers"),
        ({"x": X, "y": HOLE}, "nan in y, row 8, column 3; need finite numbers"),
        ({"x": X.astype(str), "y": Y}, "x holds text (first: '0.0'), need numbers"),
        ({"x": X + 1j, "y": Y}, "x holds values of type complex128 (first: '1j'), need numbers"),
        ({"x": X, "y": Y.astype("datetime64[s]")}, "y holds values of type datetime64[s]"),
        ({"x": X.astype(object), "y": Y}, "cannot read array 'x' (it holds Python objects, which are never loaded)"),
        ({"x": X, "y": np.array(["a", None] * 6)}, "cannot read array 'y' (it holds Python objects"),
        ({"x": X, "y": np.zeros(12, int)}, "only one class, '0'; classification needs at least two"),
        ({"x": X, "y": np.array(["a"] * 10 + ["b"] * 2)}, "class 'b' has 2 samples; each class needs at least 3"),
        ({"x": X[:9], "y": X[:9, 0] / 2}, "9 samples; regression needs at least 10"),
        ({"x": X[:4], "y": Y[:4]}, "4 samples; regression needs at least 10"),
        ({"x": X, "y": X.astype(str)}, "y has shape (12, 3), need one column, or one-hot rows"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(DatasetError) as caught:
        describe(path)
    assert str(caught.value).startswith(f"dataset {path!r}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "regresion"}, "task = 'regresion', allowed is 'classification' or 'regression'"),
        ({"task": "regression"}, "text 'a' as target, row 1; regression needs numbers"),
        ({"target": "y"}, "target= is for .csv files; a .npz file holds the target as 'y'"),
        ({"scaling": "standardise"}, "scaling = 'standardise', allowed is 'standardize', 'none' or a number"),
        ({"scaling": 0}, "scaling = 0, allowed is"),
        ({"scaling": True}, "scaling = True, allowed is"),
        ({"scale": 3}, "unknown parameter 'scale': did you mean 'scaling'?"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = saved(tmp_path, x=X, y=np.array(["a", "b"] * 6))
    with pytest.raises(DatasetError) as caught:
        describe({"name": path, **options})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def damaged(contents: bytes) -> bytes:
    """Return a zip archive whose first member's bytes no longer have their checksum."""
    middle = contents.index(X[5].tobytes())
    return contents[:middle] + b"\xff" * 8 + contents[middle + 8 :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda contents: b"", "the file is empty"),
        (lambda contents: contents[:200], "not a readable .npz file"),
        (lambda contents: b"x,y\n1,2\n", "not a readable .npz file"),
        (damaged, "cannot read array 'x' (Bad CRC-32 for file 'x.npy')"),
    ],
)
def test_a_damaged_file(tmp_path: Path, change: Any, message: str) -> None:
    path = Path(saved(tmp_path, x=X, y=Y))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetError) as caught:
        load(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bare_array(tmp_path: Path) -> None:
    with open(tmp_path / "mine.npz", "wb") as file:
        np.save(file, X)
    with pytest.raises(DatasetError, match=r"one bare array, not an \.npz file"):
        load(str(tmp_path / "mine.npz"))


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x", "1 2 3")
        archive.writestr("y", "1 2 3")
    with pytest.raises(DatasetError, match="cannot read array 'x'"):
        load(str(tmp_path / "mine.npz"))


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").mkdir()
    with pytest.raises(DatasetError, match="Is a directory"):
        load(str(tmp_path / "mine.npz"))


@pytest.mark.parametrize("name", ["gone.npz", "gone.csv", "no/such/gone.NPZ"])
def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as caught:
        describe(name)
    assert str(caught.value) == f"cannot read dataset {name!r}: No such file or directory (looked in {tmp_path})"


def test_a_file_of_another_kind() -> None:
    with pytest.raises(DatasetError, match=r"dataset 'mine\.xlsx': files must end in \.csv, \.parquet or \.npz"):
        describe("mine.xlsx")


def test_a_path_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path, x=X, y=Y)
    monkeypatch.chdir(tmp_path)
    assert load("mine.npz").x.shape == (12, 3)


def test_what_announces_more_than_is_free_is_not_read(tmp_path: Path) -> None:
    """Of zeros a small archive holds more than there is memory; its header says how many."""
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 1000), }\n" % 10**10
    start = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", start)
        archive.writestr("y.npy", start.replace(b", 1000)", b",)     "))
    with pytest.raises(DatasetError, match=r"10,010,000,000,000 numbers take 2.4e\+05 GB to read, and .* are free"):
        load(str(tmp_path / "mine.npz"))
