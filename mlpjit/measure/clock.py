"""The clock: samples of a millisecond, taken in turns so that a slow moment of the machine hits both sides.

It counts the time this thread has a core, so that other work on the machine does not pass for ours. A share of a limit
is taken from neighbouring samples, then the median over rounds: it stays put where times do not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.measure.cases.work import Work
from mlpjit.statistics import quantiles

SAMPLE_SECONDS = 1e-3
MOST_REPEATS = 1 << 20


@dataclass(frozen=True)
class Spread:
    """A median between its quartiles."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return quartiles and median."""
    low, middle, high = quantiles.quartiles(values)
    return Spread(float(low), float(middle), float(high))


class Timed:
    """Work with as many repeats as make a sample of about `seconds`."""

    def __init__(self, work: Work, seconds: float = SAMPLE_SECONDS) -> None:
        self.work = work
        work.run(1)
        self.repeats = self._repeats(seconds)

    def _repeats(self, seconds: float) -> int:
        repeats = 1
        while repeats < MOST_REPEATS:
            took = self._clocked(repeats)
            if took >= seconds / 4:
                return max(1, round(repeats * seconds / took))
            repeats *= 4
        return repeats

    def _clocked(self, repeats: int) -> float:
        start = time.thread_time()
        self.work.run(repeats)
        return time.thread_time() - start

    def sample(self) -> float:
        """Return the seconds that one repeat takes of a core."""
        return self._clocked(self.repeats) / self.repeats
