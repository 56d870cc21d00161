"""What a study would run: what the store lacks of its tuning, the best settings' final runs, and step times."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mlpjit.config.fields import KERNEL_FIELDS, SHAPE_FIELDS
from mlpjit.config.identity import digest
from mlpjit.config.run_config import RunConfig
from mlpjit.extending.files import OwnFile
from mlpjit.store import Store
from mlpjit.study.choice import Known
from mlpjit.study.chunks import Task
from mlpjit.study.competitors import Called
from mlpjit.study.finals import final_runs
from mlpjit.study.own_sources import keep_sources
from mlpjit.study.racing import Raced, dropped, left_to_run, taking_part
from mlpjit.study.runs import ListedRuns, Runs

TIMED_EPOCHS = 3  # a step's time needs no whole run
COMPILE_FIELDS = (*KERNEL_FIELDS, "dtype")
MOST_LANES = 16  # of a vector
WORTH_SECONDS = 2.0  # of runs, by estimate, for which it pays to compile what makes them side by side


def missing(runs: Runs, known: Known) -> list[int]:
    """Return the runs that still need to be made: not stored, failed, or cut by another time limit than now's."""
    timeouts = runs.timeouts()
    return [index for index, run_id in enumerate(runs.run_ids) if not _settled(known.get(run_id), timeouts[index])]


def _settled(found: tuple[str, float | None, float | None] | None, timeout: float | None) -> bool:
    if found is None:
        return False
    return found[0] in ("done", "diverged") or (found[0] == "timed_out" and found[1] == timeout)


def to_prepare(
    runs: Runs, among: Sequence[int] | None = None, costs: np.ndarray[Any, np.dtype[np.float64]] | None = None
) -> list[RunConfig]:
    """Return a config of each combination of what is compiled, and as many as lanes of those that pay side by side.

    costs: estimated seconds of all runs; without them, the number of a group's runs decides alone.
    """
    some, groups = np.arange(len(runs)) if among is None else np.asarray(among), runs.groups()
    found = runs.representatives(COMPILE_FIELDS, some.tolist())
    _, first, place, count = np.unique(groups[some], return_index=True, return_inverse=True, return_counts=True)
    many = count >= MOST_LANES
    if costs is not None and np.bincount(place, costs[some])[many].sum() < WORTH_SECONDS:
        return found
    return found + [config for index in some[first[many]].tolist() for config in [runs.config(index)] * MOST_LANES]


def in_order(
    runs: Runs, todo: Sequence[int], costs: np.ndarray[Any, np.dtype[np.float64]]
) -> Iterator[Task]:  # fmt: skip
    """Yield the runs to make, the longest first, those of one call and those of one seed behind each other."""
    groups, some = runs.groups(), np.array(todo)
    some = some[np.lexsort((some, runs.seeds()[some], groups[some], -costs[some]))]
    own, like = runs.own(), dict[int, RunConfig]()
    for index, cost, group in zip(some.tolist(), costs[some].tolist(), groups[some].tolist(), strict=True):
        if group not in like:
            like[group] = runs.config(index)
        yield Task(index, like[group], cost, group, own[index])


@dataclass(frozen=True)
class StepTiming:
    """One step time to measure."""

    config: RunConfig
    repeats: int

    @cached_property
    def key(self) -> str:
        """The name under which the store keeps it."""
        return digest(f"step time {self.config.run_id} {self.repeats}")


def step_timings(runs: Runs, repeats: int, widths: Sequence[int]) -> list[StepTiming]:
    """Return a step time per distinct hidden layers and optimizer, and per width asked for besides."""
    found: dict[str, RunConfig] = {}
    for config in runs.representatives((*SHAPE_FIELDS, "optimizer")):
        for hidden in (config.hidden, *((width,) * config.depth for width in widths)):
            found.setdefault(json.dumps([hidden, config.optimizer]), _reshaped(config, hidden))
    return [StepTiming(config, repeats) for config in found.values()]


def _reshaped(config: RunConfig, hidden: Sequence[int]) -> RunConfig:
    values = {name: config.__dict__[name] for name in RunConfig.model_fields}
    return RunConfig.trusted({**values, "hidden": hidden, "epochs": min(config.epochs, TIMED_EPOCHS)}, config.data)


