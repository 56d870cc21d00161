"""Thread scaling: independent runs on one thread and on all, through the pool that a sweep uses."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from mlpjit.config.run_config import RunConfig
from mlpjit.measure.clock import Spread, spread
from mlpjit.study.chunks import Task
from mlpjit.study.pool import Ended, ThreadPool, compiled_runner
from mlpjit.training.run import measure_step
from mlpjit.training.shape import total_steps
from mlpjit.training.warm import prepare

WIDTHS = (16, 64, 256)
RUNS_PER_THREAD = 2


@dataclass(frozen=True)
class Scaling:
    """Runs a second of one network on one thread and on `threads`; `share` is of as many times one thread's rate."""

    network: str
    threads: int
    alone: Spread
    together: Spread
    share: Spread


def measure(threads: int, rounds: int, seconds: float = 0.1) -> list[Scaling]:
    """Time runs of about `seconds` each of 4 x 16, 4 x 64 and 4 x 256 tanh with Adam, 1 and `threads` at a time."""
    return [_network(width, threads, rounds, seconds) for width in WIDTHS]


def config(width: int, seconds: float) -> RunConfig:
    """Return a run on digits that trains for about so long."""
    one = RunConfig(dataset="digits", depth=4, width=width, activation="tanh", optimizer="adam", epochs=1)
    epoch = measure_step(one, 3)["step_seconds"] * total_steps(one)
    return one.model_copy(update={"epochs": max(1, round(seconds / epoch))})


def _network(width: int, threads: int, rounds: int, seconds: float) -> Scaling:
    settings = config(width, seconds)
    prepare([settings])
    alone, together = [], []
    for _ in range(rounds):
        alone.append(_rate(settings, 1, RUNS_PER_THREAD))
        together.append(_rate(settings, threads, RUNS_PER_THREAD * threads))
    shares = [b / a / threads for a, b in zip(alone, together, strict=True)]
    return Scaling(f"4x{width} tanh adam", threads, spread(alone), spread(together), spread(shares))


def _rate(settings: RunConfig, threads: int, runs: int) -> float:
    """Return runs a second with so many threads."""
    tasks = [Task(index, settings, 1.0, 0) for index in range(runs)]
    pool = ThreadPool(compiled_runner(), threads, _finish)
    start = time.perf_counter()
    ended: list[int] = list(pool.run(tasks, float(runs), threading.Event(), _ignore))
    return sum(ended) / (time.perf_counter() - start)


def _finish(ended: Ended) -> int:
    return len(ended.tasks)


def _ignore(cost: float) -> None:
    """Take no notice of how far the runs are."""
