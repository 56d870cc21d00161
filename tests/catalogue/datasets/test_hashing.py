"""The data's hash: the same for the same data, another one for every difference that a run could see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpjit.catalogue.datasets import describe
from mlpjit.catalogue.datasets.hashing import contents_hash
from mlpjit.catalogue.datasets.records import NO_SCALING, STANDARDIZE, Raw, divide_by

RAW = Raw(np.arange(24.0).reshape(12, 2), np.arange(12) % 2, ("a", "b"))


def nudged(values: np.ndarray) -> np.ndarray:
    """Return a copy with the lowest bit of its last number turned."""
    copy = values.copy()
    copy.view(np.uint8).reshape(-1)[-values.itemsize] ^= 1
    return copy


def test_a_copy_has_the_same_hash() -> None:
    copy = Raw(np.asfortranarray(RAW.x.copy()), RAW.y.astype(np.int32), RAW.classes)
    assert contents_hash(copy, STANDARDIZE) == contents_hash(RAW, STANDARDIZE)


@pytest.mark.parametrize(
    "change",
    [
        {"x": nudged(RAW.x)},
        {"y": nudged(RAW.y)},
        {"x": RAW.x.reshape(8, 3)},
        {"x": RAW.x[::-1]},
        {"classes": ("a", "c")},
        {"y": RAW.y.astype(float)[:, None], "classes": ()},
    ],
    ids=["one bit of x", "one bit of y", "shape", "order", "class name", "task"],
)
def test_every_difference_changes_the_hash(change: dict[str, Any]) -> None:
    assert contents_hash(replace(RAW, **change), STANDARDIZE) != contents_hash(RAW, STANDARDIZE)


def test_the_scaling_changes_the_hash() -> None:
    scalings = [STANDARDIZE, NO_SCALING, divide_by(16), divide_by(255)]
    assert len({contents_hash(RAW, scaling) for scaling in scalings}) == 4


def test_the_name_of_a_file_plays_no_part(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        np.savez(tmp_path / name, x=RAW.x, y=RAW.y)
    assert describe(str(tmp_path / "one.npz")).data_hash == describe(str(tmp_path / "two.npz")).data_hash
