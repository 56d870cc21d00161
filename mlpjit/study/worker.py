"""One worker process, and the memory that it shares with this one: a call, its answer, its end."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlpjit.errors import MlpjitError
from mlpjit.kernels.tables import CONTROL
from mlpjit.study.serving import WORDS, File

CODE = "import mlpjit.study.serving; mlpjit.study.serving.main()"
START_SECONDS = 120  # until a worker has imported what it needs
LOAD_SECONDS = 60.0  # for the user's files to be run
POLL_SECONDS = 0.05


class WorkerCrashed(MlpjitError):
    """A worker process ended in the middle of a call."""


class WorkerOverdue(WorkerCrashed):
    """A call took too long: its worker process was ended."""


class Worker:
    """One process, and the memory that it shares with this one; it is in no terminal's group, which signals reach."""

    def __init__(self, files: Sequence[File] = ()) -> None:
        with tempfile.NamedTemporaryFile(prefix="mlpjit-control-") as shared:
            shared.truncate(WORDS * 8)
            words = np.frombuffer(mmap.mmap(shared.fileno(), WORDS * 8), np.int64)
            self.control, self.begun = words[: len(CONTROL)], words[len(CONTROL) :]
            self.process = subprocess.Popen(
                [sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._exchange((shared.name, os.getpid()), within(START_SECONDS))
        try:
            self.call("load", list(files), watch=within(LOAD_SECONDS))
        except BaseException:
            self.end()
            raise

    def call(self, name: str, *arguments: Any, watch: Callable[[], None]) -> Any:
        """Return what one of the calls returns over there; raise what it raises, WorkerCrashed where the process ends.

        `watch` is called all the while: where it raises, the process is ended.
        """
        return self._exchange((name, arguments), watch)

    def _exchange(self, message: Any, watch: Callable[[], None]) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        try:
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
            self._wait(self.process.stdout.fileno(), watch)
            result, error = pickle.load(self.process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._crashed() from None
        except BaseException:
            self.end()
            raise
        if error is not None:
            raise error
        return result

    @staticmethod
    def _wait(answers: int, watch: Callable[[], None]) -> None:
        poll = select.poll()
        poll.register(answers, select.POLLIN)
        while not poll.poll(1000 * POLL_SECONDS):
            watch()

    def _crashed(self) -> WorkerCrashed:
        until = time.monotonic() + 1.0
        while time.monotonic() < until and not self._has_ended():  # so that its own end is told, not ours
            time.sleep(POLL_SECONDS)
        self.end()
        return WorkerCrashed(f"worker crashed ({how_it_ended(self.process.returncode)})")

    def _has_ended(self) -> bool:
        """Whether the process has ended; its number stays taken, by which what it has started is found."""
        if self.process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def end(self) -> None:
        """End the process and what it has started, at once: it holds nothing that is not elsewhere."""
        if self.process.returncode is not None:
            return
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


def within(seconds: float) -> Callable[[], None]:
    """Return a watch that raises WorkerOverdue once so much time has passed."""
    until = time.monotonic() + seconds

    def watch() -> None:
        if time.monotonic() > until:
            raise WorkerOverdue(f"worker ended after {seconds:g} s without an answer")

    return watch


def how_it_ended(code: int) -> str:
    """Return the name of the signal that ended a process, or its exit code."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
