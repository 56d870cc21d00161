"""Ranges that settings are drawn from: {log = [1e-4, 1e-1]}, {uniform = [0, 0.5]}, {one_minus_log = [0.9, 0.999]}."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlpjit.bounds import is_finite
from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion

DIGITS = 3  # of a drawn value: texts, ids and tables stay short, and a range has hundreds of values still
OUTER = 0.1  # the share of a range at each end that is its edge


@dataclass(frozen=True)
class Scale:
    """How a range is evenly divided: `measure` takes a value to the axis on which draws are uniform, `value` back."""

    measure: Callable[[float], float]
    value: Callable[[float], float]
    holds: Callable[[float], bool]
    needed: str


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _power(exponent: float) -> float:
    return _short(10.0**exponent)


SCALES: dict[str, Scale] = {
    "log": Scale(math.log10, _power, lambda x: x > 0, "two numbers above 0"),
    "uniform": Scale(float, _short, is_finite, "two numbers"),
    # Of what is near 1, as the weight of a mean, 1 - x is what counts: 0.9, 0.99, 0.999.
    "one_minus_log": Scale(
        lambda x: -math.log10(1.0 - x), lambda m: round(1.0 - _power(-m), 12), lambda x: 0 <= x < 1,
        "two numbers from 0 up and below 1",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Range:
    """The values from `low` to `high`, evenly spread on their scale."""

    scale: str
    low: float
    high: float

    @property
    def given(self) -> dict[str, list[float]]:
        """The range as a study has it."""
        return {self.scale: [self.low, self.high]}

    def at(self, share: float) -> float:
        """Return the value at a share of the range, 0 its lower and 1 its upper end, rounded to three digits.

        An end is met exactly; nothing lies beyond it.
        """
        scale = SCALES[self.scale]
        low, high = scale.measure(self.low), scale.measure(self.high)
        return min(max(scale.value(low + share * (high - low)), self.low), self.high)

    def edge(self, value: float) -> str:
        """Return "low" or "high" for a value in the outer tenth of the range, else nothing."""
        measure = SCALES[self.scale].measure
        low, high = measure(self.low), measure(self.high)
        share = (measure(value) - low) / (high - low)
        return "low" if share < OUTER else "high" if share > 1.0 - OUTER else ""


def is_range(entry: Any) -> bool:
    """Whether an entry of a study means a range: a table that names no record."""
    return isinstance(entry, Mapping) and "name" not in entry


def parse_range(entry: Mapping[str, Any]) -> Range:
    """Return a range; ConfigError for another scale, or ends that it cannot have."""
    if len(entry) != 1:
        raise ConfigError(f"got {dict(entry)!r}, need one scale with two ends, as {{log = [1e-4, 1e-1]}}")
    (name, ends), *_ = entry.items()
    if name not in SCALES:
        raise ConfigError(f"unknown scale {name!r}{suggestion(str(name), SCALES)}")
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(map(_is_end(name), ends)) or ends[0] >= ends[1]:
        raise ConfigError(f"got {dict(entry)!r}, need {SCALES[name].needed}, the lower one first")
    return Range(name, ends[0], ends[1])


def _is_end(scale: str) -> Callable[[Any], bool]:
    return lambda end: (
        isinstance(end, int | float) and not isinstance(end, bool) and is_finite(end) and SCALES[scale].holds(end)
    )
