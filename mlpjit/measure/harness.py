"""What Python does for a small run, part by part: microseconds of a core with the GIL held, and in all.

A sweep of small runs is made as any other, on one thread, in a fresh process whose functions have been wrapped: each
notes the time its thread had a core (`time.thread_time`, so that other work on the machine does not count), less what
the parts within it took. Every compiled kernel is wrapped as well: it has no GIL from the beginning of its call to the
end. What a part takes outside its kernels is time with the GIL held: no other thread can do any of it meanwhile.

The held time comes out too long rather than too short: SQLite's own work counts as held, though SQLite lets go of the
GIL now and then, and so does what the wrappers themselves take, but for what an empty one seems to. Only passing a
kernel its arguments counts as released, which takes less than a microsecond. What the parts do not explain of the
process's time between the first run and the last is the pool's, the display's and the garbage collector's: it stands
last, held.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mlpjit.errors import MlpjitError
from mlpjit.measure.clock import Spread, spread

# Part of a run: where its work is done, as (module, name in it), `Class.method` too.
PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "taking a chunk": (("study.chunks", "Chunks.take"), ("study.chunks", "Chunks.made")),
    "values": (("training.chunk", "values_of"), ("training.chunk", "prepare_once")),
    "tables": (("training.chunk", "Chunk.__init__"),),
    "compiled call": (("training.chunk", "Chunk.make"),),
    "results": (("training.chunk", "results_of"),),
    "dates": (("study.pool", "ThreadPool._tell"),),
    "rows": (("study.sweep", "stored_rows"),),
    "put": (("store.database", "Store.put_all"),),
    "writer": (("store.writing", "Writer._commit"),),
}
REST, TOTAL = "pool and the rest", "in total"
STAGE = ("study.sweep", "Sweep._make")  # all runs, from the first to the last that is stored
SEEDS = 20
RATES = [10.0 ** (-4.0 + 3.5 * place / 39.0) for place in range(40)]
STUDY: dict[str, Any] = {
    "name": "one_shape", "dataset": "two_moons", "depth": 2, "width": 8, "activation": "tanh", "init": "xavier_normal",
    "optimizer": "adam", "batch_size": 64, "epochs": 2,
}  # fmt: skip
CODE = "import json, sys; from mlpjit.measure.harness import count; print(json.dumps(count(sys.argv[1])))"


@dataclass(frozen=True)
class Part:
    """Seconds of a core that a part takes for one run: those with the GIL held, and all of them."""

    name: str
    held: Spread
    spent: Spread


@dataclass
class _Frame:
    """A wrapped call under way: seconds in the wrapped calls within it, and how many of its own without the GIL."""

    within: float = 0.0
    released: float = 0.0


class Probe:
    """Wraps functions, and adds up what they take by part."""

    def __init__(self) -> None:
        self.whole = 0.0
        self.spent: dict[str, list[float]] = {}
        self.calls: dict[str, int] = {}
        self._own = threading.local()
        self._lock = threading.Lock()

    def _frames(self) -> list[_Frame]:
        frames: list[_Frame] = self._own.__dict__.setdefault("frames", [])
        return frames

    def part(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and counts as a part."""

        def counted(*arguments: Any, **named: Any) -> Any:
            frames, frame = self._frames(), _Frame()
            frames.append(frame)
            start = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - start
                frames.pop()
                if frames:
                    frames[-1].within += took
                self._add(name, took - frame.within, frame.released)

        return counted

    def _add(self, name: str, own: float, released: float) -> None:
        with self._lock:
            kept = self.spent.setdefault(name, [0.0, 0.0])
            kept[0] += own - released
            kept[1] += own
            self.calls[name] = self.calls.get(name, 0) + 1

    def counting(self, made: Any) -> Any:
        """Return a loaded kernel with its call counted."""
        return replace(made, call=self.kernel(made.call))

    def kernel(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call of a kernel that tells the part around it how long it had no GIL."""

        def released(*arguments: Any) -> Any:
            start = time.thread_time()
            try:
                return call(*arguments)
            finally:
                if frames := self._frames():
                    frames[-1].released += time.thread_time() - start

        return released

    def stage(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose seconds of all threads are noted: all that is to be explained."""

        def clocked(*arguments: Any) -> Any:
            self.spent.clear()
            self.calls.clear()
            start = time.process_time()
            result = function(*arguments)
            self.whole = time.process_time() - start
            return result

        return clocked

    def by_run(self, runs: int) -> dict[str, list[float]]:
        """Return (seconds held, seconds) a run of each part and of all, the wrappers' own taken off."""
        cost, found = empty_wrapper(), {}
        for name in PARTS:
            own = cost * self.calls.get(name, 0)
            found[name] = [max(seconds - own, 0.0) / runs for seconds in self.spent.get(name, (0.0, 0.0))]
        explained = sum(spent for _, spent in self.spent.values())
        found[REST] = [max(self.whole - explained, 0.0) / runs] * 2
        return found | {TOTAL: [sum(column) for column in zip(*found.values(), strict=True)]}


def replaced(module: str, path: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put a changed function in the place of one, for good."""
    *owners, last = path.split(".")
    owner: Any = import_module(f"mlpjit.{module}")
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, last, change(getattr(owner, last)))


def measure(rounds: int) -> list[Part]:
    """Make the sweep in `rounds` fresh processes; return the parts of a run, and what all of them come to."""
    found = [_process() for _ in range(rounds)]
    return [Part(name, *(spread([each[name][place] for each in found]) for place in (0, 1))) for name in found[0]]


def _process() -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory(prefix="mlpjit-bench-") as folder:
        done = subprocess.run([sys.executable, "-c", CODE, folder], capture_output=True, text=True)
    if done.returncode:
        raise MlpjitError(f"the process to be timed failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def count(folder: str) -> dict[str, list[float]]:
    """Make a few runs, which load what all need, then the sweep; return (seconds held, seconds) a run by part.

    Functions are changed for good: for a process of its own.
    """
    from mlpjit.study.study import Study

    probe = Probe()
    replaced("kernels.compiler.jit", "_load", lambda load: lambda *given: probe.counting(load(*given)))
    for name, places in PARTS.items():
        for place in places:
            replaced(*place, partial(probe.part, name))
    replaced(*STAGE, probe.stage)
    for number, seeds in enumerate((1, SEEDS)):
        study = Study.from_table({**STUDY, "sweep": {"learning_rate": RATES, "seed": list(range(seeds))}})
        study.run(out=Path(folder, str(number)), threads=1)
    return probe.by_run(len(study.runs))


def empty_wrapper(calls: int = 2000) -> float:
    """Return the seconds that a wrapped function which does nothing seems to take."""
    probe = Probe()
    empty = probe.part("empty", lambda: None)
    for _ in range(calls):
        empty()
    return probe.spent["empty"][1] / calls
