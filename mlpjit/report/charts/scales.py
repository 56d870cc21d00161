"""Scales: from numbers to places, linear or logarithmic, with few and plainly written ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.report.ticks import log_ticks, tick_name


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, its ticks with their names, and what it measures."""

    low: float
    high: float
    ticks: Sequence[float]
    names: Sequence[str]
    title: str = ""
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value stands between the ends, 0 to 1; what lies beyond stands at the end."""
        if math.isnan(value):
            return 0.0
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(inside / self.low) / math.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)

    def place(self, value: float, start: float, stop: float) -> float:
        """Return the coordinate of a value on an axis drawn from start to stop."""
        return start + (stop - start) * self.share(value)


def linear(low: float, high: float, title: str = "", most: int = 6) -> Scale:
    """Return a linear scale over low..high with round ticks."""
    low, high = (low, high) if high > low else (low - 1, low + 1)
    ticks = round_ticks(low, high, most)
    return Scale(low, high, ticks, [_plain(tick) for tick in ticks], title)


def logarithmic(low: float, high: float, title: str = "", most: int = 5) -> Scale:
    """Return a logarithmic scale over low..high, both above 0."""
    ticks = log_ticks(low, high, most)
    return Scale(low, high, ticks, [tick_name(tick) for tick in ticks], title, logarithmic=True)


def like(one: Sequence[float], other: Sequence[float], scale: Scale) -> bool:
    """Whether two lines cannot be told from each other: nowhere further apart than a fiftieth of the axis."""
    return len(one) == len(other) and all(
        abs(scale.share(a) - scale.share(b)) < 0.02 for a, b in zip(one, other, strict=True)
    )


def fixed(values: Sequence[float], title: str = "", logs: bool = False, most: int = 9) -> Scale:
    """Return a scale whose ticks are the values themselves, at most so many, with a little room at both ends."""
    ordered = sorted(set(values))
    ticks = ordered[:: math.ceil(len(ordered) / most)]
    names = [tick_name(tick) for tick in ticks]
    if logs and ordered[0] > 0:
        room = max((ordered[-1] / ordered[0]) ** 0.06, 1.05)
        return Scale(ordered[0] / room, ordered[-1] * room, ticks, names, title, logarithmic=True)
    room = max((ordered[-1] - ordered[0]) * 0.06, 0.2)
    return Scale(ordered[0] - room, ordered[-1] + room, ticks, names, title)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` multiples of 1, 2 or 5 times a power of ten within low..high."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20):
        first = math.ceil(low / (step * factor) - 1e-9)
        last = math.floor(high / (step * factor) + 1e-9)
        if last - first < most:
            return [at * step * factor for at in range(first, last + 1)]
    return [low, high]


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
