"""Imbalanced training parts and wrong training labels; what is held out is as without them."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.catalogue.datasets import describe, load, split
from mlpjit.catalogue.datasets.variants import Variant
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import DatasetError


def labels(spec: object, part: str = "train", seed: int = 0) -> np.ndarray:
    return getattr(split(spec, seed), f"y_{part}").argmax(axis=1)


@pytest.mark.parametrize(("ratio", "classes"), [(10.0, 10), (100.0, 5), (3.0, 2)])
def test_classes_shrink_by_the_same_factor(ratio: float, classes: int) -> None:
    kept = Variant(imbalance=ratio).kept([5000] * classes)
    np.testing.assert_allclose(kept, 5000 * ratio ** (-np.arange(classes) / (classes - 1)), atol=1.0)
    assert kept[0] == 5000
    assert kept[-1] == int(5000 / ratio)


def test_no_class_is_lost() -> None:
    assert Variant(imbalance=1e6).kept([20, 3, 1]) == (20, 1, 1)


def test_an_imbalanced_training_part_is_the_start_of_each_class_in_the_full_one() -> None:
    spec = {"name": "digits", "imbalance": 20.0}
    full, thin = split("digits", 3), split(spec, 3)
    rows = full.rows_train[np.isin(full.rows_train, thin.rows_train)]
    np.testing.assert_array_equal(rows, thin.rows_train)
    counts, whole = np.bincount(labels(spec, seed=3)), np.bincount(labels("digits", seed=3))
    assert tuple(counts) == Variant(imbalance=20.0).kept(whole.tolist())
    for name in ("x_validation", "y_validation", "x_test", "y_test", "rows_test"):
        np.testing.assert_array_equal(getattr(full, name), getattr(thin, name))
    assert describe(spec).train_samples == len(thin.x_train) < describe("digits").train_samples


def test_noisy_labels_are_wrong_as_often_as_asked_and_in_training_only() -> None:
    spec = {"name": "clusters", "samples": 20_000, "label_noise": 0.3}
    clean = {**spec, "label_noise": 0.0}
    found, true = labels(spec), labels(clean)
    wrong = found != true
    assert wrong.mean() == pytest.approx(0.3, abs=0.012)
    # Each of the four others as often.
    steps = np.bincount((found - true)[wrong] % 5, minlength=5)
    assert steps[0] == 0
    np.testing.assert_allclose(steps[1:] / wrong.sum(), 0.25, atol=0.03)
    for part in ("validation", "test"):
        np.testing.assert_array_equal(labels(spec, part), labels(clean, part))
    np.testing.assert_array_equal(split(spec, 0).x_train, split(clean, 0).x_train)


def test_all_labels_may_be_wrong() -> None:
    spec = {"name": "two_moons", "label_noise": 1.0}
    np.testing.assert_array_equal(labels(spec), 1 - labels("two_moons"))


def test_more_noise_keeps_what_was_wrong_and_seeds_differ() -> None:
    true, little, more = (labels({"name": "digits", "label_noise": p}) for p in (0.0, 0.2, 0.5))
    wrong = little != true
    np.testing.assert_array_equal(more[wrong], little[wrong])
    assert (labels({"name": "digits", "label_noise": 0.5}, seed=1) != labels("digits", seed=1)).any()


def test_both_at_once_have_the_noise_of_the_full_part() -> None:
    both, noisy = (split({"name": "digits", "label_noise": 0.5, "imbalance": r}, 0) for r in (10.0, 1.0))
    places = np.isin(noisy.rows_train, both.rows_train)
    np.testing.assert_array_equal(noisy.y_train[places], both.y_train)


def test_variants_are_other_data_and_share_the_samples() -> None:
    specs = ["digits", {"name": "digits", "imbalance": 2}, {"name": "digits", "label_noise": 0.1}]
    assert len({describe(spec).data_hash for spec in specs}) == 3
    assert len({RunConfig(dataset=spec).run_id for spec in specs}) == 3
    assert load(specs[1]).x is load("digits").x
    assert load(specs[1]).data_hash == describe(specs[1]).data_hash
    assert describe({"name": "digits", "imbalance": 1.0, "label_noise": 0.0}) == describe("digits")
    assert RunConfig(dataset=specs[2]).factors()["dataset"] == "digits(label_noise=0.1)"


def test_a_file_of_classes_has_variants_and_one_of_numbers_none(tmp_path) -> None:
    x, path = np.random.default_rng(0).normal(size=(300, 2)), str(tmp_path / "mine.npz")
    np.savez(path, x=x, y=np.arange(300) % 3)
    spec = {"name": path, "imbalance": 10.0, "label_noise": 0.2}
    assert len(split(spec, 0).x_train) == sum(Variant(10.0).kept([70, 70, 70]))
    np.savez(path, x=x, y=x[:, 0])
    with pytest.raises(DatasetError, match="are for classes"):
        split(spec, 0)
