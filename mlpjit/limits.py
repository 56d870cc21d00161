"""What a parameter of a catalogue entry may be, so that a wrong one is told before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

INFINITY = math.inf


@dataclass(frozen=True)
class Limits:
    """Numbers from `low` to `high`, ends included unless `above` (then low is not), and the names that stand for one.

    For a list they hold for each of its items.
    """

    low: float = -INFINITY
    high: float = INFINITY
    above: bool = False
    names: tuple[str, ...] = ()

    @property
    def takes_numbers(self) -> bool:
        """Whether any number lies within."""
        return self.low <= self.high

    @property
    def needed(self) -> str:
        """The end of the sentence `got -1, need ...`."""
        lowest = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        number = lowest if self.high == INFINITY else f"{lowest} and at most {self.high:g}"
        return " or ".join([*map(repr, self.names), *([number] if self.takes_numbers else [])])

    def holds(self, value: Any) -> bool:
        """Say whether a number, or every number of a tuple, lies within."""
        items = value if isinstance(value, tuple) else (value,)
        return all(self.low <= item <= self.high and not (self.above and item == self.low) for item in items)


def at_least(low: float, high: float = INFINITY, *, names: tuple[str, ...] = ()) -> Limits:
    """Return the limits low <= value <= high, or a name."""
    return Limits(low, high, names=names)


def above(low: float, high: float = INFINITY, *, names: tuple[str, ...] = ()) -> Limits:
    """Return the limits low < value <= high, or a name."""
    return Limits(low, high, above=True, names=names)


def one_of(*names: str) -> Limits:
    """Return limits that no number keeps: one of these names."""
    return Limits(low=INFINITY, high=-INFINITY, names=names)
