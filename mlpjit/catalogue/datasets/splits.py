"""The three parts of a dataset: drawn by seed, class by class, and scaled by what the training part says."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.columns import fill_missing
from mlpjit.catalogue.datasets.loading import load_source
from mlpjit.catalogue.datasets.parts import part_sizes
from mlpjit.catalogue.datasets.records import NO_SCALING, STANDARDIZE, Dataset, Floats, Scaling
from mlpjit.catalogue.datasets.scaling import Transform, fit
from mlpjit.catalogue.datasets.sharing import Shared
from mlpjit.catalogue.datasets.specs import Source, Spec, is_file, resolve
from mlpjit.errors import DatasetError
from mlpjit.registry import forgetting

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Parts = tuple[Rows, Rows, Rows]  # of training, validation and test, (seeds, samples) each
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


# Numbers that are divided by several seeds at once, and columns up to which they are laid out one behind the other.
AT_ONCE, MOST_BY_COLUMN = 2**18, 16
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
    source, wanted = _source(spec), list(dict.fromkeys(seeds))

    def make(missing: Sequence[tuple[Source, int, str]]) -> list[Split]:
        data, some = load_source(source), [seed for _, seed, _ in missing]
        return [made for batch in _batches(data, some) for made in divide(data, batch, dtype)]

    return dict(zip(wanted, _splits.get_all([(source, seed, dtype) for seed in wanted], make), strict=True))


def _batches(data: Dataset, seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield seeds to divide by at once: NumPy's calls cost more than their work where samples are few.

    What fills gaps depends on who is in the training part.
    """
    size = 1 if data.has_gaps else max(1, AT_ONCE // (data.x.size + data.y.size))
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


def _source(spec: Spec) -> Source:
    """Return what a spec stands for. Files are looked at each time; a canonical spec of any other is checked once."""
    if isinstance(spec, Hashable) and not is_file(spec if isinstance(spec, str) else spec["name"]):
        return _resolved(spec)
    return resolve(spec)


_resolved = lru_cache(maxsize=256)(resolve)
forgetting.append(_resolved.cache_clear)


def divide(data: Dataset, seeds: Sequence[int], dtype: str) -> list[Split]:
    """Split and scale a dataset by each of several seeds, by one where it has gaps.

    All arithmetic is in float64 and elementwise, rounded to `dtype` once.
    """
    parts, labels = _varied(data, part_rows(data, seeds), seeds)
    filled, label = fill_missing(data.x, parts[0][0]) if data.has_gaps else data.x, f"dataset {data.name!r}"
    x, x_transform = _scaled(data.scaling, [_gathered(filled, rows) for rows in parts], dtype, label)
    if data.task == "regression":
        raw = [_gathered(data.y, rows) for rows in parts]
        y, y_transform = _scaled(STANDARDIZE, raw, dtype, f"{label}, target")
    else:
        by_seed = np.arange(len(seeds))[:, None]
        y = [one_hot(labels[by_seed, rows], len(data.classes), dtype) for rows in parts]
        y_transform = fit(NO_SCALING, y[0])
    arrays = dict(zip(ARRAYS, itertools.chain(*zip(x, y, strict=True)), strict=True))
    arrays |= {f"rows_{name}": rows for name, rows in zip(PARTS, parts, strict=True)}
    return [
        Split(
            **{name: _own(array, place) for name, array in arrays.items()}, x_transform=x_transform.of(place),
            y_transform=y_transform.of(place), data_hash=data.data_hash,
        ) for place in range(len(seeds))
    ]  # fmt: skip


def _varied(data: Dataset, parts: Parts, seeds: Sequence[int]) -> tuple[Parts, Rows]:
    """Return the parts that a variant leaves, and the labels of all samples by seed, as it makes them."""
    labels = np.broadcast_to(data.y if data.classes else 0, (len(seeds), len(data.x)))
    if data.variant.plain or not data.classes:
        return parts, labels
    train = np.stack([data.variant.thin(rows, data.y[rows]) for rows in parts[0]])
    flipped = [
        data.variant.flip(data.y, rows, len(data.classes), seed) for rows, seed in zip(train, seeds, strict=True)
    ]
    return (train, *parts[1:]), np.stack(flipped)


def part_rows(data: Dataset, seeds: Sequence[int]) -> Parts:
    """Return the rows of the training, validation and test parts by seed, in an order that depends on it alone.

    One permutation orders all samples; of each class its first go to training, the next to validation, the
    last to test.
    """
    from mlpjit.kernels.arithmetic.random import permutation

    order = np.stack([permutation(seed, "split", len(data.x)) for seed in seeds])
    labels = data.y[order] if data.classes else np.zeros_like(order)
    sizes = part_sizes(np.bincount(labels[0]).tolist(), data.held_out)
    part = np.empty(order.size, dtype=np.int8)
    for label, (train, validation) in enumerate(zip(sizes.train, sizes.validation, strict=True)):
        places = np.flatnonzero(labels == label).reshape(len(seeds), -1)
        part[places] = 2
        part[places[:, : train + validation]] = 1
        part[places[:, :train]] = 0
    first, second, third = (order.ravel()[part == each].reshape(len(seeds), -1) for each in range(len(PARTS)))
    return first, second, third


def one_hot(labels: Rows, classes: int, dtype: str) -> Array:
    """Return labels (..., n) as rows of 0 and one 1, (..., n, classes)."""
    rows = np.zeros((labels.size, classes), dtype)
    rows[np.arange(labels.size), labels.ravel()] = 1.0
    return rows.reshape(*labels.shape, classes)


def _gathered(values: Floats, rows: Rows) -> Floats:
    """Return rows (seeds, n) of values (samples, d) as (seeds, n, d): few columns of few samples column by column."""
    if values.shape[1] > MOST_BY_COLUMN or values.size > AT_ONCE:
        return values[rows]
    by_column: Floats = np.take(np.ascontiguousarray(values.T), rows, axis=1)
    return by_column.transpose(1, 2, 0)


def _scaled(scaling: Scaling, raw: Sequence[Floats], dtype: str, label: str) -> tuple[list[Array], Transform]:
    """Return the three parts scaled by what the first says, and the scaling."""
    transform = fit(scaling, raw[0], label)
    return [_rounded(label, transform, rows, dtype) for rows in raw], transform


def _own(array: Array, place: int) -> Array:
    """Return the array of one seed, which holds no other's."""
    own = array[place] if len(array) == 1 else array[place].copy()
    own.flags.writeable = False
    return own


def _rounded(label: str, transform: Transform, raw: Floats, dtype: str) -> Array:
    with np.errstate(over="ignore"):
        scaled = np.ascontiguousarray(transform.apply(raw), dtype=dtype)
    if not np.isfinite(scaled).all():
        column = int(np.argwhere(~np.isfinite(scaled))[:, -1].min()) + 1
        raise DatasetError(f"{label}: column {column} is too large for {dtype} after scaling")
    return scaled
