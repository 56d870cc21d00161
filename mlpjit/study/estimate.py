"""What a study will take: runs, steps, time and memory, from its plan and what the store measured before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlpjit.config.fields import PROBLEM, columns_of
from mlpjit.store import FILE_NAME, Store
from mlpjit.study.choice import groups_of
from mlpjit.study.plan import Known, Runs, work
from mlpjit.study.study import Study
from mlpjit.training.cost import estimated_bytes, estimated_cost
from mlpjit.training.shape import total_steps

CAUTIOUS_FLOPS = 10e9  # per second and thread, where nothing was measured: slow CPUs reach it
PROCESS_BYTES = 250e6  # the interpreter with Numba and its compiled code


@dataclass(frozen=True)
class Estimate:
    """Counts are of tuning and final runs together; `measured` says whether `seconds` rest on stored runs."""

    study: str
    total: int
    cached: int
    new: int
    duplicates: int
    tuning_runs: int
    final_runs: int
    step_timings: int
    steps: int
    seconds: float
    measured: bool
    memory_bytes: float
    threads: int


def estimate(study: Study, directory: Path, threads: int) -> Estimate:
    """Plan a study against the store in `directory`; nothing is written. Raises ConfigError and StoreError."""
    known, timed, speeds = _stored(directory)
    todo, tuning = work(study, known, timed), study.runs
    costs, steps = tuning.numbers(estimated_cost), tuning.numbers(total_steps)
    final, final_new, share = _final(study, todo.final, todo.missing_final, len(tuning))
    new = todo.missing_tuning
    flops, measured = _speed(tuning, costs, speeds)
    cost = float(costs[new].sum() + share * final_new * costs.sum())
    longest = float(costs[new].max()) if new else 0.0
    return Estimate(
        study=study.name,
        total=len(tuning) + final,
        cached=len(tuning) - len(new) + final - final_new,
        new=len(new) + final_new,
        duplicates=tuning.duplicates,
        tuning_runs=len(tuning),
        final_runs=final,
        step_timings=len(todo.timings),
        steps=int(steps[new].sum() + share * final_new * steps.sum()),
        seconds=max(cost / threads, longest) / flops,
        measured=measured,
        memory_bytes=PROCESS_BYTES + threads * float(tuning.numbers(estimated_bytes).max(initial=0.0)),
        threads=threads,
    )


def _stored(directory: Path) -> tuple[Known, set[str], dict[str, float]]:
    store = Store.find(directory / FILE_NAME)
    if store is None:
        return {}, set(), {}
    with store:
        return store.known(), store.timing_keys(), dict(store.speeds())


def _final(study: Study, runs: Runs | None, missing: list[int], tuning: int) -> tuple[int, int, float]:
    """Return the final runs, how many are new, and the share of all tuning runs that one stands for."""
    if not study.final or not tuning:
        return 0, 0, 0.0
    if runs is not None:
        return len(runs), len(missing), 1.0 / tuning
    count = sum(competitors(study)) * len(study.final["seeds"])
    return count, count, 1.0 / tuning


def competitors(study: Study) -> list[int]:
    """Return how many competitors the final stage has on each problem; none without one."""
    if not study.final:
        return []
    groups = groups_of(study.final["per"])
    found = set(zip(*(study.runs.column(name) for name in groups), strict=True))
    places = [groups.index(name) for name in PROBLEM if name not in columns_of(study.final["per"])]
    return list(Counter(tuple(group[place] for place in places) for group in found).values())


def _speed(
    runs: Runs, costs: np.ndarray[tuple[int], np.dtype[np.float64]], speeds: dict[str, float]
) -> tuple[float, bool]:
    """Return FLOP per second of one thread, and whether it was measured."""
    if not speeds:
        return CAUTIOUS_FLOPS, False
    seconds = np.array([speeds.get(run_id, np.nan) for run_id in runs.run_ids])
    found = np.isfinite(seconds)
    if not found.any():
        return CAUTIOUS_FLOPS, False
    return float(costs[found].sum() / seconds[found].sum()), True
