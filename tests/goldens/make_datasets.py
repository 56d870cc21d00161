"""Golden datasets from scikit-learn: those it ships, by their columns' moments and targets, and its generators.

Run in an environment that has it: `PYTHONPATH=tests:. python -m goldens.make_datasets`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from goldens.ours import fingerprint
from goldens.records import Golden, golden, save


def shipped() -> Iterator[Golden]:
    """The embedded ones."""
    from sklearn import datasets

    for name, settings in (
        ("digits", {}), ("breast_cancer", {}), ("wine", {}), ("iris", {}), ("diabetes", {"scaled": False}),
    ):  # fmt: skip
        found = getattr(datasets, f"load_{name}")(**settings)
        yield case(name, {}, f"sklearn.datasets.load_{name}", fingerprint(found.data, found.target))
    digits = datasets.load_digits().data
    yield case("digits_autoencoder", {}, "sklearn.datasets.load_digits", fingerprint(digits, digits), note="y = x")


def generated() -> Iterator[Golden]:
    """Without noise, which is another stream of random numbers."""
    from sklearn import datasets

    for count in (10, 101):
        halves = (count - count // 2, count // 2)
        settings: dict[str, Any] = {"samples": count, "noise": 0.0}
        x, y = datasets.make_moons(halves, shuffle=False)
        yield case("two_moons", settings, "sklearn.datasets.make_moons", {"x": x, "y": y.astype(float)})
        x, y = datasets.make_circles(halves, shuffle=False, factor=0.3)
        arrays = {"x": x, "y": y.astype(float)}
        yield case("circles", {**settings, "factor": 0.3}, "sklearn.datasets.make_circles", arrays)


def case(entry: str, settings: dict[str, Any], oracle: str, arrays: dict[str, np.ndarray], note: str = "") -> Golden:
    """Return a case of scikit-learn."""
    return golden(entry, settings, oracle, arrays, package="scikit-learn", note=note)


def make() -> Iterator[Golden]:
    """Compute every case afresh."""
    yield from shipped()
    yield from generated()


if __name__ == "__main__":
    save("datasets", make(), {})
