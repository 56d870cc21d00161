"""The parent: starts a process a side, lets them train in turns, and sets their times and losses beside each other."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.measure.peers import task as tasks
from mlpjit.measure.peers.cells import NINE, Cell
from mlpjit.measure.peers.worker import ENSEMBLE, RUNS, SIDES
from mlpjit.statistics import quantiles

OURS = "mlpjit"
NAMES = {cell.name for cell in NINE}
# A minute of compilation a cell.
NINE_ONLY = {"torch.compile"}
# One thread each, and no accelerator. JAX sizes its pools by the cores that it may use: one, when pinned.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "CUDA_VISIBLE_DEVICES": "", "TORCHINDUCTOR_COMPILE_THREADS": "1",
}  # fmt: skip
PACKAGES = {"jax": ("jax", "jaxlib"), "torch": ("torch",), "sklearn": ("scikit-learn",)}
# Sums in another order drift apart while training: the first epoch's mean loss agrees closely, the last one's roughly.
FIRST_TOLERANCE, LAST_TOLERANCE, LAST_ABSOLUTE = 1e-3, 0.1, 0.02


@dataclass(frozen=True)
class Timing:
    """One side on one cell: seconds of a core for a training step of one run (median and quartiles over rounds).

    wall_seconds: the same on the wall, longer where other work shares the core. ratio: how many times longer it takes
    than mlpjit, median and quartiles of the ratios within a round. first_loss, last_loss: mean training loss of the
    first and last epoch. agrees: whether both are mlpjit's. tried_seconds: every way of running it, the fastest kept.
    """

    cell: str
    side: str
    variant: str
    seconds: float
    low_seconds: float
    high_seconds: float
    wall_seconds: float
    ratio: float
    low_ratio: float
    high_ratio: float
    first_loss: float
    last_loss: float
    agrees: bool
    compile_seconds: float
    tried_seconds: dict[str, float]


@dataclass
class Comparison:
    """What was measured: timings, and what was left out and why."""

    timings: list[Timing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    core: int | None = None

    def sides(self) -> list[str]:
        """Return the sides that were timed, mlpjit first."""
        return [side for side in SIDES if any(timing.side == side for timing in self.timings)]

    def summaries(self) -> list[Summary]:
        """Return each peer's geometric mean and worst cell, over the nine cells and over the others."""
        groups = {"the nine": NAMES, "others": {t.cell for t in self.timings} - NAMES}
        found = []
        for side in self.sides()[1:]:
            for group, names in groups.items():
                rows = [t for t in self.timings if t.side == side and t.cell in names]
                if rows:
                    worst = min(rows, key=lambda row: row.ratio)
                    mean = math.exp(math.fsum(math.log(row.ratio) for row in rows) / len(rows))
                    differ = [row.cell for row in rows if not row.agrees]
                    found.append(Summary(side, group, len(rows), mean, worst.cell, worst.ratio, differ))
        return found


@dataclass(frozen=True)
class Summary:
    """A peer over a group of cells: geometric mean of its ratios, the cell where it comes nearest to mlpjit (or is
    faster), and the cells on which it did not reach mlpjit's loss.
    """

    side: str
    group: str
    cells: int
    geometric_mean: float
    worst_cell: str
    worst_ratio: float
    other_loss: list[str]


