"""Extract the embedded datasets from scikit-learn: `python -m mlpjit.catalogue.datasets.embed [folder]`.

Needs scikit-learn, which mlpjit itself does not. The files are committed; this script says where they came
from and a test runs it again. Zip members written by NumPy carry a constant date: equal arrays, equal files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"


def extract() -> dict[str, dict[str, Any]]:
    """Return the arrays of each embedded dataset, raw values, in the smallest type that holds them."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

    digits, cancer, diabetes = load_digits(), load_breast_cancer(), load_diabetes(scaled=False)
    pixels = digits.data.astype(np.uint8)
    if not np.array_equal(pixels, digits.data):
        raise ValueError("the pixels of digits are not whole numbers")
    return {
        "digits": {
            "x": pixels,
            "y": digits.target.astype(np.uint8),
            "classes": digits.target_names.astype(str),
            "features": np.array(digits.feature_names),
        },
        "breast_cancer": _classes(cancer),
        "wine": _classes(load_wine()),
        "iris": _classes(load_iris()),
        "diabetes": {
            "x": diabetes.data,
            "y": diabetes.target,
            "features": np.array(diabetes.feature_names),
        },
    }


def _classes(bunch: Any) -> dict[str, Any]:
    return {
        "x": bunch.data,
        "y": bunch.target.astype(np.uint8),
        "classes": bunch.target_names.astype(str),
        "features": np.array(bunch.feature_names).astype(str),
    }


def save(extracted: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
    """Write one .npz file for each dataset and return their paths."""
    paths = []
    for name, arrays in extracted.items():
        np.savez_compressed(folder / f"{name}.npz", **arrays)
        paths.append(folder / f"{name}.npz")
    return paths


def write(folder: Path = DATA) -> list[Path]:
    """Write the data that scikit-learn ships and return the paths."""
    return save(extract(), folder)


if __name__ == "__main__":
    write(*(Path(folder) for folder in sys.argv[1:2]))
