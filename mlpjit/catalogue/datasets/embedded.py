"""The real datasets that come with mlpjit. `data/README.md` names the source and licence of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlpjit.catalogue.datasets.records import STANDARDIZE, Raw, dataset, divide_by

DATA = Path(__file__).parent / "data"


@dataset(
    task="classification",
    scaling=divide_by(16),
    citation="Alpaydin & Kaynak 1998, UCI ML Repository, doi:10.24432/C50P49",
    formula="1797 images of 8 x 8 pixels, 10 classes",
)
def digits() -> Raw:
    """Handwritten digits: 8 x 8 counts of ink, 0..16, by 13 writers."""
    return _classification("digits")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Wolberg, Mangasarian, Street & Street 1995, UCI ML Repository, doi:10.24432/C5DW2B",
    formula="569 samples, 30 inputs, 2 classes",
)
def breast_cancer() -> Raw:
    """Malignant and benign tumours by measurements of their cells' nuclei."""
    return _classification("breast_cancer")


@dataset(
    task="regression",
    scaling=STANDARDIZE,
    citation="Efron, Hastie, Johnstone & Tibshirani 2004, Annals of Statistics 32, 407-499",
    formula="442 samples, 10 inputs, 1 target",
)
def diabetes() -> Raw:
    """Disease progression one year after ten measurements of each patient."""
    with np.load(DATA / "diabetes.npz", allow_pickle=False) as arrays:
        return Raw(arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)[:, np.newaxis])


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Aeberhard & Forina 1992, UCI ML Repository, doi:10.24432/C5PC7J",
    formula="178 samples, 13 inputs, 3 classes",
)
def wine() -> Raw:
    """Three cultivars of wine by chemical analysis."""
    return _classification("wine")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Fisher 1936, Annals of Eugenics 7, 179-188; UCI ML Repository, doi:10.24432/C56C76",
    formula="150 samples, 4 inputs, 3 classes",
)
def iris() -> Raw:
    """Three species of iris by the lengths and widths of sepals and petals."""
    return _classification("iris")


@dataset(
    task="regression",
    scaling=divide_by(16),
    citation="Hinton & Salakhutdinov 2006, Science 313, 504-507; data as for digits",
    formula="digits with y = x: 1797 images of 8 x 8 pixels, 64 targets, standardized",
)
def digits_autoencoder() -> Raw:
    """Handwritten digits as their own targets: what passes through a narrow layer."""
    x = _classification("digits").x
    return Raw(x, x.copy())


def _classification(name: str) -> Raw:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        classes = tuple(str(label) for label in arrays["classes"])
        return Raw(arrays["x"].astype(np.float64), arrays["y"].astype(np.int64), classes)
