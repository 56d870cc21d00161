"""The three parts of a dataset: drawn by seed, class by class, and scaled by what the training part says."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.columns import fill_missing
from mlpjit.catalogue.datasets.loading import load_source
from mlpjit.catalogue.datasets.parts import part_sizes
from mlpjit.catalogue.datasets.records import NO_SCALING, STANDARDIZE, Dataset, Floats
from mlpjit.catalogue.datasets.scaling import Transform, fit
from mlpjit.catalogue.datasets.sharing import Shared
from mlpjit.catalogue.datasets.specs import Source, Spec, is_file, resolve
from mlpjit.errors import DatasetError
from mlpjit.registry import forgetting

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
DTYPES = ("float32", "float64")
PARTS = ("train", "validation", "test")
ARRAYS = tuple(f"{axis}_{part}" for part in PARTS for axis in "xy")


@dataclass(frozen=True)
class Split:
    """The three parts of a dataset, ready to train on.

    x_*: (samples, inputs), y_*: (samples, outputs), C-contiguous, read-only, in the run's dtype. y is one-hot
    for classification and standardized for regression. rows_*: where each sample stands in the dataset.
    x_transform, y_transform: the scaling, fitted on the training part alone. data_hash: of the data that were split.
    """

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
    x_test: Array
    y_test: Array
    rows_train: Rows
    rows_validation: Rows
    rows_test: Rows
    x_transform: Transform
    y_transform: Transform
    data_hash: str

    @cached_property
    def addresses(self) -> npt.NDArray[np.int64]:
        """Where the arrays of the parts begin in memory, in the order of ARRAYS."""
        return np.array([getattr(self, name).ctypes.data for name in ARRAYS], np.int64)

    @property
    def nbytes(self) -> int:
        """The memory that the parts hold."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))


# A study has at most so many seeds as a rule; one that has thousands must not fill the room with splits used once.
MOST_SPLITS = 128
_splits: Shared[Split] = Shared(128 * 2**20, lambda held: held.nbytes, MOST_SPLITS)


def split(spec: Spec, split_seed: int, dtype: Literal["float32", "float64"] = "float32") -> Split:
    """Return the 70/15/15 split of a dataset by seed; the same arrays for all who ask for the same one.

    Raises ConfigError and DatasetError as `load` does.
    """
    return splits(spec, (split_seed,), dtype)[split_seed]


def splits(spec: Spec, seeds: Iterable[int], dtype: Literal["float32", "float64"]) -> dict[int, Split]:
    """Return the splits of a dataset by several seeds, as `split` does."""
    if dtype not in DTYPES:
        raise DatasetError(f"dtype = {dtype!r}, allowed is 'float32' or 'float64'")
    source, found = _source(spec), {}
    for seed in seeds:
        if seed not in found:
            found[seed] = _splits.get(
                (source, seed, dtype),
                lambda seed=seed: divide(load_source(source), seed, dtype),  # type: ignore[misc]
            )
    return found


def _source(spec: Spec) -> Source:
    """Return what a spec stands for. Files are looked at each time; a canonical spec of any other is checked once."""
    if isinstance(spec, Hashable) and not is_file(spec if isinstance(spec, str) else spec["name"]):
        return _resolved(spec)
    return resolve(spec)


_resolved = lru_cache(maxsize=256)(resolve)
forgetting.append(_resolved.cache_clear)


def divide(data: Dataset, split_seed: int, dtype: str) -> Split:
    """Split and scale a dataset. All arithmetic is in float64 and elementwise, rounded to `dtype` once."""
    parts, labels = part_rows(data, split_seed), data.y
    if data.classes:
        parts = (data.variant.thin(parts[0], labels[parts[0]]), *parts[1:])
        labels = data.variant.flip(labels, parts[0], len(data.classes), split_seed)
    train = parts[0]
    targets = data.y if data.task == "regression" else one_hot(labels, len(data.classes))
    label = f"dataset {data.name!r}"
    x = fill_missing(data.x, train) if data.has_gaps else data.x
    x_transform = fit(data.scaling, x[train], label)
    y_scaling = STANDARDIZE if data.task == "regression" else NO_SCALING
    y_transform = fit(y_scaling, targets[train], f"{label}, target")
    arrays: dict[str, Array] = {}
    for name, rows in zip(PARTS, parts, strict=True):
        arrays[f"x_{name}"] = _rounded(label, x_transform, x[rows], dtype)
        arrays[f"y_{name}"] = _rounded(f"{label}, target", y_transform, targets[rows], dtype)
        arrays[f"rows_{name}"] = rows
    for array in arrays.values():
        array.flags.writeable = False
    return Split(**arrays, x_transform=x_transform, y_transform=y_transform, data_hash=data.data_hash)


def part_rows(data: Dataset, split_seed: int) -> tuple[Rows, Rows, Rows]:
    """Return the rows of the training, validation and test parts, in an order that depends on the seed alone.

    One permutation orders all samples; of each class its first go to training, the next to validation, the
    last to test.
    """
    from mlpjit.kernels.arithmetic.random import permutation

    order = np.asarray(permutation(split_seed, "split", len(data.x)), dtype=np.int64)
    labels = data.y[order] if data.classes else np.zeros(len(order), dtype=np.int64)
    sizes = part_sizes(np.bincount(labels).tolist(), data.held_out)
    part = np.empty(len(order), dtype=np.int8)
    for label, (train, validation) in enumerate(zip(sizes.train, sizes.validation, strict=True)):
        places = np.flatnonzero(labels == label)
        part[places] = 2
        part[places[: train + validation]] = 1
        part[places[:train]] = 0
    return order[part == 0], order[part == 1], order[part == 2]


def one_hot(labels: Rows, classes: int) -> Floats:
    """Return labels (n,) as rows of 0 and one 1, (n, classes) float64."""
    rows = np.zeros((len(labels), classes))
    rows[np.arange(len(labels)), labels] = 1.0
    return rows


def _rounded(label: str, transform: Transform, raw: Floats, dtype: str) -> Array:
    with np.errstate(over="ignore"):
        scaled = np.ascontiguousarray(transform.apply(raw), dtype=dtype)
    if not np.isfinite(scaled).all():
        column = int(np.flatnonzero(~np.isfinite(scaled).all(axis=0))[0]) + 1
        raise DatasetError(f"{label}: column {column} is too large for {dtype} after scaling")
    return scaled
