"""The embedded data are scikit-learn's raw values, byte for byte, and the script that wrote them still does."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from mlpjit.catalogue.datasets import embed, load

LOADERS = {
    "digits": load_digits,
    "breast_cancer": load_breast_cancer,
    "diabetes": lambda: load_diabetes(scaled=False),
    "wine": load_wine,
    "iris": load_iris,
}


@pytest.mark.parametrize("name", LOADERS)
def test_values_are_those_of_scikit_learn(name: str) -> None:
    data, reference = load(name), LOADERS[name]()
    assert data.x.dtype == np.float64
    np.testing.assert_array_equal(data.x, reference.data)
    np.testing.assert_array_equal(data.y.ravel(), reference.target)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "iris"])
def test_class_names_are_those_of_scikit_learn(name: str) -> None:
    assert list(load(name).classes) == [str(label) for label in LOADERS[name]().target_names]


@pytest.mark.parametrize(
    ("name", "samples", "inputs"),
    [("digits", 1797, 64), ("breast_cancer", 569, 30), ("diabetes", 442, 10), ("wine", 178, 13), ("iris", 150, 4)],
)
def test_shapes(name: str, samples: int, inputs: int) -> None:
    assert load(name).x.shape == (samples, inputs)


def test_the_script_writes_the_committed_arrays(tmp_path) -> None:
    for path in embed.write(tmp_path):
        with np.load(path) as new, np.load(embed.DATA / path.name) as committed:
            assert new.files == committed.files
            for array in new.files:
                assert new[array].dtype == committed[array].dtype
                np.testing.assert_array_equal(new[array], committed[array])


def test_the_script_is_reproducible(tmp_path) -> None:
    first = [path.read_bytes() for path in embed.write(tmp_path)]
    assert [path.read_bytes() for path in embed.write(tmp_path)] == first


def test_every_embedded_file_has_its_provenance() -> None:
    readme = (embed.DATA / "README.md").read_text(encoding="utf-8")
    described = re.findall(
        r"^\| `(\w+)\.npz` \|.*\| [^|]*(?:CC BY|public domain|licence)[^|]* \|$", readme, re.MULTILINE
    )
    assert sorted(p.stem for p in embed.DATA.glob("*.npz")) == sorted(described)


def test_no_file_is_large() -> None:
    sizes = [path.stat().st_size for path in embed.DATA.glob("*.npz")]
    assert max(sizes) < 1.5e6
    assert sum(sizes) < 4e6


def test_the_autoencoder_returns_its_inputs() -> None:
    data, digits = load("digits_autoencoder"), load("digits")
    np.testing.assert_array_equal(data.x, digits.x)
    np.testing.assert_array_equal(data.y, digits.x)
    assert data.task == "regression"
