"""IDX files, MNIST's format, written here by its description."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from mlpjit.catalogue.datasets import describe, load, split
from mlpjit.errors import DatasetError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 3, 4))
LABELS = np.arange(60) % 5


def idx(values: np.ndarray, kind: str = "u1") -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, CODES[kind], values.ndim, *values.shape)
    return head + values.astype(kind).tobytes()


def write(folder: Path, images: str = "train-images-idx3-ubyte", labels: str = "train-labels-idx1-ubyte") -> str:
    for name, values in ((images, IMAGES), (labels, LABELS)):
        data = idx(values)
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(folder / images)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    ],
)
def test_images_and_labels_are_read(tmp_path, images: str, labels: str) -> None:
    data = load(write(tmp_path, images, labels))
    np.testing.assert_array_equal(data.x, IMAGES.reshape(60, 12))
    np.testing.assert_array_equal(data.y, LABELS)
    assert data.classes == ("0", "1", "2", "3", "4")


def test_bytes_are_divided_by_255_unless_the_user_says_otherwise(tmp_path) -> None:
    path = write(tmp_path)
    parts = split(path, 0, "float64")
    np.testing.assert_array_equal(parts.x_test, IMAGES.reshape(60, 12)[parts.rows_test] / 255.0)
    other = split({"name": path, "scaling": "standardize"}, 0, "float64")
    np.testing.assert_allclose(other.x_train.mean(axis=0), 0.0, atol=1e-12)


def test_the_labels_may_have_any_name(tmp_path) -> None:
    path = write(tmp_path, "a-ubyte", "b-ubyte")
    np.testing.assert_array_equal(load({"name": path, "target": str(tmp_path / "b-ubyte")}).y, LABELS)


@pytest.mark.parametrize("kind", CODES)
def test_every_type_of_the_format(tmp_path, kind: str) -> None:
    path = write(tmp_path)
    values = IMAGES // 2 - 10 * (kind != "u1")
    Path(path).write_bytes(idx(np.abs(values), kind) if kind == "u1" else idx(values, kind))
    np.testing.assert_array_equal(load(path).x, (np.abs(values) if kind == "u1" else values).reshape(60, 12))


def test_a_change_of_the_labels_alone_is_seen(tmp_path) -> None:
    path = write(tmp_path)
    before = describe(path).data_hash
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[::-1]) + b"")
    assert describe(path).data_hash != before


BROKEN = {
    "not an IDX file": b"P5 28 28 255",
    "do not hold the": idx(IMAGES)[:-1],
    "60 images and 59 labels": idx(LABELS[:59]),
    "the labels have shape": idx(IMAGES),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_files(tmp_path, message: str) -> None:
    path = write(tmp_path)
    target = "train-labels-idx1-ubyte" if "labels" in message else "train-images-idx3-ubyte"
    (tmp_path / target).write_bytes(BROKEN[message])
    with pytest.raises(DatasetError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path) -> None:
    path = write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match=r"cannot read dataset .*train-labels-idx1-ubyte"):
        load(path)
    with pytest.raises(DatasetError, match="no 'images' in the name"):
        load(write(tmp_path, "x-ubyte", "y-ubyte"))
    with pytest.raises(DatasetError, match="allowed is the path of the labels' file"):
        load({"name": path, "target": 3})
    damaged = write(tmp_path, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    Path(damaged).write_bytes(Path(damaged).read_bytes()[:-9])
    with pytest.raises(DatasetError, match="cannot be read"):
        load(damaged)


def test_what_unpacks_to_more_than_it_announces_is_not_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 3, 2, 2)) + gzip.compress(bytes(2**20)) * 4000
    (tmp_path / "images-ubyte.gz").write_bytes(packed)
    (tmp_path / "labels-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + bytes(3)))
    with pytest.raises(DatasetError, match="more bytes do not hold the"):
        load(str(tmp_path / "images-ubyte.gz"))


def test_what_announces_more_than_is_free_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "images-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">III", 2**30, 2**10, 2**10))
    (tmp_path / "labels-ubyte").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"1,125,899,906,842,624 numbers take 2\.7e\+07 GB to read, and .* are free"):
        load(str(tmp_path / "images-ubyte"))


@pytest.mark.parametrize("count", range(4, 16))
def test_a_header_that_is_cut(tmp_path: Path, count: int) -> None:
    (tmp_path / "images-ubyte").write_bytes((b"\0\0\x08\x03" + struct.pack(">III", 3, 2, 2))[:count])
    (tmp_path / "labels-ubyte").write_bytes(b"")
    with pytest.raises(DatasetError, match="it ends before the sizes of its 3 dimensions"):
        load(str(tmp_path / "images-ubyte"))
