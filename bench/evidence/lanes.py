"""Sixteen runs side by side, a run in each lane of every vector, beside the same runs one after the other.

    pip install -e . && python bench/evidence/lanes.py --out lanes.json

A prototype for one kind of network: two hidden layers of tanh, cross-entropy, Adam, float32. A number of a run is a
lane of a vector; each lane has its own seed (split, first weights, order) and rate. Every sum runs in the order that it
has in `mlpjit run`, so parameters after the last step must be equal to the bit; the script says how many runs are. What
is timed is the training steps alone, in CPU seconds, in turns, least of the rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lane_kernels import LANES, lane_steps, room_of

from mlpjit.config.run_config import RunConfig
from mlpjit.host import host
from mlpjit.kernels.compiler import jit
from mlpjit.training.run import Run
from mlpjit.training.warm import prepare
from mlpjit.training.workspace import aligned

STEPS = 440  # a call; with few, the calls of runs apart would count


def config(width: int, batch: int, lane: int, epochs: int = 2000) -> RunConfig:
    """Return one of the runs: its own seed and rate; evaluated at the end only."""
    return RunConfig(
        dataset="two_moons", depth=2, width=width, activation="tanh", optimizer="adam", batch_size=batch, seed=lane,
        learning_rate=1e-3 * 1.1**lane, epochs=epochs, evaluate_every=epochs,
    )  # fmt: skip


class Lanes:
    """Sixteen runs in lanes, begun as mlpjit begins them."""

    def __init__(self, width: int, batch: int) -> None:
        self.runs = [Run(config(width, batch, lane)) for lane in range(LANES)]
        for run in self.runs:
            run.advance(0)
        first = self.runs[0]
        self.samples, self.batch, self.done = len(first.data.x_train), batch, 0
        tall = next(t for t in (4, 2, 1) if batch % t == 0 and self.samples % batch % t == 0)
        self.params = np.ascontiguousarray(np.stack([run.params for run in self.runs], axis=1)).reshape(-1)
        self.mu, self.nu, self.grads = (aligned(self.params.size, "float32") for _ in range(3))
        self.params, given = aligned(self.params.size, "float32"), self.params
        self.params[:] = given
        self.orders = [np.zeros(self.samples, np.int64) for _ in self.runs]
        places = [
            [run.data.x_train.ctypes.data, run.data.y_train.ctypes.data, order.ctypes.data]
            for run, order in zip(self.runs, self.orders, strict=True)
        ]
        self.table, self.seeds = np.array(places, np.int64), np.arange(LANES)
        self.rates = np.array([run.config.learning_rate for run in self.runs])
        self.settings, self.losses = np.array([0.9, 0.999, 0.0, 1e-16]), np.zeros(LANES)
        self.room = aligned(room_of(width, batch), "float32")
        self.call = partial(jit.load(lane_steps, "float32").call, width, tall)

    def advance(self, steps: int) -> None:
        """Take so many steps of every lane."""
        arrays = (self.seeds, self.table, self.rates, self.settings, self.params, self.mu, self.nu, self.grads)
        passed = [array.ctypes.data for array in (*arrays, self.room, self.losses)]
        self.call(self.samples, self.batch, self.done, steps, *passed)
        self.done += steps


class Apart:
    """The same runs as `mlpjit run` makes them, one after the other."""

    def __init__(self, width: int, batch: int) -> None:
        self.runs, self.done = [Run(config(width, batch, lane)) for lane in range(LANES)], 0
        for run in self.runs:
            run.advance(0)

    def advance(self, steps: int) -> None:
        """Take so many steps of every run."""
        self.done += steps
        for run in self.runs:
            run.advance(self.done)


def seconds(work: Any, steps: int) -> float:
    """Return the CPU seconds of a step of one run."""
    begun = time.process_time()
    work.advance(steps)
    return (time.process_time() - begun) / (steps * LANES)


def compare(width: int, batch: int, steps: int, rounds: int) -> dict[str, Any]:
    """Time both in turns on the same work, and compare the parameters of every run."""
    prepare([config(width, batch, 0)])
    lanes, apart = Lanes(width, batch), Apart(width, batch)
    found = [(seconds(lanes, steps), seconds(apart, steps)) for _ in range(rounds)]
    beside = lanes.params.reshape(-1, LANES).T
    same = [bool(np.array_equal(mine, run.params)) for mine, run in zip(beside, apart.runs, strict=True)]
    furthest = max(float(np.abs(mine - run.params).max()) for mine, run in zip(beside, apart.runs, strict=True))
    ours, theirs = (min(column) for column in zip(*found, strict=True))
    return {
        "width": width, "batch": batch, "steps_compared": lanes.done, "lane_us": ours * 1e6, "apart_us": theirs * 1e6,
        "ratio": theirs / ours, "equal_runs": sum(same), "largest_difference": furthest,
    }  # fmt: skip


def line(row: dict[str, Any]) -> str:
    """Return a row as it is printed."""
    times = f"{row['apart_us']:6.2f} us a step apart, {row['lane_us']:6.2f} in lanes: {row['ratio']:4.2f} times"
    same = f"{row['equal_runs']} of {LANES} runs equal to the bit (furthest {row['largest_difference']:.1g})"
    return f"2 x {row['width']:2d} batch {row['batch']:2d}: {times}; {same}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    parser.add_argument("--rounds", type=int, default=25)
    given, rows = parser.parse_args(), []
    prepare([config(8, 64, 0)])
    begun = time.process_time()
    jit.load(lane_steps, "float32")
    compiling = time.process_time() - begun
    for width in (8, 16, 32):
        for batch in (64, 8, 1):
            row = compare(width, batch, STEPS, given.rounds)
            rows.append(row)
            print(line(row), flush=True)
    if given.out:
        found = {"host": host(1), "lanes": LANES, "compile_cpu_seconds": compiling, "rows": rows}
        given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
