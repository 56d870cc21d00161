"""What a process beside does: publish into the cache what its standard input asks for, and end with it."""

from __future__ import annotations

import _thread
import json
import os
import sys
import threading
import time
from contextlib import suppress

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.compiler.building import declare
from mlpjit.kernels.run.training import train as train_kernel
from mlpjit.training.warm import Need, satisfy

AGAIN_SECONDS = 0.5  # what is taken away meanwhile takes milliseconds


def serve() -> None:
    """Publish the needs that a line of standard input names as JSON. Whatever fails here, its asker does itself."""
    try:
        declare()  # while the asker is still planning
        asked = json.loads(sys.stdin.readline() or "[]")
        threading.Thread(target=_end_with_input, daemon=True).start()
        publish([(kind, name, dtype) for kind, name, dtype in asked])
    finally:
        os._exit(0)  # at once: nobody is interested in how the interpreter takes itself apart


def publish(needs: list[Need]) -> None:
    """Publish needs in their order.

    Of a training loop what it calls: the loop itself is the asker's last, so that all else is there where it is.
    """
    jit.only_publish()
    for need in needs:
        with suppress(Exception):
            if need[0] == "train":
                jit.link(train_kernel.function, need[2])
            else:
                satisfy(need)
            jit.publish_promised()


def _end_with_input() -> None:
    """Interrupt the main thread when the other end of the pipe is closed, so that it takes away what it was writing.

    Again and again: of Python that LLVM calls, which is where it goes on most often, an interrupt is lost.
    """
    sys.stdin.read()
    while True:
        _thread.interrupt_main()
        time.sleep(AGAIN_SECONDS)
