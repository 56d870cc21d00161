"""Statistics of a comparison: from one number a launch to an estimate, its interval and its corrected p-value.

A launch is the unit that is independent: code and arrays stay where they are while a process lives, and that alone
moves some kernels by 5 %. What a launch says of a case is log(time after / time before).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRIMMED = 0.125  # of the launches at each end: one of eight
POWER = 0.8


@dataclass(frozen=True)
class Estimate:
    """log(after / before): trimmed mean over launches, its standard error, degrees of freedom."""

    center: float
    error: float
    freedom: int

    def p_value(self, margin: float) -> float:
        """Return the probability, at most, of so large a change if the true one were no larger than `margin`."""
        beyond = abs(self.center) - margin
        if beyond <= 0.0:
            return 1.0
        return 2.0 * t_tail(beyond / self.error, self.freedom) if self.error > 0.0 else 0.0

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the two-sided interval of that confidence, for this case alone."""
        reach = t_quantile(0.5 * (1.0 - confidence), self.freedom) * self.error
        return self.center - reach, self.center + reach

    def after(self, launches: int) -> Estimate:
        """Return what is to be expected of so many launches, when these many gave this error."""
        kept, given = (count - 2 * int(TRIMMED * count) for count in (launches, self.freedom + 1))
        return Estimate(self.center, self.error * math.sqrt(given / kept), max(1, kept - 1))

    def seen(self, margin: float, threshold: float, alpha: float) -> float:
        """Return the change that such launches find in four of five comparisons, |log(after / before)|.

        It must get beyond the threshold and the p-value's bound even where chance takes some of it away.
        """
        needed = max(threshold, margin + t_quantile(0.5 * alpha, self.freedom) * self.error)
        return needed + t_quantile(1.0 - POWER, self.freedom) * self.error


def estimate(values: Sequence[float]) -> Estimate:
    """Return the trimmed mean of at least 2 values and its winsorized error (Yuen 1974, Biometrika 61)."""
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered)
    cut = int(TRIMMED * count)
    kept = count - 2 * cut
    winsorized = np.clip(ordered, ordered[cut], ordered[count - 1 - cut])
    squares = float(((winsorized - winsorized.mean()) ** 2).sum())
    error = math.sqrt(squares / (kept * (kept - 1))) if kept > 1 else math.inf
    return Estimate(float(ordered[cut : count - cut].mean()), error, max(1, kept - 1))


def t_tail(t: float, freedom: int) -> float:
    """Return P(T > t), t >= 0, of Student's t by its finite sums (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    total, term = 0.0, cosine if freedom % 2 else 1.0
    for k in range(3 if freedom % 2 else 2, freedom + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    inside = 2.0 / math.pi * (angle + sine * total) if freedom % 2 else sine * total
    return max(0.5 * (1.0 - inside), 0.0)


def t_quantile(tail: float, freedom: int) -> float:
    """Return the t whose upper tail holds `tail`, 0 < tail < 1/2."""
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > tail:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if t_tail(middle, freedom) > tail else (low, middle)
    return high


def holm(p_values: dict[str, float], family: int = 0) -> dict[str, float]:
    """Return p-values corrected for their number, or that of a family whose others have p = 1.

    Holm 1979, Scandinavian Journal of Statistics 6.
    """
    corrected, worst, count = {}, 0.0, max(family, len(p_values))
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (count - place) * p_values[name]))
        corrected[name] = worst
    return corrected
