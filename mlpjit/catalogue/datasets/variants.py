"""Variants of a dataset's training part: fewer samples of some classes, wrong labels. The rest stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
# Every dataset of classes takes these besides its own parameters.
VARIANT_DEFAULTS = {"imbalance": 1.0, "label_noise": 0.0}
# Powers in software: libm's differ from CPU to CPU.
DECIMAL = Context(prec=28)


@dataclass(frozen=True)
class Variant:
    """imbalance: samples of class c fall by imbalance^(-c / (classes - 1)) (Cui et al. 2019, arXiv:1901.05555).

    label_noise: the probability that a training label is one of the others, each as likely (symmetric noise).
    """

    imbalance: float = 1.0
    label_noise: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether nothing is changed."""
        return self == Variant()

    def kept(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Return how many training samples of each class remain, at least one."""
        if self.imbalance == 1.0:
            return tuple(counts)
        last = max(len(counts) - 1, 1)
        shares = [DECIMAL.power(Decimal(self.imbalance), Decimal(-c) / Decimal(last)) for c in range(len(counts))]
        return tuple(max(1, int(count * share)) for count, share in zip(counts, shares, strict=True))

    def thin(self, rows: Rows, labels: Rows) -> Rows:
        """Return the training rows that remain, in their order: the first of each class; labels: of these rows."""
        if self.imbalance == 1.0:
            return rows
        stay = np.zeros(len(rows), dtype=bool)
        for label, count in enumerate(self.kept(np.bincount(labels).tolist())):
            stay[np.flatnonzero(labels == label)[:count]] = True
        return rows[stay]

    def flip(self, labels: Rows, rows: Rows, classes: int, seed: int) -> Rows:
        """Return all labels (n,) with those of some of the given rows replaced; draws depend on seed and row."""
        if self.label_noise == 0.0:
            return labels
        from mlpjit.kernels.arithmetic.random import uniforms

        chance, choice = uniforms(seed, "labels", 2 * len(labels)).reshape(-1, 2).T
        step = 1 + np.minimum((choice * (classes - 1)).astype(np.int64), classes - 2)
        wrong = np.zeros(len(labels), dtype=bool)
        wrong[rows] = chance[rows] <= self.label_noise
        return np.where(wrong, (labels + step) % classes, labels)


def variant_of(parameters: Sequence[tuple[str, Any]]) -> Variant:
    """Return the variant among the parameters of a dataset."""
    return Variant(**{name: float(value) for name, value in parameters if name in VARIANT_DEFAULTS})
