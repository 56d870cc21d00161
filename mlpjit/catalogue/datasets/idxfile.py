"""Images and labels from IDX files, the format of MNIST and its relatives, plain or compressed with gzip.

Format: two zero bytes, a type, the number of dimensions, their sizes (4 bytes each), then the numbers; all big-endian.
Source: http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes & Burges).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.targets import Table
from mlpjit.errors import DatasetError

SUFFIXES = ("ubyte", "ubyte.gz")
MOST_DIMENSIONS = 32
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def labels_path(path: str, target: str | int | None) -> str:
    """Return the file of the labels: `target`, or that whose name has labels for images and idx1 for idx3.

    Raises DatasetError where there is no such name.
    """
    if isinstance(target, str):
        return target
    if target is not None:
        raise DatasetError(f"dataset {path!r}: target = {target!r}, allowed is the path of the labels' file")
    folder, name = Path(path).parent, Path(path).name
    labels = name.replace("images", "labels").replace("idx3", "idx1")
    if labels == name:
        raise DatasetError(f"dataset {path!r}: no 'images' in the name; give the labels' file as target=")
    return str(folder / labels)


def read(path: str, target: str | int | None) -> Table:
    """Read images (n, ...), flattened to (n, d), and the labels (n,) that belong to them. Raises DatasetError."""
    images, labels = _array(path), _array(labels_path(path, target))
    label = f"dataset {path!r}"
    if labels.ndim != 1:
        raise DatasetError(f"{label}: the labels have shape {labels.shape}, need one number a sample")
    if images.ndim < 2 or not images.size:
        raise DatasetError(f"{label}: shape {images.shape}, need (samples, rows, columns)")
    if len(images) != len(labels):
        raise DatasetError(f"{label}: {len(images)} images and {len(labels)} labels, need as many")
    x = np.ascontiguousarray(images.reshape(len(images), -1), dtype=np.float64)
    if not np.isfinite(x).all():
        raise DatasetError(f"{label}: holds NaN or infinite numbers; need finite ones")
    return Table(label, x, labels.astype(np.float64), lambda row: f"sample {row + 1}")


def _array(path: str) -> npt.NDArray[Any]:
    label = f"dataset {path!r}"
    try:
        held = Path(path).expanduser().read_bytes()
        data = gzip.decompress(held) if path.lower().endswith(".gz") else held
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{label}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES:
        raise DatasetError(f"{label}: not an IDX file (it must begin with two zero bytes and a type)")
    if data[3] > MOST_DIMENSIONS:
        raise DatasetError(f"{label}: {data[3]} dimensions, need at most {MOST_DIMENSIONS}")
    start = 4 + 4 * data[3]
    sizes = [int(size) for size in np.frombuffer(data[4:start], dtype=">u4")]
    kind = np.dtype(TYPES[data[2]])
    count = int(np.prod(sizes, dtype=object)) if len(sizes) == data[3] else -1
    if len(data) - start != count * kind.itemsize:
        raise DatasetError(f"{label}: {len(data)} bytes do not hold the {sizes} numbers that it announces")
    return np.frombuffer(data, dtype=kind, offset=start).reshape(sizes)
