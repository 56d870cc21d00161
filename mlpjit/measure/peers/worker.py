"""One side as a process: reads a request a line, answers a line of JSON.

Requests: {"prepare": path of a task} compiles every way of running it, tries each and keeps the fastest;
{"turn": seconds} trains for about that long. Libraries that write to standard output do not disturb the answers.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from mlpjit.errors import MlpjitError
from mlpjit.measure.peers.stopwatch import Once, Spent

# Side -> module, function, and what must be installed for it.
SIDES = {
    "mlpjit": ("ours", "variants", ()),
    "JAX jit(scan)": ("jax_peer", "alone", ("jax",)),
    "JAX vmap": ("jax_peer", "together", ("jax",)),
    "PyTorch eager": ("torch_peer", "eager", ("torch",)),
    "torch.compile": ("torch_peer", "compiled", ("torch",)),
    "PyTorch ensemble": ("torch_peer", "ensemble", ("torch",)),
    "scikit-learn": ("sklearn_peer", "variants", ("sklearn",)),
}
ENSEMBLE = 8  # independent runs that the batched sides train at once
RUNS = {"JAX vmap": ENSEMBLE, "PyTorch ensemble": ENSEMBLE}
TRIAL_SECONDS = 0.3


class Side:
    """The state between requests."""

    def __init__(self, name: str) -> None:
        module, function, _ = SIDES[name]
        self.variants = getattr(import_module(f"mlpjit.measure.peers.{module}"), function)
        self.once: Once | None = None

    def prepare(self, path: str) -> dict[str, Any]:
        """Compile and try every way of running a task; keep the fastest."""
        from mlpjit.measure.peers.task import load

        self.once = None
        tried: dict[str, dict[str, float]] = {}
        for name, make in self.variants(load(Path(path))).items():
            start = time.perf_counter()
            once = make()
            first, _ = once()
            compiling = max(0.0, time.perf_counter() - start - first.wall)
            took = self._turn(once, TRIAL_SECONDS)["core"]
            if all(took < other["core"] for other in tried.values()):
                self.once, kept = once, name
            tried[name] = {"core": took, "compile_seconds": compiling}
        return {"variant": kept, "tried": tried}

    def turn(self, seconds: float) -> dict[str, Any]:
        """Train again and again for so long, once at least; return medians and the losses of each epoch."""
        assert self.once is not None
        return self._turn(self.once, seconds)

    def _turn(self, once: Once, seconds: float) -> dict[str, Any]:
        spent: list[Spent] = []
        while not spent or sum(each.core for each in spent) < seconds:
            took, losses = once()
            spent.append(took)
        core, wall = (statistics.median(getattr(each, clock) for each in spent) for clock in ("core", "wall"))
        return {"core": core, "wall": wall, "losses": losses}


def answer(side: Side, request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked; an exception becomes {"error": one line}."""
    try:
        return side.prepare(request["prepare"]) if "prepare" in request else side.turn(request["turn"])
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> dict[str, Any]:
    text = str(error) if isinstance(error, MlpjitError) else f"{type(error).__name__}: {error}"
    return {"error": " ".join(text.split())[:300]}


def main(name: str, core: str) -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    for reply in _replies(name):
        out.write(json.dumps(reply) + "\n")
        out.flush()


def _replies(name: str) -> Iterator[dict[str, Any]]:
    """Yield {"ready": name} or why it is not, then an answer to each request."""
    try:
        side = Side(name)
    except Exception as error:
        yield _failure(error)
        return
    yield {"ready": name}
    for line in sys.stdin:
        yield answer(side, json.loads(line))


if __name__ == "__main__":
    main(*sys.argv[1:3])
