"""The cache of kernels: sixteen processes on a cold one, kills inside its writes, files cut, flipped and exchanged.

    python bench/evidence/damaged_caches.py [ROUNDS [KILLS [FAULTS [SEED]]]] > results/reference/damaged_caches.json

30 rounds, 100 kills and 300 faults without numbers. A process is a fork of this one, which has imported all and
compiled nothing; it compiles or loads a few kernels and says their values and whether each came from the cache. Counted
are wrong values, crashes, and kernels that were taken from a damaged folder, or another's, instead of compiled again.
Prints JSON; exits with 1 unless all counts of faults are 0.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import machine
from mlpjit.kernels.arithmetic.mapping import FUNCTIONS, compiled, evaluate
from mlpjit.kernels.compiler import jit, linking  # noqa: F401 (all that a process imports when it compiles)

NAMES = ("exp", "log", "tanh", "sigmoid")
POINTS = np.linspace(0.1, 3, 50, dtype=np.float32)
PROCESSES, CRASHED = 16, "crashed"
FAULTS = ("wrong", "crash", "stale", "left")
Said = dict[str, Any]
Fault = Callable[[list[Path], random.Random], set[str]]


def work() -> Said:
    """Compile or load the kernels; return their values, and whether each came from the cache."""
    values = {name: evaluate(name, POINTS).tobytes().hex() for name in NAMES}
    return {"values": values, "hits": {name: compiled(name, "float32").from_cache for name in NAMES}}


class Process:
    """A fork that works with a cache."""

    def __init__(self, cache: Path, before: Callable[[], None] = lambda: None) -> None:
        reading, writing = os.pipe()
        self.number = os.fork()
        if not self.number:
            os.close(reading)
            os.environ["MLPJIT_CACHE_DIR"] = str(cache)
            before()
            os.write(writing, json.dumps(work()).encode())
            os._exit(0)
        os.close(writing)
        self._said = os.fdopen(reading)

    def kill(self) -> None:
        """Kill it, and wait until it has gone."""
        os.kill(self.number, signal.SIGKILL)
        self.said()

    def said(self) -> Said:
        """Wait for it; return what it said: nothing where it crashed."""
        with self._said as file:
            text = file.read()
        return json.loads(text) if os.waitpid(self.number, 0)[1] == 0 else {CRASHED: text}


def faults_of(said: Said, right: Said, damaged: set[str], what: str) -> list[str]:
    """Return what is wrong with what a process said, for whom some kernels were damaged."""
    if CRASHED in said:
        return [f"crash: {what}"]
    wrong = [f"wrong: {what}: {name}" for name in NAMES if said["values"][name] != right["values"][name]]
    stale = [f"stale: {what}: {name}" for name in damaged if said["hits"][name]]
    return wrong + stale


def crowd(folder: Path, right: Said) -> list[str]:
    """Sixteen processes on one cold cache, and one behind them that must find everything."""
    processes = [Process(folder / "cold") for _ in range(PROCESSES)]
    found = [fault for each in processes for fault in faults_of(each.said(), right, set(), "sixteen")]
    behind = Process(folder / "cold").said()
    found += faults_of(behind, right, set(), "behind sixteen")
    found += [] if all(behind.get("hits", {"": False}).values()) else ["left: not all was published"]
    return found + _left(folder / "cold")


def _left(cache: Path) -> list[str]:
    return [f"left: {path.name}" for path in cache.rglob(".*")]


def killed(folder: Path, right: Said, draw: random.Random) -> list[str]:
    """Kill a process while it writes into the cache; one behind it must be right."""
    cache, process = folder / "killed", Process(folder / "killed")
    number = draw.randrange(1, len(NAMES) + 1)
    until = time.monotonic() + 60
    while len(list(cache.glob("*/.writing-*")) + list(cache.glob("*/map_*"))) < number and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(draw.expovariate(20))
    process.kill()
    found = faults_of(Process(cache).said(), right, set(), "behind a kill")
    return found + faults_of(Process(cache).said(), right, set(), "behind one behind a kill")


def _name(folder: Path) -> str:
    return folder.name.removeprefix("map_").partition("-")[0]


def _of_one_file(change: Callable[[Path, random.Random], None]) -> Fault:
    def fault(folders: list[Path], draw: random.Random) -> set[str]:
        folder = draw.choice(folders)
        change(draw.choice(sorted(folder.iterdir())), draw)
        return {_name(folder)}

    fault.__name__ = change.__name__
    return fault


def flip(file: Path, draw: random.Random) -> None:
    """Turn one bit."""
    data = bytearray(file.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    file.write_bytes(bytes(data))


def cut(file: Path, draw: random.Random) -> None:
    """Cut the end."""
    os.truncate(file, draw.randrange(file.stat().st_size))


def remove(file: Path, _: random.Random) -> None:
    """Delete it."""
    file.unlink()


def exchange(folders: list[Path], draw: random.Random) -> set[str]:
    """Two intact folders of one generation in each other's places."""
    one, other = draw.sample(folders, 2)
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return {_name(one), _name(other)}


