"""Ctrl-C and termination outside a sweep, and standard streams that are closed or full.

Before a command begins and behind it a signal ends the process at once; inside it unwinds what is open, and a second
one ends the process. A sweep has handlers of its own (`study/signals.py`).
"""

from __future__ import annotations

import _thread
import errno
import io
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from mlpjit.study.signals import abandoned, comes_again, received, send_again

PATIENCE_SECONDS = 1.2
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
_inside: list[bool] = []  # True while a command runs
_installed: list[bool] = []
_raised: list[bool] = []  # True once a signal has begun to unwind the command


class _Lossy(io.FileIO):
    """A file that takes what cannot be written: progress that nobody reads must not end a run."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def install() -> None:
    """Take over the signals, and make standard streams that can always be written to."""
    closed = [number for number in (1, 2) if _is_closed(number)]
    for number in closed:  # or a store could become standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    raw = io.BufferedWriter(_Lossy(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(raw, errors="backslashreplace", line_buffering=True)
    if 1 in closed:
        print("standard output is closed: what would stand there is lost", file=sys.stderr)
    _installed.append(True)
    _watch_over_calls()
    for signal_number in CODES:
        signal.signal(signal_number, _handle)


def _watch_over_calls() -> None:
    """Have a thread end the process where a signal's handler cannot run, or where what it raised does not arrive.

    No handler runs in a compiled call of the main thread, and there is code that catches everything. The thread is
    none of `threading`'s, by whose number a report decides whether it may fork.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _thread.start_new_thread(_watch, (reading,))
    sys.unraisablehook = _lost


def _lost(told: sys.UnraisableHookArgs) -> None:
    """Send an interrupt again that was raised where Python drops errors: in a destructor, under a callback."""
    if isinstance(told.exc_value, KeyboardInterrupt) and received:
        send_again(received[0])
    else:
        sys.__unraisablehook__(told)


def _watch(reading: int) -> None:
    while number := os.read(reading, 1):
        time.sleep(PATIENCE_SECONDS)
        if not received or _raised:
            received.append(number[0])
            leave(f"interrupted\n{resume()}")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _handle(number: int, frame: FrameType | None) -> None:
    if comes_again(number, frame):
        return
    again = bool(received)
    received.append(number)
    if again or not _inside:
        leave(f"interrupted\n{resume()}")
    _raised.append(True)
    raise KeyboardInterrupt


def code() -> int:
    """Return the exit code of an interrupted command: that of the first signal."""
    return CODES.get(signal.Signals(received[0]), 130) if received else 130


def resume() -> str:
    """Return the line that says how to go on: with the same command."""
    return f"resume with: {shlex.join(['mlpjit', *sys.argv[1:]])}"


@contextmanager
def unwinding() -> Iterator[None]:
    """Have a signal unwind the command inside; behind it one ends the process."""
    received.clear()
    _raised.clear()
    _inside.append(True)
    try:
        yield
    finally:
        _inside.clear()


def told(interrupted: KeyboardInterrupt) -> str:
    """Return the last lines of an interrupted command; from here on a signal ends the process."""
    if not received:
        received.append(signal.SIGINT)
    found = str(interrupted) or "interrupted"
    return found if "resume with" in found else f"{found}\n{resume()}"


def hold() -> None:
    """Hold signals back from a process that has done its work: while it ends, Python has no handlers any more."""
    for number in CODES:
        signal.signal(number, signal.SIG_IGN)


def ends_at_once() -> bool:
    """Whether an interrupted command ends its process: the command line's own, or one that still computes."""
    return bool(_installed) or any(thread.is_alive() for thread in abandoned)


def leave(line: str) -> NoReturn:
    """End the process at once with a last line: what was reported is in the store."""
    _end_children()
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
    os._exit(code())


def _end_children() -> None:
    """End what this process has started, where the system names it: others compile for it, and hear late of its end."""
    with suppress(OSError):
        for listed in Path("/proc/self/task").glob("*/children"):
            for child in listed.read_text().split():
                os.kill(int(child), signal.SIGKILL)


def is_about_output(error: OSError) -> bool:
    """Whether an error is that of writing to a standard stream: it names no file."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)


def drop_output() -> None:
    """Leave out what could not be written to standard output, at the process's end too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
