"""A block of a sweep: fixed values and axes, and anything that is computed once per distinct value of an axis.

A study of 100,000 runs has a few hundred distinct values. What depends on some fields only is tabulated over the
axes among these fields, and runs pick their entry by index.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.config.fields import FACTORS, Part, Values
from mlpjit.config.identity import IDENTITY, digest
from mlpjit.tuning.ranges import Range

NAMED = ("dataset", "activation", "init", "optimizer", "wrapper", "schedule", "clip")  # columns of names


@dataclass(frozen=True)
class Axis:
    """Values of some fields that change together, of one field in a grid and of several in joint draws.

    `given` is what a study file says of each field, `ranges` what is drawn of it: a field, or "optimizer.b1".
    """

    fields: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    given: Mapping[str, Any]
    ranges: Mapping[str, Range] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, values: Sequence[Any], given: Any = None) -> Axis:
        """Return the axis of one field."""
        return cls((name,), tuple((value,) for value in values), {name: list(values) if given is None else given})

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> list[Any]:
        """Return the distinct values of one of its fields, in order."""
        at = self.fields.index(name)
        return list(dict.fromkeys(entry[at] for entry in self.values))

    def touches(self, fields: Sequence[str]) -> bool:
        """Whether any of its fields is among these."""
        return any(name in fields for name in self.fields)


@dataclass(frozen=True)
class Tuned:
    """A spec that is a setting: its competitor, as a value with the defaults of what is tuned, and what is tuned."""

    untuned: Any
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Block:
    """The cartesian product of `axes`, the last one fastest, over `fixed` values.

    `place` names the block in messages. `tuned` has, by field, the specs that are settings of one competitor by what is
    tuned in them; `draws` counts the joint draws.
    """

    fixed: dict[str, Any]
    axes: tuple[Axis, ...] = ()
    place: str = ""
    tuned: Mapping[str, Mapping[Any, Tuned]] = field(default_factory=dict)
    draws: int = 0

    def __len__(self) -> int:
        return math.prod(len(axis) for axis in self.axes)

    def values(self, index: int) -> dict[str, Any]:
        """Return all values of one run of the block."""
        chosen = dict(self.fixed)
        for length, values, fields in self._backwards:
            index, position = divmod(index, length)
            if len(fields) == 1:
                chosen[fields[0]] = values[position][0]
            else:
                chosen.update(zip(fields, values[position], strict=True))
        return chosen

    @cached_property
    def _backwards(self) -> list[tuple[int, tuple[tuple[Any, ...], ...], tuple[str, ...]]]:
        """The length, values and fields of each axis, the last one first: `values` is asked for every run."""
        return [(len(axis), axis.values, axis.fields) for axis in reversed(self.axes)]

    def combinations(self, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield complete values for every distinct combination of the axes among `fields`, the rest at their first."""
        first = {name: value for axis in self.axes for name, value in zip(axis.fields, axis.values[0], strict=True)}
        touched = [axis for axis in self.axes if axis.touches(fields)]
        names = [name for axis in touched for name in axis.fields]
        for chosen in itertools.product(*(axis.values for axis in touched)):
            yield {**self.fixed, **first, **dict(zip(names, itertools.chain(*chosen), strict=True))}

    def positions(self, fields: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return, for every run of the block, the index of its combination in `combinations(fields)`."""
        index = np.arange(len(self), dtype=np.intp)
        position = np.zeros(len(self), dtype=np.intp)
        stride = len(self)
        for axis in self.axes:
            stride //= len(axis)
            if axis.touches(fields):
                position = position * len(axis) + index // stride % len(axis)
        return position

    @property
    def swept(self) -> tuple[str, ...]:
        """The fields that have an axis."""
        return tuple(name for axis in self.axes for name in axis.fields)

    def axis_values(self, name: str) -> list[Any]:
        """Return the distinct values of a field: of its axis, or the fixed one."""
        found = [axis.column(name) for axis in self.axes if name in axis.fields]
        return found[0] if found else [self.fixed[name]] if name in self.fixed else []

    def untuned(self, name: str, value: Any) -> Any:
        """Return a field's value, of a tuned spec the one that names its competitor."""
        found = self.tuned.get(name, {}).get(value)
        return value if found is None else found.untuned

    def as_untuned(self, values: Values) -> dict[str, Any]:
        """Return values with every tuned spec as its competitor is named."""
        return {**values, **{name: self.untuned(name, values[name]) for name in self.tuned}}

    def canonical(self) -> dict[str, Any]:
        """Return the block as plain data: its axes as a study file has them, and the ranges of what is drawn."""
        axes = {name: given for axis in self.axes for name, given in axis.given.items()}
        found = {"fixed": self.fixed, "axes": axes}
        if not self.draws:
            return found
        ranges = {name: drawn.given for axis in self.axes for name, drawn in axis.ranges.items()}
        return {**found, "draws": self.draws, "ranges": ranges, "competitors": self._competitors()}

    def _competitors(self) -> dict[str, list[Any]]:
        """Return by column who is in the block, tuned specs by their competitors: its ranges are theirs."""
        return {
            column: sorted({part.value(self.as_untuned(values)) for values in self.combinations(part.fields)})
            for column, part in FACTORS.items() if column in NAMED
        }  # fmt: skip

    def touches(self, fields: Sequence[str]) -> bool:
        """Whether any axis is among the fields."""
        return any(axis.touches(fields) for axis in self.axes)

    def column(self, part: Part) -> list[Any]:
        """Return the part's value for every run."""
        table = np.empty(math.prod(len(axis) for axis in self.axes if axis.touches(part.fields)), dtype=object)
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
