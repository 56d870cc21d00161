"""A block of a sweep: fixed values and axes, and anything that is computed once per distinct value of an axis.

A study of 100,000 runs has a few hundred distinct values. What depends on some fields only is tabulated over the
axes among these fields, and runs pick their entry by index.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.config.fields import Part, Values
from mlpjit.config.identity import IDENTITY, digest


@dataclass(frozen=True)
class Block:
    """The cartesian product of `axes`, (field, values) pairs, the last one fastest, over `fixed` values.

    `place` names the block in messages; `sources` tells where in the file each value of an axis stands.
    """

    fixed: dict[str, Any]
    axes: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    place: str = ""

    def __len__(self) -> int:
        return math.prod(len(values) for _, values in self.axes)

    def values(self, index: int) -> dict[str, Any]:
        """Return all values of one run of the block."""
        chosen = dict(self.fixed)
        for name, values in reversed(self.axes):
            index, position = divmod(index, len(values))
            chosen[name] = values[position]
        return chosen

    def combinations(self, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield complete values for every distinct combination of the axes among `fields`, the rest at their first."""
        first = {name: values[0] for name, values in self.axes}
        touched = [(name, values) for name, values in self.axes if name in fields]
        for chosen in itertools.product(*(values for _, values in touched)):
            yield {**self.fixed, **first, **dict(zip((name for name, _ in touched), chosen, strict=True))}

    def positions(self, fields: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return, for every run of the block, the index of its combination in `combinations(fields)`."""
        index = np.arange(len(self), dtype=np.intp)
        position = np.zeros(len(self), dtype=np.intp)
        stride = len(self)
        for name, values in self.axes:
            stride //= len(values)
            if name in fields:
                position = position * len(values) + index // stride % len(values)
        return position

    def touches(self, fields: Sequence[str]) -> bool:
        """Whether any axis is among the fields."""
        return any(name in fields for name, _ in self.axes)

    def column(self, part: Part) -> list[Any]:
        """Return the part's value for every run."""
        table = np.empty(math.prod(len(v) for n, v in self.axes if n in part.fields), dtype=object)
        table[:] = [part.value(values) for values in self.combinations(part.fields)]
        return table[self.positions(part.fields)].tolist()

    def numbers(self, fields: Sequence[str], value: Callable[[Values], float]) -> npt.NDArray[np.float64]:
        """Return a number for every run, computed once per combination of `fields`."""
        table = np.array([value(values) for values in self.combinations(fields)], dtype=np.float64)
        return table[self.positions(fields)]

    def run_ids(self) -> list[str]:
        """Return the id of every run, in order."""
        columns: list[list[str] | str] = []
        for part in IDENTITY.values():
            if self.touches(part.fields):
                columns.append(self.column(part))
                continue
            text = part.value(next(self.combinations(())))
            if columns and isinstance(columns[-1], str):
                columns[-1] += "," + text
            else:
                columns.append(text)
        repeated = (itertools.repeat(c, len(self)) if isinstance(c, str) else c for c in columns)
        return [digest(",".join(texts)) for texts in zip(*repeated, strict=True)]
