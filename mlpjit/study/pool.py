"""Many runs at once on a pool of threads: a run releases the GIL for all of its work."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.host import available_threads
from mlpjit.training.result import Control

Tell = Callable[[int, int, str], None]
POLL_SECONDS = 0.05
# The thread that counts what has ended is woken for many small runs at once: each time it takes the GIL from one.
GATHER_SECONDS = 0.01
MOST_THREADS = 1024


@dataclass(frozen=True)
class Runner:
    """What makes runs. `execute(config, control)` blocks; `prepare(configs, tell)` compiles and returns seconds.

    `tell(done, total, what)` hears of what is compiled.
    """

    execute: Callable[[RunConfig, Control], Any]
    prepare: Callable[[Sequence[RunConfig], Tell], float]
    measure_step: Callable[[RunConfig, int], dict[str, Any]]


def compiled_runner() -> Runner:
    """Return the runner that trains with the compiled kernels."""
    from mlpjit.training.run import execute, measure_step
    from mlpjit.training.warm import prepare

    return Runner(execute, prepare, measure_step)


def thread_count(asked: int | None) -> int:
    """Return the number of threads to use; ConfigError unless it is positive, and no more than a machine bears."""
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ConfigError(f"threads: got {asked}, need a whole number from 1 up to {MOST_THREADS}")
    return asked or available_threads()


@dataclass(frozen=True)
class Task:
    """A run to make; `index` tells the caller which."""

    index: int
    config: RunConfig
    cost: float


@dataclass(frozen=True)
class Ended:
    """A run that ended: its result, or the error that ended it, or neither when its time was up."""

    task: Task
    started_at: str
    finished_at: str
    result: Any = None
    error: str | None = None
    timed_out: bool = False


@dataclass
class _Running:
    task: Task
    control: Control
    since: float = field(default_factory=time.monotonic)
    timed_out: bool = False


def now() -> str:
    """Return the time in UTC as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class ThreadPool:
    """Runs tasks in their order on N threads; a task is taken when a thread is free."""

    def __init__(self, runner: Runner, threads: int, finish: Callable[[Ended], Any]) -> None:
        self.runner = runner
        self.threads = threads
        self.finish = finish  # called in the run's own thread, so that encoding results is shared out too
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: dict[int, _Running] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, tasks: Iterable[Task], stop: threading.Event, poll: Callable[[float], None]) -> Iterator[Any]:
        """Yield finish(ended) of every task as it ends; once `stop` is set, of those that ended by themselves.

        `poll` is called every now and then with the cost spent on the runs under way.
        """
        source = iter(tasks)
        workers = [threading.Thread(target=self._work, args=(source,), daemon=True) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        try:
            yield from self._results(workers, stop, poll)
        finally:
            self._stop_all()
            for worker in workers:
                worker.join()

    def _results(
        self, workers: list[threading.Thread], stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        while any(worker.is_alive() for worker in workers) or not self._ended.empty():
            yield from self._gathered()
            if stop.is_set():
                self._stop_all()
            self._end_overdue()
            poll(self._cost_spent())

    def _gathered(self) -> Iterator[Any]:
        """Yield what has ended, after a moment in which more may; nothing when that takes too long."""
        ended: list[Any] = []
        with suppress(queue.Empty):
            ended.append(self._ended.get(timeout=POLL_SECONDS))
            time.sleep(GATHER_SECONDS)
            while True:
                ended.append(self._ended.get_nowait())
        for each in ended:
            if isinstance(each, Exception):
                raise each
            yield each

    def _stop_all(self) -> None:
        self._stop.set()
        with self._lock:
            for running in self._running.values():
                running.control.stop()

    def _end_overdue(self) -> None:
        with self._lock:
            for running in self._running.values():
                limit = running.task.config.timeout
                if limit is not None and time.monotonic() - running.since > limit:
                    running.timed_out = True
                    running.control.stop()

    def _cost_spent(self) -> float:
        with self._lock:
            running = list(self._running.values())
        parts = [(each.task.cost, *each.control.progress()) for each in running]
        return sum(cost * done / total for cost, done, total in parts if total)

    def _next(self, source: Iterator[Task]) -> _Running | None:
        with self._lock:
            task = None if self._stop.is_set() else next(source, None)
            if task is None:
                return None
            running = self._running[task.index] = _Running(task, Control())
            return running

    def _work(self, source: Iterator[Task]) -> None:
        try:
            while running := self._next(source):
                ended = self._execute(running)
                if ended is not None:
                    self._ended.put(self.finish(ended))
        except Exception as error:  # of ours, not of a run: the sweep must not wait for this thread's runs
            self._ended.put(error)

    def _execute(self, running: _Running) -> Ended | None:
        """Make one run; None when it was stopped because the sweep ends."""
        started, result, error = now(), None, None
        try:
            result = self.runner.execute(running.task.config, running.control)
        except Exception as raised:
            error = " ".join(f"{type(raised).__name__}: {raised}".split())
        with self._lock:
            del self._running[running.task.index]
        stopped = result is not None and result.status == "stopped"
        if stopped and not running.timed_out:
            return None
        return Ended(running.task, started, now(), None if stopped else result, error, stopped)
