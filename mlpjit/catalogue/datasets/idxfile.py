"""Images and labels from IDX files, the format of MNIST and its relatives, plain or compressed with gzip.

Format: two zero bytes, a type, the number of dimensions, their sizes (4 bytes each), then the numbers; all big-endian.
Source: http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes & Burges).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.fitting import check_fits
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
    """Return the numbers of one file. What unpacks to more than it announces is not unpacked to its end."""
    label, opened = f"dataset {path!r}", gzip.open if path.lower().endswith(".gz") else open
    try:
        with opened(Path(path).expanduser(), "rb") as file:
            kind, sizes = _header(label, file)
            count = int(np.prod(sizes, dtype=object))
            check_fits(label, count)
            data = file.read(count * kind.itemsize + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{label}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) != count * kind.itemsize:
        held = "more" if len(data) > count * kind.itemsize else f"{len(data)}"
        raise DatasetError(f"{label}: {held} bytes do not hold the {sizes} numbers that it announces")
    return np.frombuffer(data, dtype=kind).reshape(sizes)


def _header(label: str, file: IO[bytes] | gzip.GzipFile) -> tuple[np.dtype[Any], list[int]]:
    """Return the type of the numbers and their shape."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES:
        raise DatasetError(f"{label}: not an IDX file (it must begin with two zero bytes and a type)")
    if start[3] > MOST_DIMENSIONS:
        raise DatasetError(f"{label}: {start[3]} dimensions, need at most {MOST_DIMENSIONS}")
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise DatasetError(f"{label}: it ends before the sizes of its {start[3]} dimensions")
    return np.dtype(TYPES[start[2]]), np.frombuffer(sizes, dtype=">u4").tolist()