def from_another(folders: list[Path], draw: random.Random) -> set[str]:
    """A folder as another generation has it, such as of older sources, in the place of this one's."""
    folder = draw.choice(folders)
    shutil.rmtree(folder)
    shutil.copytree(folders[0].parents[2] / "other" / folder.name, folder)
    return {_name(folder)}


def remembered(folders: list[Path], draw: random.Random) -> set[str]:
    """What is kept of the hash of the sources."""
    file = draw.choice(sorted(folders[0].parents[1].glob("*.sha256")))
    draw.choice([flip, cut, remove])(file, draw)
    return set()


KINDS: list[Fault] = [_of_one_file(each) for each in (flip, cut, remove)]
KINDS += [exchange, from_another, remembered]


def damaged(folder: Path, right: Said, fault: Fault, draw: random.Random) -> list[str]:
    """Damage a copy of the warm cache; two processes in turn must be right, the second without compiling."""
    shutil.rmtree(folder / "damaged", ignore_errors=True)
    cache = Path(shutil.copytree(folder / "warm", folder / "damaged"))
    (generation,) = (path for path in cache.iterdir() if path.is_dir())
    names = fault(sorted(path for path in generation.iterdir() if path.is_dir()), draw)
    found = faults_of(Process(cache).said(), right, names, fault.__name__)
    again = Process(cache).said()
    found += faults_of(again, right, set(), f"behind {fault.__name__}")
    whole = all(again.get("hits", {"": False}).values())
    return found + ([] if whole else [f"left: {fault.__name__}: not mended"]) + _left(cache)


def older() -> None:
    """Make of a process one of other sources, whose functions have each other's names."""
    functions = {name: FUNCTIONS[other] for name, other in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)}
    FUNCTIONS.update(functions)
    jit._sources = lambda: "older"


def prepare(folder: Path) -> Said:
    """Make the warm cache, and the kernels as another generation has them; return what is right."""
    Process(folder / "older", older).said()
    (generation,) = (path for path in (folder / "older").iterdir() if path.is_dir())
    shutil.copytree(generation, folder / "other")
    return Process(folder / "warm").said()


def campaign(folder: Path, rounds: int, kills: int, faults: int, seed: int) -> dict[str, Any]:
    """Run all three parts; return what was found."""
    right, draw, found, kinds = prepare(folder), random.Random(seed), list[str](), Counter[str]()
    for _ in range(rounds):
        shutil.rmtree(folder / "cold", ignore_errors=True)
        found += crowd(folder, right)
    for _ in range(kills):
        shutil.rmtree(folder / "killed", ignore_errors=True)
        found += killed(folder, right, draw)
    for number in range(faults):
        fault = KINDS[number % len(KINDS)]
        kinds[fault.__name__] += 1
        found += damaged(folder, right, fault, draw)
    counts = {what: sum(each.startswith(what) for each in found) for what in FAULTS}
    return {"rounds_of_sixteen": rounds, "kills": kills, "faults": dict(kinds), "seed": seed, **counts, "which": found}


def main(rounds: int = 30, kills: int = 100, faults: int = 300, seed: int = 0) -> int:
    """Run the campaign."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), rounds, kills, faults, seed)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - began, 1), **machine()}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
