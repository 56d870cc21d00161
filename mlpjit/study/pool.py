"""Many runs at once on a pool of threads, each of which makes some of one kind by one call that releases the GIL."""

from __future__ import annotations

import gc
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.host import available_threads
from mlpjit.kernels.tables import CONTROL
from mlpjit.study.chunks import Chunks, Task, configs_of
from mlpjit.study.moments import now, text_of, texts_of
from mlpjit.study.signals import abandoned
from mlpjit.training.result import Control, Results

Tell = Callable[[int, int, str], None]
POLL_SECONDS = 0.05
# The thread that counts what has ended is woken for many small runs at once: each time it takes the GIL from one.
GATHER_SECONDS = 0.01
LONGEST_SECONDS = 0.2  # no other run is begun by a call that has taken so long
MOST_THREADS = 1024
STOP_SECONDS = 1.0  # for runs to end by themselves once they are told to


class Overdue(Exception):
    """A run that its time limit did not end was ended by force."""


class Unfinished(Exception):
    """Runs were ended by force after a stop, and leave nothing."""


@dataclass(frozen=True)
class Runner:
    """What makes runs. `prepare(configs, tell)` compiles and returns seconds; `tell` hears of each thing it prepares.

    `execute(configs, control)` blocks and returns the results of those that ended, the first ones: they differ in their
    rate and seeds alone, and are at most `most(config)`, of which `beside(config)` are made side by side.
    `tell(done, total, what)`.
    """

    execute: Callable[[Sequence[RunConfig], Control], Results]
    prepare: Callable[[Sequence[RunConfig], Tell], float]
    measure_step: Callable[[RunConfig, int], dict[str, Any]]
    most: Callable[[RunConfig], int] = lambda config: 1
    beside: Callable[[RunConfig], int] = lambda config: 1
    at_once: tuple[str, str] = ("threads", "{}")  # the option, and its value, by which a user says how many
    keeps_time: bool = False  # `execute` ends the runs whose time is up, by a clock that leaves its own start out

    def pool(self, threads: int, finish: Callable[[Ended], Any]) -> Pool:
        """Return what makes many runs at once; `finish` is called with what has ended."""
        return ThreadPool(self, threads, finish)


def compiled_runner() -> Runner:
    """Return the runner that trains with the compiled kernels."""
    from mlpjit.training.chunk import make
    from mlpjit.training.cost import most_at_once
    from mlpjit.training.lanes import beside
    from mlpjit.training.run import measure_step
    from mlpjit.training.warm import prepare

    return Runner(make, prepare, measure_step, most_at_once, beside)


def thread_count(asked: int | None) -> int:
    """Return the number of threads to use; ConfigError unless it is positive, and no more than a machine bears."""
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ConfigError(f"threads: got {asked}, need a whole number from 1 up to {MOST_THREADS}")
    return asked or available_threads()


@dataclass(frozen=True)
class Ended:
    """Runs that ended in one way: with results, with the error that ended them, or because their time was up.

    `machine` has the host columns of where that was, nothing where it was here.
    """

    tasks: Sequence[Task]
    started_at: Sequence[str]
    finished_at: Sequence[str]
    results: Results | None = None
    error: str | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def timed_out(self) -> bool:
        """Whether their time was up."""
        return self.results is None and self.error is None

    def among(self, places: Sequence[int]) -> Ended:
        """Return some of them."""
        tasks = [self.tasks[place] for place in places]
        started, finished = [self.started_at[place] for place in places], [self.finished_at[place] for place in places]
        results = self.results and self.results.among(places)
        return replace(self, tasks=tasks, started_at=started, finished_at=finished, results=results)