class Worker:
    """A side's process."""

    def __init__(self, side: str, core: int | None) -> None:
        command = [sys.executable, "-m", "mlpjit.measure.peers.worker", side, "" if core is None else str(core)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return its answer; {"error": ...} where the process has died."""
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError:
            return {"error": "its process died"}
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "its process died"}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def named(parts: str) -> list[str]:
    """Return mlpjit and the sides whose name has one of these parts, comma-separated; ConfigError where none has."""
    wanted = [part.strip().lower() for part in parts.split(",")]
    found = [side for side in SIDES if side != OURS and any(part in side.lower() for part in wanted)]
    if not found:
        raise ConfigError(f"no peer has {parts!r} in its name; there are {', '.join(list(SIDES)[1:])}")
    return [OURS, *found]


def installed(sides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the sides whose packages are here, and a line for each that is not."""
    found: list[str] = []
    missing: list[str] = []
    for side in sides:
        lacking = [name for name in SIDES[side][2] if find_spec(name) is None]
        (missing if lacking else found).append(f"{side}: {', '.join(lacking)} is not installed" if lacking else side)
    return found, missing


def compare(
    cells: Sequence[Cell],
    sides: Sequence[str] = tuple(SIDES),
    rounds: int = 15,
    turn: float = 0.05,
    core: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
    finished: Callable[[Comparison], None] = lambda _: None,
) -> Comparison:
    """Time every cell on every side, in `rounds` rounds of one turn a side of about `turn` seconds.

    core: the CPU that all processes are pinned to; None leaves them free. finished hears the comparison so far after
    each cell.
    """
    here, missing = installed(sides)
    found = Comparison(left_out=missing, core=core)
    found.versions = {name: version(name) for side in here for need in SIDES[side][2] for name in PACKAGES[need]}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        workers = {}
        for side in here:
            worker = stack.enter_context(Worker(side, core))
            ready = worker.answer()
            if "error" in ready:
                found.left_out.append(f"{side}: {ready['error']}")
            else:
                workers[side] = worker
        for place, cell in enumerate(cells):
            progress(f"cell {place + 1} of {len(cells)}: {cell.name}")
            _cell(cell, workers, rounds, turn, Path(folder) / "task.npz", found)
            finished(found)
    return found


def _cell(
    cell: Cell, workers: dict[str, Worker], rounds: int, turn: float, path: Path, found: Comparison
) -> None:  # fmt: skip
    task = tasks.make(cell, ENSEMBLE)
    task.save(path)
    prepared: dict[str, dict[str, Any]] = {}
    for side, worker in workers.items():
        if side not in NINE_ONLY or cell.name in NAMES:
            _take(prepared, side, worker.ask(prepare=str(path)), cell, found)
    turns: dict[str, list[dict[str, Any]]] = {side: [] for side in prepared}
    for _ in range(rounds):
        for side in list(prepared):
            answer = workers[side].ask(turn=turn)
            if "error" in answer:
                found.left_out.append(f"{side}, {cell.name}: {answer['error']}")
                del prepared[side]
            else:
                turns[side].append(answer)
    if OURS not in prepared:
        return
    for side, how in prepared.items():
        found.timings.append(_timing(cell, task.steps, side, how, turns[side], turns[OURS]))


def _take(into: dict[str, Any], side: str, answer: dict[str, Any], cell: Cell, found: Comparison) -> None:
    if "error" in answer:
        found.left_out.append(f"{side}, {cell.name}: {answer['error']}")
    else:
        into[side] = answer


def _timing(
    cell: Cell, steps: int, side: str, how: dict[str, Any], turns: list[dict[str, Any]], ours: list[dict[str, Any]]
) -> Timing:  # fmt: skip
    scale = 1.0 / (steps * RUNS.get(side, 1))
    seconds = [turn["core"] * scale for turn in turns]
    ratios = [mine / (base["core"] / steps) for mine, base in zip(seconds, ours, strict=True)]
    low, middle, high = (float(value) for value in quantiles.quartiles(seconds))
    low_ratio, ratio, high_ratio = (float(value) for value in quantiles.quartiles(ratios))
    wall = float(quantiles.median([turn["wall"] * scale for turn in turns]))
    losses, expected = turns[-1]["losses"], ours[-1]["losses"]
    tried = {name: way["core"] * scale for name, way in how["tried"].items()}
    return Timing(
        cell.name, side, how["variant"], middle, low, high, wall, ratio, low_ratio, high_ratio, losses[0], losses[-1],
        agree(losses, expected), how["tried"][how["variant"]]["compile_seconds"], tried,
    )  # fmt: skip


def agree(losses: Sequence[float], expected: Sequence[float]) -> bool:
    """Return whether two runs are the same but for rounding: close in the first epoch, near in the last."""
    first = abs(losses[0] - expected[0]) <= FIRST_TOLERANCE * abs(expected[0])
    last = abs(losses[-1] - expected[-1]) <= LAST_TOLERANCE * abs(expected[-1]) + LAST_ABSOLUTE
    return len(losses) == len(expected) and first and last
