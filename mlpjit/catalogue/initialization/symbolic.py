"""Initializers without numbers: what one does to its standard numbers, found by handing it symbols in their place.

One that scales them and adds a number to them, once each, is then drawn in compiled code for any seed. What does more
with them raises TypeError or AttributeError here, and is left to NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlpjit.catalogue.initialization.draws import Draw

# What leaves each number as it is, -0.0 included.
UNSCALED, UNMOVED = 1.0, -0.0


@dataclass(frozen=True, eq=False)
class Numbers:
    """Standard numbers yet to be drawn: (x stretch + move) factor + shift, x uniform on (0, 1] or normal.

    stream: what they are drawn for. factor and shift are None until something is multiplied or added.
    """

    law: str
    stream: str
    stretch: float = UNSCALED
    move: float = UNMOVED
    factor: float | None = None
    shift: float | None = None

    __array_ufunc__ = None  # NumPy's numbers leave the operation to these methods
    __hash__ = None  # type: ignore[assignment]

    def __mul__(self, factor: Any) -> Numbers:
        if not isinstance(factor, int | float) or self.factor is not None or self.shift is not None:
            return NotImplemented
        return replace(self, factor=float(factor))

    def __add__(self, shift: Any) -> Numbers:
        if not isinstance(shift, int | float) or self.shift is not None:
            return NotImplemented
        return replace(self, shift=float(shift))

    __rmul__, __radd__ = __mul__, __add__

    def __eq__(self, other: object) -> bool:
        raise TypeError("they are not drawn yet")

    def __bool__(self) -> bool:
        raise TypeError("they are not drawn yet")


class SymbolicDraw:
    """A layer that asks for its first weights as `Draw` does, but for its seed."""

    def __init__(self, draw: Draw) -> None:
        self.layer, self.fan_in, self.fan_out = draw.layer, draw.fan_in, draw.fan_out
        self.reads, self.response, self.last = draw.reads, draw.response, draw.last

    def normal(self) -> Numbers:
        """Return standard normal numbers."""
        return Numbers("normal", "init")

    def uniform(self) -> Numbers:
        """Return numbers uniform on (-1, 1]."""
        return Numbers("uniform", "init", 2.0, -1.0)

    def bias_normal(self) -> Numbers:
        """Return standard normal numbers for the biases."""
        return Numbers("normal", "bias")

    def bias_uniform(self) -> Numbers:
        """Return numbers uniform on (-1, 1] for the biases."""
        return Numbers("uniform", "bias", 2.0, -1.0)
