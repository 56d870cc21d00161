"""The clock of every side: the time that the process has a core, so that other work on the machine is not counted.

Sides run in one thread on one core: when nothing else runs there, this is the time on the wall, which is kept too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """Seconds of a core, and seconds on the wall."""

    core: float
    wall: float


# One timed run of a task: what it took, and the mean training loss of each epoch.
Once = Callable[[], tuple[Spent, list[float]]]


def clocked(work: Callable[[], Any]) -> tuple[Spent, Any]:
    """Do the work; return what it took and what it returned."""
    wall, core = time.perf_counter(), time.process_time()
    done = work()
    return Spent(time.process_time() - core, time.perf_counter() - wall), done
