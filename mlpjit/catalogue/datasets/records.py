"""What a dataset is, and the registry of the built-in ones. Imports neither numba nor any file of data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.parts import HELD_OUT_PERCENT
from mlpjit.catalogue.datasets.variants import VARIANT_DEFAULTS, Variant
from mlpjit.errors import DatasetError
from mlpjit.registry import Registry

Task = Literal["classification", "regression"]
Parameter = int | float | str | bool
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """How inputs are scaled: "none", "divide" by a constant, or "standardize" to mean 0 and variance 1."""

    kind: Literal["none", "divide", "standardize"]
    divisor: float = 1.0

    def __str__(self) -> str:
        """Return it in words, as errors and listings show it."""
        return f"divide by {self.divisor:g}" if self.kind == "divide" else self.kind


NO_SCALING = Scaling("none")
STANDARDIZE = Scaling("standardize")


def divide_by(divisor: float) -> Scaling:
    """Return the scaling x / divisor."""
    return Scaling("divide", float(divisor))


@dataclass(frozen=True)
class Column:
    """An input made of a table's column.

    kind: "number" as it stands; "one of": 1 where the cell is one of `categories`, else 0; "ordinal": the place of the
    cell among `categories`; "indicator": 1 where the cell of column `of` is missing, else 0.
    """

    name: str
    kind: Literal["number", "one of", "ordinal", "indicator"]
    categories: tuple[str, ...] = ()
    of: str = ""


@dataclass(frozen=True)
class Raw:
    """Samples as read or generated: x (n, d) float64; y (n,) int64 labels or (n, k) float64 targets.

    `classes` names the labels 0..k-1 and is empty for regression. Of a table also: what its columns became, NaN in x
    standing for what the training part's median fills, the target's name, and what there is to tell. held_out: percent
    of the samples that validation has, and test again.
    """

    x: Floats
    y: npt.NDArray[Any]
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = ""
    notes: tuple[str, ...] = ()
    held_out: int = HELD_OUT_PERCENT


@dataclass(frozen=True)
class Shape:
    """The size of a dataset. `class_counts` holds the samples of each class; it is empty for regression."""

    samples: int
    inputs: int
    outputs: int
    class_counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, raw: Raw) -> Shape:
        """Return the shape of samples in memory."""
        counts = tuple(int(n) for n in np.bincount(raw.y, minlength=len(raw.classes))) if raw.classes else ()
        return cls(raw.x.shape[0], raw.x.shape[1], len(counts) or raw.y.shape[1], counts)


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory, not scaled.

    x: (n, d) float64. y: (n,) int64 labels, or (n, k) float64 targets for regression. Both are read-only.
    classes: the names of the labels 0..k-1, empty for regression. data_hash: 64 hexadecimal digits.
    variant: what becomes of the training part when it is divided. columns, target, notes, held_out: as in `Raw`.
    """

    name: str
    task: Task
    x: Floats
    y: npt.NDArray[Any]
    classes: tuple[str, ...]
    scaling: Scaling
    data_hash: str
    variant: Variant = field(default_factory=Variant)
    columns: tuple[Column, ...] = ()
    target: str = ""
    notes: tuple[str, ...] = ()
    held_out: int = HELD_OUT_PERCENT

    @property
    def has_gaps(self) -> bool:
        """Whether x has cells that wait for the training part's median."""
        return any(column.kind == "indicator" for column in self.columns)

    @property
    def outputs(self) -> int:
        """The number of columns that a network's output has for this dataset."""
        return len(self.classes) if self.classes else int(self.y.shape[1])


@dataclass(frozen=True)
class DatasetInfo:
    """What a plan must know of a dataset: its sizes, the sizes of its three parts, its hash, and what there is to tell.

    classes: name and number of samples of each class, empty for regression. columns, target, notes: as in `Raw`.
    largest: the largest magnitude among inputs that are divided by a constant, 0 where they are standardized.
    """

    samples: int
    inputs: int
    outputs: int
    task: Task
    train_samples: int
    validation_samples: int
    test_samples: int
    data_hash: str
    classes: tuple[tuple[str, int], ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = ""
    notes: tuple[str, ...] = ()
    largest: float = 0.0


@dataclass(frozen=True)
class DatasetRecord:
    """A built-in dataset.

    `make(**params)` returns its samples. `shape(**params)`, for generated data, returns its size without
    generating it and raises DatasetError for impossible parameters; it is None for embedded data.
    """

    name: str
    task: Task
    scaling: Scaling
    make: Callable[..., Raw]
    summary: str
    formula: str
    citation: str
    shape: Callable[..., Shape] | None = None
    defaults: Mapping[str, Parameter] = field(default_factory=dict)


datasets: Registry[DatasetRecord] = Registry("dataset")


def dataset(
    *,
    task: Task,
    scaling: Scaling,
    citation: str,
    formula: str = "",
    shape: Callable[..., Shape] | None = None,
) -> Callable[[Callable[..., Raw]], Callable[..., Raw]]:
    """Register the decorated function as a dataset.

    Its name is the function's, its parameters and defaults those of the signature (with those of a variant where there
    are classes), its summary the first line of the docstring.
    """

    def register(make: Callable[..., Raw]) -> Callable[..., Raw]:
        parameters = inspect.signature(make).parameters.values()
        summary = (make.__doc__ or "").strip().split("\n")[0]
        datasets.register(
            DatasetRecord(
                name=make.__name__,
                task=task,
                scaling=scaling,
                make=make,
                summary=summary,
                formula=formula,
                citation=citation,
                shape=shape,
                defaults={p.name: p.default for p in parameters}
                | (VARIANT_DEFAULTS if task == "classification" else {}),
            )
        )
        return make

    return register


def require(dataset_name: str, parameter: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise DatasetError unless low <= value <= high."""
    if not low <= value <= high:
        allowed = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
        raise DatasetError(f"dataset {dataset_name!r}: {parameter} = {value}, allowed is {allowed}")


def even_counts(samples: int, classes: int) -> tuple[int, ...]:
    """Return class sizes that differ by one at most and add up to `samples`, the larger ones first."""
    return tuple(samples // classes + (label < samples % classes) for label in range(classes))


def check_sampling(dataset_name: str, samples: int, noise: float, data_seed: int) -> None:
    """Raise DatasetError for a number of samples, a noise or a seed that no generator takes."""
    require(dataset_name, "samples", samples, 10, 10_000_000)
    require(dataset_name, "noise", noise, 0)
    require(dataset_name, "data_seed", data_seed, 0, 2**63 - 1)
