"""Datasets of OpenML, fetched when the user asks for it and never otherwise: scikit-learn downloads, we write NPZ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.errors import DatasetError, writing

# What scikit-learn raises for names that OpenML lacks, files that are damaged, and connections that fail (OSError).
FAILURES = (OSError, ValueError, KeyError, TypeError)


def fetch(name: str, version: int | None, path: Path) -> Path:
    """Download a dataset, write x (n, d) and y (n,) to an .npz file, return its path. Needs scikit-learn and a network.

    Raises DatasetError where either is missing, or where a column is no number; StoreError where it cannot be written.
    """
    label = f"OpenML dataset {name!r}"
    if not name.strip(". ") or set(name) & set("/\\\0"):
        raise DatasetError(f"{label}: need a name without slashes, as mnist_784")
    try:
        from sklearn.datasets import fetch_openml
    except ImportError:
        raise DatasetError("mlpjit data fetch needs scikit-learn: pip install scikit-learn") from None
    try:
        found = fetch_openml(name, version=version or "active", as_frame=False, parser="liac-arff", cache=False)
    except FAILURES as error:
        raise DatasetError(f"{label}: cannot be fetched ({_why(error)})") from None
    x, y = _numbers(label, found.data), np.asarray(found.target)
    if y.dtype == object:
        y = y.astype(str)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")  # as NumPy names it
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, x=x, y=y)
    return path


def _why(error: Exception) -> str:
    """Return what was wrong in one line; of a connection that failed, what the system says."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or (str(cause) or type(cause).__name__).splitlines()[0]


def _numbers(label: str, data: Any) -> np.ndarray[Any, Any]:
    dense = data.toarray() if hasattr(data, "toarray") else np.asarray(data)
    try:
        x = dense.astype(np.float64)
    except (TypeError, ValueError):
        raise DatasetError(f"{label}: has columns of text; only numbers can be used") from None
    if not np.isfinite(x).all():
        raise DatasetError(f"{label}: has missing values; only complete samples can be used")
    return x
