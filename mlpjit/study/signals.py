"""Ctrl-C and termination: once stops in good order, twice at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

# The signals that came, the first of which decides the exit code.
received: list[int] = []
# Threads left behind in a compiled call: the process must not end as others do, under their feet.
abandoned: list[threading.Thread] = []
# What LLVM calls while it loads a kernel: an error in there is lost, LLVM goes on without an answer and crashes.
CALLED_BY_LLVM = ("_raw_object_cache_getbuffer", "_raw_object_cache_notify")
AGAIN_SECONDS = 0.01


class Interrupted(KeyboardInterrupt):
    """The user ended a sweep; everything finished is stored. The message says how to resume."""


def comes_again(number: int, frame: FrameType | None) -> bool:
    """Whether a signal came where no handler may raise: then it is sent again in a moment."""
    while frame is not None:
        if frame.f_code.co_name in CALLED_BY_LLVM:
            send_again(number)
            return True
        frame = frame.f_back
    return False


def send_again(number: int) -> None:
    """Send this process a signal in a moment."""
    timer = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


class StopSignals:
    """While active, SIGINT and SIGTERM set `event`; a second one, or one inside `at_once`, raises Interrupted.

    So does the end, where a signal came after anybody looked. Does nothing outside the main thread, where Python
    delivers no signals.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self.event.is_set():
            raise Interrupted("interrupted")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if comes_again(number, frame):
            return
        received.append(number)
        again = self.event.is_set()
        self.event.set()
        if again or self._at_once:
            raise Interrupted("interrupted")

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Interrupted at the signal itself: for work that loses nothing."""
        self._at_once = True
        try:
            if self.event.is_set():
                raise Interrupted("interrupted")
            yield
        finally:
            self._at_once = False
