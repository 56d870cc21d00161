"""What a study will take: runs, steps, time and memory, from its plan and what the store measured before.

Time is that of `mlpjit run` from its start to its end, with nothing beside it: start, kernels, runs, step times,
report. A run's own is `training/cost.py`'s; the rest are the constants below, in seconds of the same core. All of it is
scaled by how fast this machine is (`study/pace.py`), the runs by how long those took that are stored, if any are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.comparison import names
from mlpjit.config.fields import PROBLEM, SETTING, columns_of
from mlpjit.config.run_config import RunConfig
from mlpjit.host import available_threads
from mlpjit.store import FILE_NAME, Store
from mlpjit.study.choice import Known
from mlpjit.study.memory import estimated_memory
from mlpjit.study.pace import compiled_before, kernel_slowness, python_slowness
from mlpjit.study.plan import MOST_LANES, Work, missing, work
from mlpjit.study.racing import dropped
from mlpjit.study.runs import Runs
from mlpjit.study.study import Study
from mlpjit.training.cost import estimated_cost
from mlpjit.training.shape import total_steps

START_SECONDS = 0.35  # until the study is read
# Kernels: what takes long is compiled on two cores.
LOAD_SECONDS, LOAD_RULE_SECONDS = 0.05, 0.003
COMPILE_SECONDS, COMPILE_RULE_SECONDS = 10.0, 0.25
RULES = ("optimizer", "activation", "init", "normalization", "loss", "schedule", "clip")
# What Python does, one thread at a time (`mlpjit bench harness`): for a run, and for those of one group the first time.
HELD_SECONDS, GROUP_SECONDS = 35e-6, 1.0e-3
TIMING_SECONDS = 2e-3
# Many narrow networks are made side by side (`training.lanes`): up to which width, and what is left of their seconds.
LANE_WIDTH, LANE_SHARE = 32, 0.4
# Figures and page, with some more for each factor that they show; and for each run that is read.
REPORT_SECONDS, REPORT_FACTOR_SECONDS, REPORT_RUN_SECONDS = 0.95, 0.3, 7e-5
Problem = tuple[Any, ...]


@dataclass(frozen=True)
class Estimate:
    """Counts are of tuning, final and default runs together; `measured`: whether the runs' seconds rest on stored runs.

    seconds: in all. parts: of it, by what they go to. Where settings race these are upper bounds: of runs, steps and
    time as if no further setting were dropped.
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
    parts: dict[str, float]
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
    runs, after = len(tuning) - len(out), final_new + default_new
    slowness = _slowness(tuning, costs, speeds)
    around = _around(tuning, todo, runs + final + default)
    parts = {
        "start": around["start"],
        "kernels": around["kernels"],
        "runs": _runs_seconds(tuning, costs * (slowness or kernel_slowness() * _shares(tuning)), new, after, threads),
        "step times": _timings_seconds(todo, slowness or kernel_slowness()),
        "report": around["report"],
    }
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
        steps=int(steps[new].sum() + share * after * steps.sum()),
        seconds=sum(parts.values()),
        parts=parts,
        measured=slowness is not None,
        memory_bytes=estimated_memory(tuning, threads),
        threads=threads,
        races=bool(todo.raced),
    )


def _around(runs: Runs, todo: Work, total: int) -> dict[str, float]:
    """Return the seconds of all but the work itself; of a study that is stored, those of the report alone."""
    slowness = python_slowness()
    shown = sum(runs.varies(name) for name in SETTING if name != "learning_rate")
    report = REPORT_SECONDS + shown * REPORT_FACTOR_SECONDS + total * REPORT_RUN_SECONDS
    found = {"start": START_SECONDS, "kernels": 0.0 if todo.nothing_to_do else _kernels_seconds(runs), "report": report}
    return {name: seconds * slowness for name, seconds in found.items()}


def _kernels_seconds(runs: Runs) -> float:
    rules, found = sum(len(runs.values(name)) for name in RULES), 0.0
    for dtype in runs.values("dtype"):
        if compiled_before(dtype):
            found += LOAD_SECONDS + rules * LOAD_RULE_SECONDS
        else:
            found += (COMPILE_SECONDS + rules * COMPILE_RULE_SECONDS) / min(2, available_threads())
    return found


def _runs_seconds(runs: Runs, costs: npt.NDArray[np.float64], new: list[int], final_new: int, threads: int) -> float:
    """Return the seconds of all new runs on so many threads: never less than the longest, nor what holds the GIL."""
    if not new and not final_new:
        return 0.0
    groups = len(np.unique(runs.groups()[new])) + final_new
    held = ((len(new) + final_new) * HELD_SECONDS + groups * GROUP_SECONDS) * python_slowness()
    cost = float(costs[new].sum() + final_new * costs.mean())
    longest = float(costs[new].max(initial=0.0))
    return max((cost + held) / min(threads, available_threads()), longest, held)


def _shares(runs: Runs) -> npt.NDArray[np.float64]:
    """Return what is left of each run's seconds where those of a group are made side by side."""
    _, place, count = np.unique(runs.groups(), return_inverse=True, return_counts=True)
    return np.where((count[place] >= MOST_LANES) & (runs.numbers(_is_narrow) > 0), LANE_SHARE, 1.0)


def _is_narrow(config: RunConfig) -> bool:
    return (
        config.dtype == "float32" and config.normalization == "none" and 0 < max(config.hidden, default=0) <= LANE_WIDTH
    )


def _timings_seconds(todo: Work, slowness: float) -> float:
    return sum(
        timing.repeats * (TIMING_SECONDS + estimated_cost(timing.config) * slowness) for timing in todo.missing_timings
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
    count = final_count(study)
    return count, count, 1.0 / tuning


def final_count(study: Study) -> int:
    """Return how many final runs a study will have, before it is known of which settings."""
    rivals = sum(len(some) for some in competing(study).values())
    return rivals * len(study.final["seeds"]) if study.final else 0


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


def _slowness(runs: Runs, costs: npt.NDArray[np.float64], speeds: dict[str, float]) -> float | None:
    """Return how many times longer than estimated the stored runs of this study took; None where there are none."""
    seconds = np.array([speeds.get(run_id, np.nan) for run_id in runs.run_ids])
    found = np.isfinite(seconds)
    return float(seconds[found].sum() / costs[found].sum()) if found.any() else None