class Pool(Protocol):
    """Runs tasks, many at once."""

    def run(
        self, tasks: Iterable[Task], cost: float, stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        """Yield what `finish` made of tasks as they end; once `stop` is set, of those that ended by themselves.

        cost: of all tasks. `poll` is called every now and then with the cost spent on the runs under way.
        """
        ...


class TimeLimits:
    """The time limits of runs that are made one after the other; the clock of each begins when the one before ends."""

    def __init__(self, limits: Sequence[float | None]) -> None:
        self.limits, self.place, self.since = limits, 0, time.monotonic()

    def end_overdue(self, control: Control) -> float:
        """Have the run under way end if its time is up; return for how many seconds it has been."""
        place = control.ended
        if place != self.place:
            self.place, self.since = place, time.monotonic()
        limit = self.limits[place] if place < len(self.limits) else None
        over = 0.0 if limit is None else time.monotonic() - self.since - limit
        if over > 0.0:
            control.leave(place)
        return over


@dataclass(eq=False)
class _Running:
    """Runs that a thread makes, and since when it makes which of them."""

    tasks: Sequence[Task]
    control: Control = field(default_factory=Control)

    def __post_init__(self) -> None:
        self.limits = TimeLimits([task.like.timeout for task in self.tasks])

    def cost_spent(self) -> float:
        """Return the cost of what is done of them."""
        done, total = self.control.progress()
        return sum(task.cost for task in self.tasks) * done / total if total else 0.0


class ThreadPool:
    """Runs tasks in their order on N threads; a thread that is free takes as many of one group as are worth a call."""

    def __init__(self, runner: Runner, threads: int, finish: Callable[[Ended], Any]) -> None:
        self.runner = runner
        self.threads = threads
        self.finish = finish  # called in the runs' own thread, so that encoding results is shared out too
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: set[_Running] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._until = math.inf

    def run(
        self, tasks: Iterable[Task], cost: float, stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        """See `Pool.run`."""
        chunks = Chunks(tasks, cost, self.threads, self.runner.most, self.runner.beside)
        workers = [threading.Thread(target=self._work, args=(chunks,), daemon=True) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        gc.freeze()  # what is planned is no garbage: to look through it again and again took a tenth of small runs
        try:
            yield from self._results(workers, stop, poll)
        finally:
            gc.unfreeze()
            self._stop_all()
            self._join(workers)

    def _results(
        self, workers: list[threading.Thread], stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        while any(worker.is_alive() for worker in workers) or not self._ended.empty():
            yield from self._gathered()
            if stop.is_set():
                self._stop_all()
            if self._left() == 0.0:
                return
            with self._lock:
                running = list(self._running)
            for each in [] if self.runner.keeps_time else running:
                each.limits.end_overdue(each.control)
            poll(sum(each.cost_spent() for each in running))

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

    def _left(self) -> float:
        """Return how long the threads may still take: a step on a large batch is not waited for after a stop."""
        return max(0.0, self._until - time.monotonic())

    def _join(self, workers: list[threading.Thread]) -> None:
        for worker in workers:
            worker.join(self._left())
        abandoned.extend(worker for worker in workers if worker.is_alive())

    def _stop_all(self) -> None:
        if not self._stop.is_set():
            self._until = time.monotonic() + STOP_SECONDS
        self._stop.set()
        with self._lock:
            for running in self._running:
                running.control.stop()

    def _work(self, chunks: Chunks) -> None:
        try:
            while tasks := self._next(chunks):
                began = time.monotonic()
                made = self._execute(tasks)
                chunks.made(tasks, made, time.monotonic() - began)
        except Exception as error:  # of ours, not of a run: the sweep must not wait for this thread's runs
            self._ended.put(error)

    def _next(self, chunks: Chunks) -> list[Task]:
        return [] if self._stop.is_set() else chunks.take()

    def _execute(self, tasks: list[Task]) -> int:
        """Make runs; return how many have ended. Where one fails, each is made alone."""
        started, wall = datetime.now(UTC), time.monotonic()
        try:
            made, control = self._made(tasks)
        except Exception as raised:
            if self._stop.is_set() or isinstance(raised, Unfinished):
                return 0
            if len(tasks) > 1:
                return sum(self._execute([task]) for task in tasks)
            if isinstance(raised, Overdue):
                self._ended.put(self.finish(Ended(tasks, [text_of(started)], [now()])))
                return 1
            error = " ".join(f"{type(raised).__name__}: {raised}".split())
            self._ended.put(self.finish(Ended(tasks, [text_of(started)], [now()], error=error)))
            return 1
        self._tell(tasks, made, control, started, time.monotonic() - wall)
        return len(made)

    def _made(self, tasks: list[Task]) -> tuple[Results, Control]:
        running = _Running(tasks)
        running.control.limit(LONGEST_SECONDS)
        with self._lock:
            if self._stop.is_set():
                running.control.stop()
            self._running.add(running)
        try:
            return self.runner.execute(configs_of(tasks), running.control), running.control
        finally:
            with self._lock:
                self._running.remove(running)

    def _tell(self, tasks: list[Task], made: Results, control: Control, started: datetime, seconds: float) -> None:
        """Finish the runs that ended, those whose time was up apart."""
        count = len(made)
        offsets = made.times - made.times[:1, :1] if made.times.any() else np.tile((0.0, seconds), (count, 1))
        begun, ended = texts_of(started, offsets)
        whole = Ended(tasks[:count], begun, ended, made)
        cut = [place for place, state in enumerate(made.states) if state == "stopped"]
        if not cut:
            finished = [whole] if count else []
        else:
            rest = [place for place in range(count) if place not in cut]
            late = [] if control.array[CONTROL.all] else [replace(whole.among([i]), results=None) for i in cut]
            finished = [*([whole.among(rest)] if rest else []), *late]
        for each in finished:
            self._ended.put(self.finish(each))
