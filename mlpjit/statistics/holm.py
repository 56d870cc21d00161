"""Holm's correction of a named family of p-values (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).

Sorted p_(1) <= ... <= p_(m) become max over j <= i of min(1, (m - j + 1) p_(j)): claiming what is at most alpha makes a
false claim anywhere in the family with probability at most alpha, however the tests depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .paired import Floats


@dataclass(frozen=True)
class Family:
    """A family of tests with its name, as "15 competitors against adamw": raw and corrected p by member."""

    name: str
    raw: dict[str, float]
    corrected: dict[str, float]

    def claims(self, alpha: float = 0.05) -> list[str]:
        """Return the members that can be claimed, all together, at level alpha."""
        return [member for member, p in self.corrected.items() if p <= alpha]


def family(name: str, raw: Mapping[str, float]) -> Family:
    """Correct the p-values of a family of tests; raises ValueError for values outside 0..1."""
    corrected = holm(list(raw.values()))
    return Family(name, dict(raw), dict(zip(raw, corrected.tolist(), strict=True)))


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return Holm's adjusted p for p-values of shape (m,), in their order; ValueError for values outside 0..1."""
    raw = np.asarray(p_values, dtype=np.float64).ravel()
    if not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError(f"p-values lie in 0..1, got {raw[~((raw >= 0) & (raw <= 1))].tolist()}")
    order = np.argsort(raw, kind="stable")
    steps = np.minimum(1.0, np.arange(raw.size, 0, -1) * raw[order])
    adjusted = np.empty_like(raw)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted
