"""What a study will take: runs, steps, time and memory, from its plan and what the store measured before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.comparison import names
from mlpjit.config.fields import PROBLEM, SETTING, columns_of
from mlpjit.store import FILE_NAME, Store
from mlpjit.study.choice import Known
from mlpjit.study.plan import missing, work
from mlpjit.study.racing import dropped
from mlpjit.study.runs import Runs
from mlpjit.study.study import Study
from mlpjit.training.cost import estimated_bytes, estimated_cost
from mlpjit.training.shape import total_steps

CAUTIOUS_FLOPS = 10e9  # per second and thread, where nothing was measured: slow CPUs reach it
Problem = tuple[Any, ...]
PROCESS_BYTES = 250e6  # the interpreter with Numba and its compiled code


@dataclass(frozen=True)
class Estimate:
    """Counts are of tuning, final and default runs together; `measured` says whether `seconds` rest on stored runs.

    Where settings race they are upper bounds: of runs, steps and time as if no further setting were dropped.
    """

    study: str
    total: int
    cached: int
    new: int
    duplicates: int
    tuning_runs: int
    final_runs: int
    default_runs: int
    step_timings: int
    steps: int
    seconds: float
    measured: bool
    memory_bytes: float
    threads: int
    races: bool


def estimate(study: Study, directory: Path, threads: int) -> Estimate:
    """Plan a study against the store in `directory`; nothing is written. Raises ConfigError and StoreError."""
    known, timed, speeds = _stored(directory)
    todo, tuning = work(study, known, timed), study.runs
    costs, steps = tuning.numbers(estimated_cost), tuning.numbers(total_steps)
    final, final_new, share = _final(study, todo.final, todo.missing_final, len(tuning))
    default, default_new = len(todo.defaults or ()), len(todo.missing_defaults)
    out = dropped(todo.raced)
    new = [index for index in missing(tuning, known) if index not in out]
    runs = len(tuning) - len(out)
    flops, measured = _speed(tuning, costs, speeds)
    cost = float(costs[new].sum() + share * (final_new + default_new) * costs.sum())
    longest = float(costs[new].max()) if new else 0.0
    return Estimate(
        study=study.name,
        total=runs + final + default,
        cached=runs - len(new) + final - final_new + default - default_new,
        new=len(new) + final_new + default_new,
        duplicates=tuning.duplicates,
        tuning_runs=runs,
        final_runs=final,
        default_runs=default,
        step_timings=len(todo.timings),
        steps=int(steps[new].sum() + share * (final_new + default_new) * steps.sum()),
        seconds=max(cost / threads, longest) / flops,
        measured=measured,
        memory_bytes=PROCESS_BYTES + threads * float(tuning.numbers(estimated_bytes).max(initial=0.0)),
        threads=threads,
        races=bool(todo.raced),
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
    rivals = sum(len(some) for some in competing(study).values())
    count = rivals * len(study.final["seeds"])
    return count, count, 1.0 / tuning


def competing(study: Study, per: Sequence[str] = ()) -> dict[Problem, dict[str, int]]:
    """Return for each problem, a data set with its loss, its competitors with how many settings one tuning has of them.

    What competes is given by `per`, or by the final stage: without, nothing does.
    """
    if not per and not study.final:
        return {}
    compared = columns_of(per or (study.final or {})["per"])
    once = _first_repetition(study)
    columns = {name: [values[at] for at in once] for name in SETTING for values in [study.runs.column(name)]}
    settings = list(zip(*columns.values(), strict=True))
    for name in set(compared) & study.called.keys():
        columns[name] = [study.called[name].get(value, value) for value in columns[name]]
    problems, rivals = (list(zip(*(columns[name] for name in some), strict=True)) for some in (PROBLEM, compared))
    found: dict[Problem, dict[str, set[tuple[Any, ...]]]] = {}
    for problem, rival, setting in zip(problems, rivals, settings, strict=True):
        found.setdefault(problem, {}).setdefault(names.competitor(compared, rival), set()).add(setting)
    return {problem: {name: len(some) for name, some in each.items()} for problem, each in found.items()}


def _first_repetition(study: Study) -> Sequence[int]:
    """Return the runs of which the first repetition chooses: all where tuning is not repeated."""
    if study.tuning["repeats"] == 1:
        return range(len(study.runs))
    mine = set(study.repetitions[0])
    return [index for index, seed in enumerate(study.runs.column("seed")) if seed in mine]


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
