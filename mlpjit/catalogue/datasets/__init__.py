"""Datasets: real ones embedded, generated ones by recipe, the user's own from NPZ and CSV files.

`load(spec)` returns the samples, `describe(spec)` their sizes and hash without Numba, and
`split(spec, seed, dtype)` the three scaled parts that a run trains on. A spec is a name, a path, or a table
{"name": ..., parameters}.
Importing this package registers every built-in dataset: those of `embedded` and each file of `generated`.
"""

from __future__ import annotations

from mlpjit.catalogue.datasets import embedded
from mlpjit.catalogue.datasets.generated import datasets
from mlpjit.catalogue.datasets.loading import describe, load
from mlpjit.catalogue.datasets.records import Dataset, DatasetInfo, DatasetRecord
from mlpjit.catalogue.datasets.specs import FILE_DEFAULTS, canonical
from mlpjit.catalogue.datasets.splits import Split, split, splits

__all__ = [
    "FILE_DEFAULTS", "Dataset", "DatasetInfo", "DatasetRecord", "Split",
    "canonical", "datasets", "describe", "embedded", "load", "split", "splits",
]  # fmt: skip
