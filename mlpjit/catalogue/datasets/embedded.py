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
    return _regression("diabetes")


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


@dataset(
    task="classification",
    scaling=divide_by(255),
    citation="LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86, 2278-2324",
    formula="5000 images of 28 x 28 pixels, 500 of each of 10 classes",
)
def mnist_5000() -> Raw:
    """A subset of MNIST's handwritten digits: 500 images of each, 28 x 28 grey values."""
    return _classification("mnist_5000")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Brodley 1990, Image Segmentation, UCI ML Repository, doi:10.24432/C5GP4N",
    formula="2310 samples, 19 inputs, 7 classes of 330",
)
def image_segmentation() -> Raw:
    """Patches of seven outdoor images by colours, edges and place: brick, sky, leaves, cement, window, path, grass."""
    return _classification("image_segmentation")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Frey & Slate 1991, Machine Learning 6, 161-182; UCI ML Repository, doi:10.24432/C5ZP40",
    formula="20000 samples, 16 inputs 0..15, 26 classes",
)
def letters() -> Raw:
    """Capital letters in 20 distorted fonts by moments and edge counts of their pixels."""
    return _classification("letters")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Alpaydin & Alimoglu 1998, UCI ML Repository, doi:10.24432/C5MG6K",
    formula="10992 samples, 16 inputs 0..100, 10 classes",
)
def pendigits() -> Raw:
    """Handwritten digits as eight points along the pen's way, by 44 writers."""
    return _classification("pendigits")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Srinivasan 1993, Statlog (Landsat Satellite), UCI ML Repository, doi:10.24432/C55887",
    formula="6435 samples, 36 inputs, 6 classes",
)
def satellite() -> Raw:
    """Soil and crops by 3 x 3 pixels of a satellite's image in four spectral bands."""
    return _classification("satellite")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Hopkins, Reeber, Forman & Suermondt 1999, UCI ML Repository, doi:10.24432/C53G6X",
    formula="4597 samples, 57 inputs, 2 classes",
)
def spambase() -> Raw:
    """Spam and other mail by how often words and signs occur: heavy-tailed inputs, mostly zero."""
    return _classification("spambase")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Mowforth & Shepherd 1987, Statlog (Vehicle Silhouettes), UCI ML Repository, doi:10.24432/C5HG6N",
    formula="846 samples, 18 inputs, 4 classes",
)
def vehicle() -> Raw:
    """Four kinds of vehicles by the shape of their silhouettes."""
    return _classification("vehicle")


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    citation="Deterding 1989; Robinson 1989; UCI ML Repository, doi:10.24432/C58P4S",
    formula="990 samples, 10 inputs, 11 classes of 90",
)
def vowel() -> Raw:
    """Eleven vowels of English, spoken by 15 people, by log area ratios of linear prediction."""
    return _classification("vowel")


@dataset(
    task="regression",
    scaling=STANDARDIZE,
    citation="Yeh 1998, Cement and Concrete Research 28, 1797-1808; UCI ML Repository, doi:10.24432/C5PK67",
    formula="1030 samples, 8 inputs, 1 target",
)
def concrete() -> Raw:
    """Compressive strength of concrete by its mixture and age."""
    return _regression("concrete")


@dataset(
    task="regression",
    scaling=STANDARDIZE,
    citation="Borggaard & Thodberg 1992, Analytical Chemistry 64, 545-551; StatLib, tecator",
    formula="215 samples, 100 inputs, 3 targets",
)
def tecator() -> Raw:
    """Water, fat and protein of meat by its near-infrared spectrum: 100 inputs that nearly repeat each other."""
    return _regression("tecator")


def _regression(name: str) -> Raw:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        x, y = arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)
    return Raw(x, y.reshape(len(x), -1))


def _classification(name: str) -> Raw:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        classes = tuple(str(label) for label in arrays["classes"])
        return Raw(arrays["x"].astype(np.float64), arrays["y"].astype(np.int64), classes)
