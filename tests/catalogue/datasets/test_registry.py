"""What every registered dataset must be: described, loaded and split without surprises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import mlpjit.catalogue.datasets as catalogue
from mlpjit.catalogue.datasets import canonical, datasets, describe, load, split
from mlpjit.errors import ConfigError, DatasetError

ALL = list(datasets)
GENERATED = [record.name for record in datasets.records() if record.shape]
SAMPLED = [name for name in GENERATED if "samples" in datasets[name].defaults]
NUMBERS = [(record.name, key) for record in datasets.records() for key in record.defaults]


def test_the_catalogue() -> None:
    assert set(ALL) == {
        "digits", "breast_cancer", "wine", "iris", "diabetes", "digits_autoencoder", "two_moons", "circles", "xor",
        "spirals", "parity", "clusters", "teacher_student", "linear_regression", "deep_linear", "modular_addition",
        "image_segmentation", "letters", "pendigits", "satellite", "spambase", "vehicle", "vowel", "concrete",
        "tecator", "mnist_5000", "mnist_1d",
    }  # fmt: skip
    assert set(GENERATED) - set(SAMPLED) == {"modular_addition"}


@pytest.mark.parametrize("name", ALL)
def test_record_says_what_it_is(name: str) -> None:
    record = datasets[name]
    assert record.summary.endswith(".")
    assert record.citation
    assert record.formula
    assert str(record.scaling)


@pytest.mark.parametrize("name", ALL)
def test_description_is_true(name: str) -> None:
    info, data, parts = describe(name), load(name), split(name, 3, "float32")
    assert (info.samples, info.inputs) == data.x.shape
    assert info.outputs == data.outputs == parts.y_train.shape[1]
    assert info.task == data.task == datasets[name].task
    assert info.data_hash == data.data_hash
    sizes = len(parts.x_train), len(parts.x_validation), len(parts.x_test)
    assert sizes == (info.train_samples, info.validation_samples, info.test_samples)
    assert sum(sizes) == info.samples


@pytest.mark.parametrize("name", ALL)
def test_samples_are_finite_read_only_and_typed(name: str) -> None:
    data = load(name)
    assert data.x.dtype == np.float64
    assert data.y.dtype == (np.int64 if data.task == "classification" else np.float64)
    assert np.isfinite(data.x).all()
    assert np.isfinite(data.y).all()
    assert not data.x.flags.writeable
    assert not data.y.flags.writeable


@pytest.mark.parametrize("name", ALL)
def test_data_hashes_differ(name: str) -> None:
    assert [describe(other).data_hash for other in ALL].count(describe(name).data_hash) == 1


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_every_parameter_changes_the_hash(name: str, key: str) -> None:
    value = datasets[name].defaults[key]
    step = {"factor": -0.1, "outputs": value}.get(key, 1)  # within their limits
    changed = describe({"name": name, key: value + step})  # type: ignore[operator]
    assert changed.data_hash != describe(name).data_hash


@pytest.mark.parametrize("name", SAMPLED)
def test_the_data_seed_changes_the_samples(name: str) -> None:
    spec = {"noise": 0.1, "name": name}
    assert not np.array_equal(load(spec).x, load({**spec, "data_seed": 1}).x)


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_every_seed_generates(name: str, seed: int) -> None:
    assert np.isfinite(load({"name": name, "samples": 30, "data_seed": seed}).x).all()


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 9}, "samples = 9, allowed is 10 to"),
        ({"samples": 100.0}, "samples = 100.0, allowed is a whole number"),
        ({"samples": True}, "samples = True, allowed is a whole number"),
        ({"noise": -0.5}, "noise = -0.5, allowed is at least 0"),
        ({"noise": float("nan")}, "noise = nan, allowed is a finite number"),
        ({"noise": "much"}, "noise = 'much', allowed is a finite number"),
        ({"data_seed": -1}, "data_seed = -1, allowed is 0 to"),
        ({"sample": 100}, "unknown parameter 'sample': did you mean 'samples'?"),
    ],
)
def test_wrong_parameters(name: str, change: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        describe({"name": name, **change})
    assert caught.value.problems == [str(caught.value)]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digts", "unknown dataset 'digts': did you mean 'digits'?"),
        ({"name": "diabetes", "noise": 1}, "dataset 'diabetes': unknown parameter 'noise' (it has none)"),
        ({"name": "diabetes", "label_noise": 0.1}, "dataset 'diabetes': unknown parameter 'label_noise'"),
        ({"name": "digits", "label_noise": 1.5}, "dataset 'digits': label_noise = 1.5, allowed is 0 to 1"),
        ({"name": "digits", "imbalance": 0.5}, "dataset 'digits': imbalance = 0.5, allowed is 1 to 1e+06"),
        ({"name": "circles", "factor": 2}, "factor = 2.0, allowed is 0 to 1"),
        ({"name": "parity", "relevant": 11}, "relevant = 11, allowed is 1 to 10"),
        ({"name": "deep_linear", "outputs": 6}, "outputs = 6, allowed is a power of two"),
        ({"name": "linear_regression", "condition": 0.5}, "condition = 0.5, allowed is 1 to 1e+12"),
        ({"name": "modular_addition", "modulus": 4}, "modulus = 4, allowed is 5 to 128"),
        ({"name": "spirals", "samples": 20, "classes": 8}, "class '4' has 2 samples; each class needs at least 3"),
        ({"name": "spirals", "classes": 1}, "classes = 1, allowed is 2 to 100"),
        ({"name": "teacher_student", "teacher_width": 0}, "teacher_width = 0, allowed is 1 to 10000"),
        ({"noise": 1}, "dataset needs a name, got None"),
        ({"name": 3}, "dataset needs a name, got 3"),
    ],
)
def test_wrong_specs(spec: str | dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        describe(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_in_a_spec_are_told_at_once() -> None:
    with pytest.raises(DatasetError) as caught:
        describe({"name": "spirals", "noise": "much", "klasses": 3, "turns": True})
    assert caught.value.problems == [
        "dataset 'spirals': unknown parameter 'klasses': did you mean 'classes'?",
        "dataset 'spirals': turns = True, allowed is a finite number",
        "dataset 'spirals': noise = 'much', allowed is a finite number",
    ]


def test_canonical_spec_holds_every_default() -> None:
    spec = canonical({"noise": 0, "name": "two_moons"})
    assert spec == {
        "name": "two_moons", "data_seed": 0, "imbalance": 1.0, "label_noise": 0.0, "noise": 0.0, "samples": 1000,
    }  # fmt: skip
    assert isinstance(spec["noise"], float)
    assert describe(spec) == describe({"name": "two_moons", "noise": 0})


def test_two_seeds_in_one_process_share_the_samples() -> None:
    assert load("digits") is load({"name": "digits"})


PLAN = """
import sys
import mlpjit.catalogue.datasets as catalogue
for name in catalogue.datasets:
    catalogue.describe(name)
heavy = {"numba", "llvmlite", "pandas", "scipy", "sklearn", "pydantic"} & set(sys.modules)
assert not heavy, heavy
"""


def test_describing_imports_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", PLAN], check=True)


def test_what_is_exported_exists() -> None:
    assert all(hasattr(catalogue, name) for name in catalogue.__all__)
