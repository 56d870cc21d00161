"""Runs side by side in vector lanes beside the same runs one after the other, both made by a chunk.

    pip install -e . && python bench/evidence/lanes.py --out lanes.json

Whole runs of two hidden layers of tanh on two moons with Adam: first weights, two epochs of steps, three evaluations,
the test set; sixteen rates of each of four seeds. Timed are CPU seconds of the compiled call alone, in turns, least of
the rounds. Every number and record that a run leaves must be the same both ways; of how many it is, the script says.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

from mlpjit.config.run_config import RunConfig
from mlpjit.host import host
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.beginning import CHUNK
from mlpjit.training.chunk import Chunk
from mlpjit.training.result import COUNTED, METRICS, Control, Results
from mlpjit.training.values import values_of
from mlpjit.training.warm import prepare

LANES, SEEDS = 16, 4


def configs(width: int, batch: int) -> list[RunConfig]:
    """Return runs which differ in rate and seed alone, those of one seed behind each other."""
    return [
        RunConfig(
            dataset="two_moons", depth=2, width=width, activation="tanh", optimizer="adam", batch_size=batch, epochs=2,
            seed=seed, learning_rate=1e-3 * 1.3**lane,
        )
        for seed, lane in product(range(SEEDS), range(LANES))
    ]  # fmt: skip


def made(runs: list[RunConfig], side_by_side: bool) -> tuple[Results, float]:
    """Make the runs; return their results and the CPU seconds of the call."""
    chunk = Chunk(values_of(runs[0]), runs, Control())
    assert chunk.side == LANES, "prepare() has not prepared lanes"
    if not side_by_side:
        chunk.table[0, CHUNK.lanes] = 0
    begun = time.process_time()
    results = chunk.make()
    return results, time.process_time() - begun


def left(results: Results, place: int) -> tuple[Any, ...]:
    """Return all that a run leaves but its times."""
    records = results.records[place, : results.written[place]]
    return results.states[place], repr(results.of(place, (*METRICS, *COUNTED))), records.tobytes()


def compare(width: int, batch: int, rounds: int) -> dict[str, Any]:
    """Time both in turns and compare what they leave."""
    runs = configs(width, batch)
    prepare(runs)
    found = [(made(runs, True), made(runs, False)) for _ in range(rounds)]
    (beside, _), (apart, _) = found[0]
    same = sum(left(beside, place) == left(apart, place) for place in range(len(runs)))
    ours, theirs = (1e6 * min(pair[which][1] for pair in found) / len(runs) for which in (0, 1))
    return {
        "width": width, "batch": batch, "lane_us": ours, "apart_us": theirs, "ratio": theirs / ours, "runs": len(runs),
        "equal_runs": same,
    }  # fmt: skip


def line(row: dict[str, Any]) -> str:
    """Return a row as it is printed."""
    times = f"{row['apart_us']:7.1f} us a run apart, {row['lane_us']:7.1f} in lanes: {row['ratio']:4.2f} times"
    return f"2 x {row['width']:2d} batch {row['batch']:2d}: {times}; {row['equal_runs']} of {row['runs']} runs equal"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    parser.add_argument("--rounds", type=int, default=9)
    given, rows = parser.parse_args(), []
    prepare(configs(8, 64)[:1])
    begun, before = time.process_time(), jit.published()
    prepare(configs(8, 64))
    preparing, compiled = time.process_time() - begun, jit.published() - before
    for width, batch in product((8, 16, 32), (64, 8, 1)):
        rows.append(compare(width, batch, given.rounds))
        print(line(rows[-1]), flush=True)
    if given.out:
        cost = {"prepare_cpu_seconds": preparing, "kernels_compiled": compiled}
        found = {"host": host(1), "lanes": LANES, **cost, "rows": rows}
        given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
