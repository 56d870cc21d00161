"""The generated data against their formulas, in NumPy and in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_moons

from mlpjit.datasets import load, split
from mlpjit.datasets.generated.teacher_student import product, teacher


@pytest.mark.parametrize("samples", [10, 1000])
def test_two_moons_without_noise_is_that_of_scikit_learn(samples: int) -> None:
    data = load({"name": "two_moons", "samples": samples, "noise": 0})
    x, y = make_moons(samples, shuffle=False)
    np.testing.assert_allclose(data.x, x, atol=2e-15)
    np.testing.assert_array_equal(data.y, y)


def test_an_odd_sample_goes_to_the_first_class() -> None:
    assert np.bincount(load({"name": "two_moons", "samples": 11}).y).tolist() == [6, 5]


@pytest.mark.parametrize("name", ["two_moons", "spirals"])
def test_noise_is_normal_with_the_given_deviation(name: str) -> None:
    spec = {"name": name, "samples": 3000}
    noise = load({**spec, "noise": 0.25}).x - load({**spec, "noise": 0.0}).x
    assert stats.kstest(noise.ravel() / 0.25, "norm").pvalue > 1e-3


def test_spirals_by_formula() -> None:
    data = load({"name": "spirals", "samples": 300, "classes": 4, "turns": 1.5, "noise": 0})
    radius = np.concatenate([np.arange(1, 76) / 75] * 4)
    angle = 2 * np.pi * (1.5 * radius + data.y / 4)
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    np.testing.assert_allclose(data.x, expected, atol=4e-15)


def test_teacher_is_the_known_optimum() -> None:
    data = load({"name": "teacher_student", "outputs": 3})
    network = teacher(10, 16, 3, 0)
    expected = np.tanh(data.x @ network.hidden + network.bias) @ network.output
    np.testing.assert_allclose(data.y, expected, atol=1e-13)


def test_standardized_targets_are_a_teacher_with_another_last_layer() -> None:
    parts, network = split("teacher_student", 0, "float64"), teacher(10, 16, 1, 0)
    output = network.output / parts.y_transform.divisor
    offset = -parts.y_transform.shift / parts.y_transform.divisor
    student = np.tanh(parts.x_test @ network.hidden + network.bias) @ output + offset
    assert np.mean((student - parts.y_test) ** 2) < 1e-26


def test_noise_of_the_teacher_sets_the_best_loss() -> None:
    spec = {"name": "teacher_student", "samples": 5000}
    noise = load({**spec, "noise": 0.5}).y - load(spec).y
    assert np.mean(noise**2) == pytest.approx(0.25, rel=0.08)


def test_teacher_draws_are_independent_of_each_other() -> None:
    data = load({"name": "teacher_student", "samples": 2000, "noise": 1.0})
    clean = load({"name": "teacher_student", "samples": 2000})
    noise = (data.y - clean.y).ravel()
    np.testing.assert_array_equal(data.x, clean.x)
    assert abs(np.corrcoef(noise, data.x[:, 0])[0, 1]) < 0.1
    assert len(np.unique(np.concatenate([noise, data.x.ravel()]))) > 21_990


def test_product_is_the_matrix_product() -> None:
    generator = np.random.default_rng(0)
    rows, matrix = generator.normal(size=(7, 5)), generator.normal(size=(5, 3))
    np.testing.assert_allclose(product(rows, matrix), rows @ matrix, rtol=1e-13)
