"""Runs in worker processes: what a user wrote may crash or hang one, which ends that run and no other.

`Workers.runner` is a `Runner` for the thread pool: each of its threads drives a process of its own, to which configs
go as pickles and from which results come back. Progress and the stop flag are in memory that both sides map.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending.files import Entry, OwnFile
from mlpjit.extending.findings import RuleError
from mlpjit.extending.told import Told, register
from mlpjit.kernels.tables import CONTROL
from mlpjit.study import worker as processes
from mlpjit.study.pool import STOP_SECONDS, Overdue, Runner, Tell, TimeLimits, Unfinished
from mlpjit.study.serving import WorkerError
from mlpjit.study.worker import Worker, WorkerCrashed, WorkerOverdue, within
from mlpjit.training import shape
from mlpjit.training.cost import most_at_once
from mlpjit.training.result import Control, Results

if TYPE_CHECKING:
    from mlpjit.models.learned import Learned

MOST_SECONDS = 120.0  # for checks, and for one thing to be compiled: a few
GRACE_SECONDS = 1.0  # for a run to end by itself when its time is up
Files = Sequence[OwnFile]


def read(path: Path | str) -> OwnFile:
    """Have a worker read a user's file and register what it tells; ConfigError in one line where it cannot.

    None of the file's code is run in this process.
    """
    path = Path(path)
    try:
        with Workers(()) as workers, workers.one() as worker:
            found: Told = worker.call("read", str(path.absolute()), watch=within(processes.LOAD_SECONDS))
    except WorkerOverdue:
        raise ConfigError(
            f"{path.name}: still runs after {processes.LOAD_SECONDS:g} s: need a file that ends"
        ) from None
    except WorkerCrashed as error:
        raise ConfigError(f"{path.name}: {error} while the file was read") from None
    except WorkerError as error:
        raise ConfigError(f"{path.name}: {error}") from None
    return register(path, found)


class Workers:
    """Worker processes, made when they are needed; each serves one call at a time."""

    def __init__(self, files: Files) -> None:
        self.files = [(str(file.path.resolve()), file.digest, _hashes(file)) for file in files]
        self._free: list[Worker] = []
        self._lock = threading.Lock()
        self._closed = False
        # Where the thread that started a process ends, the kernel takes its parent for dead (`serving._end_with`).
        self._starter = ThreadPoolExecutor(1, "worker starter")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """Lend a worker; one that has ended is not taken back."""
        with self._lock:
            worker = self._free.pop() if self._free else None
        worker = worker or self._starter.submit(Worker, self.files).result()
        if self._closed:
            worker.end()
            raise Unfinished
        try:
            yield worker
        finally:
            if worker.process.poll() is None:
                with self._lock:
                    self._free.append(worker)

    def runner(self) -> Runner:
        """Return the runner of a sweep that makes its runs here."""
        return Runner(self.execute, self.prepare, self.measure_step, most_at_once, keeps_time=True)

    def execute(self, configs: Sequence[RunConfig], control: Control) -> Results:
        """Make runs that differ in their rate and seeds alone, in one worker.

        Raises Overdue where one hangs beyond its time limit, Unfinished where one goes on though it was stopped.
        """
        if control.array[CONTROL.all]:
            raise Unfinished
        with self.one() as worker:
            _share(control, worker)
            control.expect(len(configs), shape.total_steps(configs[0]))
            try:
                made: Results = worker.call("execute", list(configs), watch=_Watch(configs, control, worker))
                return made
            finally:
                control.array = worker.control.copy()  # the worker's is for who comes next

    def learn(self, config: RunConfig) -> Learned:
        """Make a run alone, to take its model away. Raises Overdue where it hangs beyond its time limit."""
        control = Control()
        with self.one() as worker:
            _share(control, worker)
            made: Learned = worker.call("learn", config, watch=_Watch([config], control, worker))
            return made

    def prepare(self, configs: Sequence[RunConfig], tell: Tell) -> float:
        """Compile or load what these runs need, in one worker, untold; the others load it from disk."""
        with self.one() as worker:
            return float(worker.call("prepare", list(configs), watch=within(len(configs) * MOST_SECONDS)))

    def measure_step(self, config: RunConfig, repeats: int) -> dict[str, Any]:
        """Time training steps alone."""
        with self.one() as worker:
            measured: dict[str, Any] = worker.call("measure_step", config, repeats, watch=within(MOST_SECONDS))
            return measured

    def check(self, entries: Sequence[Entry], dtypes: Sequence[str]) -> None:
        """Have entries checked before any run; ConfigError with the first thing wrong with each of them."""
        try:
            with self.one() as worker:
                found = worker.call("check", list(entries), list(dtypes), watch=within(MOST_SECONDS))
        except (WorkerCrashed, WorkerError) as error:
            told = ", ".join(name for _, name in entries)
            raise ConfigError(f"{told}: {error} on harmless numbers") from None
        if found:
            raise RuleError(found)

    def close(self) -> None:
        """End all processes; one that is being started ends as soon as it can be used."""
        self._closed = True
        while self._free:
            self._free.pop().end()
        self._starter.shutdown(wait=False)


class _Watch:
    """Ends runs whose time is up, by their flag and then by force; and those that a stop does not end."""

    def __init__(self, configs: Sequence[RunConfig], control: Control, worker: Worker) -> None:
        self.limits, self.control, self.worker = TimeLimits([c.timeout for c in configs]), control, worker
        self.compiled, self.stopped = within(MOST_SECONDS), 0.0

    def __call__(self) -> None:
        if self.control.array[CONTROL.all]:
            self.stopped = self.stopped or time.monotonic()
            if time.monotonic() - self.stopped > STOP_SECONDS / 2:
                raise Unfinished
        if not self.worker.begun[0]:
            self.limits.since = time.monotonic()
            self.compiled()
        elif self.limits.end_overdue(self.control) > GRACE_SECONDS:
            raise Overdue


def _hashes(file: OwnFile) -> dict[Entry, str]:
    """Return the source hash of each of a file's entries, as runs are named by them."""
    return {(kind, name): REGISTRIES[kind][name].source_hash() for kind, name in file.entries}


def _share(control: Control, worker: Worker) -> None:
    """Have a control watch and stop the runs of a worker; a stop that came before is kept."""
    own: np.ndarray = control.array
    worker.control[:], worker.begun[0] = own, 0
    control.array = worker.control
    if own[CONTROL.all]:
        control.stop()


@contextmanager
def working(files: Files) -> Iterator[Workers]:
    """Lend workers that load these files."""
    with Workers(files) as workers:
        yield workers
