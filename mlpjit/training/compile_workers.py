"""Processes that compile beside this one: they publish into the cache what this one then loads.

Numba compiles under the GIL, so that only another process can use another core. Each has a pipe from this process as
its standard input: one line of what to publish, and the end of the pipe, however it comes about, is its end too.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mlpjit.host import available_threads
from mlpjit.kernels.compiler import cache

CODE = "from mlpjit.training import publishing; publishing.serve()"
# What there is to compile feeds no more.
MOST = 16
# An instruction of LLVM's that is under way is not interrupted: the longest takes a third of a second.
END_SECONDS = 2.0

Process = subprocess.Popen[bytes]
# Started, but not told what to publish yet.
_waiting: list[Process] = []


def expect() -> None:
    """Where nothing lies in the cache have processes start, so that they import while this one plans."""
    if not cache.has_generations():
        _waiting.extend(_start())


@contextmanager
def publishing(needs: Sequence[object]) -> Iterator[None]:
    """Have all other cores publish what these needs ask for until the block ends; nothing happens if there are none."""
    global _waiting
    processes, _waiting = _waiting or (_start() if needs else []), []
    if not needs:
        for process in processes:
            process.kill()
    for process in processes:
        with suppress(OSError):
            assert process.stdin
            process.stdin.write(json.dumps(needs).encode() + b"\n")
            process.stdin.flush()
    try:
        yield
    finally:
        _end(processes)


def _start() -> list[Process]:
    """Start a process for every core but this one's; none where none can be started."""
    environment = {**os.environ, "MLPJIT_CACHE_DIR": str(cache.root())}
    started: list[Process] = []
    with suppress(OSError):
        for _ in range(min(available_threads(), MOST) - 1):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-c", CODE], env=environment,
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
    # Whoever removes the cache's folder next must not meet them there.
    atexit.register(_wait, started)
    return started


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        with suppress(OSError):
            assert process.stdin
            process.stdin.close()


def _wait(processes: Sequence[Process]) -> None:
    """Wait until processes are gone, and see to it that they go."""
    _end(processes)
    for process in processes:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
