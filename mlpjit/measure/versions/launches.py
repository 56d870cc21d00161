"""Processes of two versions, started together, kept on one core, and put on the clock in turns."""

from __future__ import annotations

import inspect
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.kernels.compiler import cache
from mlpjit.measure.versions import worker
from mlpjit.statistics.quantiles import median

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SLICE_SECONDS = 1e-3
TURNS = (0, 1, 1, 0, 1, 0, 0, 1)


@dataclass(frozen=True)
class Version:
    """What is compared: a name to call it by, and the folder that holds its `mlpjit`."""

    name: str
    tree: Path


class Asked(Protocol):
    """What answers questions of a version."""

    def send(self, *request: Any) -> None:
        """Ask without waiting for the answer."""

    def answer(self) -> Any:
        """Return the answer to the oldest question that is open."""


class Process:
    """A version in a process of its own; `ask(function, *arguments)` calls a function of `worker` there.

    It finds its version under `link`, since the length of a path, which is part of every module's name, shifts what
    comes to lie behind it in memory.
    """

    def __init__(self, version: Version, link: Path, environment: dict[str, str]) -> None:
        self.version, self._link = version, link
        link.symlink_to(version.tree.resolve(), target_is_directory=True)
        environment = {**os.environ, **environment, "PYTHONPATH": str(link), "PYTHONSAFEPATH": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", inspect.getsource(worker)], cwd=link.parent, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def send(self, *request: Any) -> None:
        """Ask without waiting for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            self._ended()

    def answer(self) -> Any:
        """Return the answer to the oldest question that is open."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._ended()
        well, value = json.loads(line)
        if not well:
            raise ConfigError(f"{self.version.name}: its cases cannot be measured: {value}")
        return value

    def _ended(self) -> None:
        raise MlpjitError(f"{self.version.name}: the process that measures it ended (exit {self._process.wait()})")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._link.unlink(missing_ok=True)


def ask(process: Asked, *request: Any) -> Any:
    """Ask and wait."""
    process.send(*request)
    return process.answer()


class Pair:
    """Two versions that are asked in turns."""

    def __init__(self, before: Asked, after: Asked) -> None:
        self.before, self.after = before, after

    def repeats(self, name: str) -> int:
        """Return how many repeats of a case make a slice, on the version before."""
        self._make(name)
        return int(ask(self.before, "repeats", SLICE_SECONDS))

    def _make(self, name: str) -> None:
        seed = random.randrange(1 << 30)
        self.before.send("make", name, seed)
        self.after.send("make", name, seed)
        self.before.answer()
        self.after.answer()

    def log_ratio(self, name: str, repeats: int) -> float:
        """Return log(after / before) of a case in fresh memory, from the medians of slices taken in turns.

        The turns are before, after, after, before, then the other way round: what drifts, or speeds up the second of
        two, hits both sides alike.
        """
        self._make(name)
        sides = random.sample((self.before, self.after), 2)
        slices: dict[int, list[float]] = {0: [], 1: []}
        for place in TURNS:
            slices[place].append(float(ask(sides[place], "run", repeats)))
        first, second = (float(median(slices[place])) for place in (0, 1))
        return math.log(second / first) if sides[0] is self.before else math.log(first / second)


class Launch(Pair):
    """A process of each version, which loads these cases, or all with `only` in their names, on other cores."""

    def __init__(
        self, before: Version, after: Version, dtype: str, only: str, names: Sequence[str] | None, folder: Path
    ) -> None:
        first, second = random.sample((before, after), 2)  # whose process is the older one is left to chance
        shared, self._only = _environment(), only
        with ExitStack() as opened:
            made = {version: opened.enter_context(closing(Process(version, folder / _name(), shared)))
                    for version in (first, second)}  # fmt: skip
            self._processes = made[before], made[after]
            super().__init__(*self._processes)
            elsewhere = sorted(_cores() - {measuring_core()}) or sorted(_cores())
            for process in self._processes:
                process.send("stay", elsewhere)
                process.send("cases", dtype)
                process.send("load", names, only)
            self._opened = opened.pop_all()

    def ready(self) -> list[str]:
        """Wait until both have loaded what they should; return the cases of both.

        Raises ConfigError where a version cannot make a case that it lists and the other one makes.
        """
        first, second = (self._loaded(process) for process in self._processes)
        for process in self._processes:
            ask(process, "stay", [measuring_core()])
        common = [name for name in first if name in second and not (first[name] and second[name])]
        for process, found in zip(self._processes, (first, second), strict=True):
            if wrong := [name for name in common if found[name]]:
                more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                raise ConfigError(f"{process.version.name}: cannot make {wrong[0]}{more}: {found[wrong[0]]}")
        if not common:
            such = f" with {self._only!r} in its name" if self._only else ""
            raise ConfigError(f"no case of {self._processes[0].version.name}{such} can be made in both versions")
        return common

    @staticmethod
    def _loaded(process: Process) -> dict[str, str]:
        process.answer()
        version, package = process.version, Path(process.answer()).resolve()
        if not package.is_relative_to(version.tree.resolve()):
            raise MlpjitError(f"{version.name}: another mlpjit was imported, from {package.parent}")
        loaded: dict[str, str] = process.answer()
        return loaded

    def close(self) -> None:
        """End both processes."""
        self._opened.close()


def _name() -> str:
    return f"{random.getrandbits(64):016x}"


def _environment() -> dict[str, str]:
    """Return what both processes of a launch find: one thread, one compile cache, and the same chance.

    The environment lies above the stack: its length moves every address there, as another day would.
    """
    chance = {"PYTHONHASHSEED": str(random.randrange(1 << 30)), "MLPJIT_PADDING": "x" * random.randrange(4096)}
    return {**dict.fromkeys(ONE_THREAD, "1"), "MLPJIT_CACHE_DIR": str(cache.root().resolve()), **chance}


def _cores() -> set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else {0}


def measuring_core() -> int:
    """Return the core to measure on: the last one that this process may use."""
    return max(_cores())


class Launches:
    """Launches of two versions; the next one loads while one is measured. To be used in a `with` statement.

    `only` is a part of the names of the cases that are wanted.
    """

    def __init__(self, before: Version, after: Version, dtype: str, only: str = "") -> None:
        self._versions = before, after, dtype, only
        self._opened = ExitStack()
        self._repeats: dict[str, int] = {}

    def __enter__(self) -> Launches:
        self._folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="mlpjit-launches-")))
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def measure(self, names: Sequence[str] | None, launches: int, layouts: int) -> Iterator[dict[str, float]]:
        """Give each launch's log(after / before) by case, the mean over so many layouts; None: of all cases."""
        following = self._start(names)
        for number in range(1, launches + 1):
            current, known = following, following.ready()
            if number < launches:
                following = self._start(names)
            yield self._one(current, known, layouts)
            current.close()

    def _start(self, names: Sequence[str] | None) -> Launch:
        return self._opened.enter_context(closing(Launch(*self._versions, names, self._folder)))

    def _one(self, launch: Launch, names: list[str], layouts: int) -> dict[str, float]:
        found: dict[str, float] = dict.fromkeys(names, 0.0)
        for name in random.sample(names, len(names)):
            if name not in self._repeats:
                self._repeats[name] = launch.repeats(name)
        for _ in range(layouts):
            for name in random.sample(names, len(names)):
                found[name] += launch.log_ratio(name, self._repeats[name]) / layouts
        return found
