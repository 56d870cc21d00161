"""Runs in worker processes: what a user wrote may crash one, which ends that run and no other.

`Workers.runner` is a `Runner` for the thread pool: each of its threads drives a process of its own, to which configs
go as pickles and from which results come back. Progress and the stop flag are in memory that both sides map.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.extending import files as optimizer_files
from mlpjit.kernels.tables import CONTROL
from mlpjit.study.pool import Runner, Tell
from mlpjit.training import shape
from mlpjit.training.cost import most_at_once
from mlpjit.training.result import Control, Results

CODE = "import mlpjit.study.workers; mlpjit.study.workers.main()"
MOST_SECONDS = 120  # for checks: compiling takes a few
Files = Sequence[tuple[str, str]]  # paths of users' files, each with the SHA-256 of its text


class WorkerCrashed(MlpjitError):
    """A worker process ended in the middle of a run."""


class Worker:
    """One process with the users' files loaded, and the memory that it shares with this one."""

    def __init__(self, files: Files) -> None:
        with tempfile.NamedTemporaryFile(prefix="mlpjit-control-") as shared:
            shared.truncate(len(CONTROL) * 8)
            self._map = mmap.mmap(shared.fileno(), len(CONTROL) * 8)
            self.control = np.frombuffer(self._map, np.int64)
            self.process = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            try:
                self.call(shared.name, list(files))
            except BaseException:
                self.close()
                raise

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what one of `CALLS` returns over there; raise what it raises, WorkerCrashed where the process ends."""
        self._send((name, arguments))
        return self._receive()

    def _send(self, message: Any) -> None:
        assert self.process.stdin
        try:
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
        except OSError:
            raise self._crashed() from None

    def _receive(self) -> Any:
        assert self.process.stdout
        try:
            result, error = pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._crashed() from None
        if error is not None:
            raise error
        return result

    def _crashed(self) -> WorkerCrashed:
        self.close()
        return WorkerCrashed(f"worker crashed ({how_it_ended(self.process.returncode)})")

    def close(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def how_it_ended(code: int) -> str:
    """Return the name of the signal that ended a process, or its exit code."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Workers:
    """Worker processes, made when they are needed; each serves one call at a time."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._free: list[Worker] = []
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """Lend a worker; one that has ended is not taken back."""
        with self._lock:
            worker = self._free.pop() if self._free else None
        worker = worker or Worker(self.files)
        try:
            yield worker
        finally:
            if worker.process.poll() is None:
                with self._lock:
                    self._free.append(worker)

    def runner(self) -> Runner:
        """Return the runner of a sweep that makes its runs here."""
        return Runner(self.execute, self.prepare, self.measure_step, most_at_once)

    def execute(self, configs: Sequence[RunConfig], control: Control) -> Results:
        """Make runs that differ in their rate and seeds alone, in one worker."""
        with self.one() as worker:
            _share(control, worker.control)
            control.expect(len(configs), shape.total_steps(configs[0]))
            made: Results = worker.call("execute", list(configs))
            return made

    def prepare(self, configs: Sequence[RunConfig], tell: Tell) -> float:
        """Compile or load what these runs need, in one worker, untold; the others load it from disk."""
        with self.one() as worker:
            return float(worker.call("prepare", list(configs)))

    def measure_step(self, config: RunConfig, repeats: int) -> dict[str, Any]:
        """Time training steps alone."""
        with self.one() as worker:
            measured: dict[str, Any] = worker.call("measure_step", config, repeats)
            return measured

    def check(self, names: Sequence[str], dtypes: Sequence[str]) -> None:
        """Have optimizers checked before any run; ConfigError with the first thing wrong with each of them."""
        with self.one() as worker:
            clock = threading.Timer(MOST_SECONDS, worker.process.kill)
            clock.start()
            try:
                found = worker.call("check", list(names), list(dtypes))
            except WorkerCrashed as error:
                late = f" after {MOST_SECONDS} s" if not clock.is_alive() else ""
                raise ConfigError(f"{', '.join(names)}: {error} on harmless numbers{late}") from None
            finally:
                clock.cancel()
        if found:
            raise ConfigError(found)

    def close(self) -> None:
        """End all processes."""
        while self._free:
            self._free.pop().close()


def _share(control: Control, shared: np.ndarray) -> None:
    """Have a control watch and stop the runs of a worker; a stop that came before is kept."""
    own = control.array
    shared[:] = own
    control.array = shared
    if own[CONTROL.all]:
        control.stop()


@contextmanager
def working(files: Files) -> Iterator[Workers]:
    """Lend workers that have loaded these files."""
    workers = Workers(files)
    try:
        yield workers
    finally:
        workers.close()


# What follows happens in the worker.


def main() -> None:
    """Serve calls until the other side closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep, which then stops the runs
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the user's code prints
    shared, (files,) = pickle.load(requests)
    with open(shared, "r+b") as file:
        control = Control()
        control.array = np.frombuffer(mmap.mmap(file.fileno(), 0), np.int64)
    _answer(answers, _load_all, files)
    calls = _calls(control)
    while True:
        try:
            name, arguments = pickle.load(requests)
        except EOFError:
            return
        _answer(answers, calls[name], *arguments)


def _calls(control: Control) -> dict[str, Callable[..., Any]]:
    from mlpjit.interactive import checks
    from mlpjit.training import chunk, run, warm

    return {
        "execute": lambda configs: chunk.make(configs, control),
        "prepare": warm.prepare,
        "measure_step": run.measure_step,
        "check": checks.problems,
    }


def _answer(answers: IO[bytes], call: Callable[..., Any], *arguments: Any) -> None:
    answer: tuple[Any, Exception | None]
    try:
        answer = call(*arguments), None
    except Exception as error:
        answer = None, _plain(error)
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _plain(error: Exception) -> Exception:
    """Return an error that a pickle can carry."""
    if isinstance(error, ConfigError):
        return type(error)(error.problems)
    return RuntimeError(" ".join(f"{type(error).__name__}: {error}".split()))


def _load_all(files: Files) -> None:
    for path, digest in files:
        if optimizer_files.load(Path(path)).digest != digest:
            raise ConfigError(f"{path}: changed while the study ran")
