"""Ticks of an axis and how they are written, for charts and figures alike."""

from __future__ import annotations

import math
from collections.abc import Iterable


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` round numbers in low..high, for a logarithmic axis."""
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [
            d * 10.0**e
            for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            for d in digits
            if low * 0.999 <= d * 10.0**e <= high * 1.001
        ]
        if len(found) <= most:
            return found if len(found) > 1 else [low, high]
    return found[:: math.ceil(len(found) / most)]


def tick_name(value: float) -> str:
    """Format a tick: 0.01, 5, 200, 1e-4."""
    text = f"{value:.2g}" if value < 100 else f"{value:g}"
    if 0 < abs(value) < 0.001:
        text = f"{value:.1e}".replace(".0e", "e")
    return text.replace("e-0", "e-").replace("e+0", "e")


def log_limits(values: Iterable[float], margin: float = 0.06) -> tuple[float, float]:
    """Return limits around the positive finite values with a margin in decades; (0.1, 1) without any."""
    finite = [value for value in values if 0 < value < math.inf]
    if not finite:
        return 0.1, 1.0
    low, high = math.log10(min(finite)), math.log10(max(finite))
    pad = max((high - low) * margin, 0.03)
    return 10 ** (low - pad), 10 ** (high + pad)