class Planned(Protocol):
    """What planning and sweeping ask of a study."""

    @property
    def source(self) -> str:
        """The name or path that it was loaded by, empty without one."""

    @property
    def use(self) -> Sequence[OwnFile]:
        """The files of the user's own that it names."""

    @property
    def runs(self) -> Runs:
        """The distinct tuning runs."""

    @property
    def called(self) -> Called:
        """The competitors of tuned specs."""

    @property
    def repetitions(self) -> Sequence[Sequence[int]]:
        """The tuning seeds of each repetition."""

    @property
    def defaults(self) -> Runs | None:
        """The untuned competitors on the final seeds, where they are asked for."""

    @property
    def final(self) -> Mapping[str, Any] | None:
        """What the final runs are: {per, seeds}; `per` a column or several."""

    @property
    def timing(self) -> Mapping[str, Any] | None:
        """What step times to measure: {repeats, width}."""

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain data."""

    def command(self, directory: Path) -> str:
        """Return the shell command that runs it into `directory`."""

    def told(self) -> Sequence[str]:
        """Return what there is to tell of its data, a line each."""

    def races(self, known: Known) -> Sequence[Raced]:
        """Return how far the races of its tuning are; none where it has none."""

    def pairing(self, known: Known) -> Batches | None:
        """Return what goes on after the final runs, as far as results ask for it; None where nothing does."""


class Batches(Protocol):
    """Runs that are called for by the results of those before."""

    def batch(self, store: Store, threads: int) -> ListedRuns | None:
        """Return the runs to make next, of which the store may hold some; None at the end."""


@dataclass(frozen=True)
class Work:
    """A study measured against a store. `final` is None while tuning runs are missing or none are asked for.

    Of a race `missing_tuning` are the runs of its next look.
    """

    tuning: Runs
    raced: Sequence[Raced]
    final: ListedRuns | None
    defaults: Runs | None
    missing_tuning: list[int]
    missing_final: list[int]
    missing_defaults: list[int]
    missing_timings: list[StepTiming]
    timings: list[StepTiming]

    @property
    def stages(self) -> list[tuple[str, Sequence[str]]]:
        """The plan as the store keeps it; a run may have several parts in it."""
        out, ids = dropped(self.raced), self.tuning.run_ids
        tuning = [run_id for index, run_id in enumerate(ids) if index not in out]
        made = [ids[index] for one in self.raced for index in one.made_in_vain]
        found = [("final", self.final), ("default", self.defaults)]
        return [("tune", tuning), ("dropped", made), *((stage, runs.run_ids if runs else []) for stage, runs in found)]

    @property
    def left(self) -> list[tuple[Runs, list[int]]]:
        """The runs of each stage with those of them that are missing."""
        stages = [
            (self.tuning, self.missing_tuning), (self.final, self.missing_final), (self.defaults, self.missing_defaults)
        ]  # fmt: skip
        return [(runs, some) for runs, some in stages if runs and some]

    @property
    def timing_keys(self) -> list[str]:
        """The names of the step times."""
        return [timing.key for timing in self.timings]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the store holds everything."""
        return not (self.missing_tuning or self.missing_final or self.missing_defaults or self.missing_timings)

    def states(self, known: Known) -> dict[str, int]:
        """Count the runs of all stages by their state; what is not stored is "missing"."""
        planned = dict.fromkeys(run_id for _, run_ids in self.stages for run_id in run_ids)
        return dict(Counter(known.get(run_id, ("missing",))[0] for run_id in planned))


def save(store: Store, study: Planned, todo: Work) -> None:
    """Leave the plan in the store, and the texts of the files that the study names."""
    store.save_plan(study.canonical(), todo.stages, todo.timing_keys)
    keep_sources(store, study.use)


def work(study: Planned, known: Known, timed: set[str]) -> Work:
    """Compare a study with what a store holds. A failed tuning run counts as made: it is tried once a call."""
    tuning, defaults, raced = study.runs, study.defaults, study.races(known)
    todo = left_to_run(raced, missing(tuning, known), tuning.run_ids, known)
    tried = all(tuning.run_ids[index] in known for index in todo)
    final = None
    if study.final and tried:
        per, seeds = study.final["per"], study.final["seeds"]
        known_here = taking_part(raced, tuning.run_ids, known)
        final = final_runs(tuning, known_here, per, seeds, study.called, study.repetitions)
    timings = step_timings(tuning, study.timing["repeats"], study.timing["width"]) if study.timing else []
    return Work(
        tuning, raced, final, defaults, todo, missing(final, known) if final else [],
        missing(defaults, known) if defaults else [], [t for t in timings if t.key not in timed], timings,
    )  # fmt: skip
