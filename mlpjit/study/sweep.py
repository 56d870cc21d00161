"""Running a study: tuning runs, then the best settings on fresh seeds, then step times; the store is the memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.store import Session, Store, StoredRun
from mlpjit.store.database import FILE_NAME
from mlpjit.study.plan import COMPILE_FIELDS, Known, ListedRuns, Runs, StepTiming, final_runs, missing, step_timings
from mlpjit.study.pool import Ended, Runner, Task, ThreadPool, compiled_runner, now, thread_count
from mlpjit.study.progress import Snapshot, Tracker
from mlpjit.study.signals import Interrupted, StopSignals
from mlpjit.study.stored_row import stored_run

if TYPE_CHECKING:
    from mlpjit.study.study import Study


@dataclass
class Summary:
    """What a call of `sweep` did. Counts of `state` are over all runs of the study, made now or before."""

    total: int = 0
    ran: int = 0
    states: dict[str, int] = field(default_factory=dict)
    timings: int = 0
    compile_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def failed(self) -> int:
        """Runs without a result: failed or timed out."""
        return self.states.get("failed", 0) + self.states.get("timed_out", 0)


@dataclass(frozen=True)
class Work:
    """A study measured against a store. `final` is None while tuning runs are missing or none are asked for."""

    tuning: Runs
    final: ListedRuns | None
    missing_tuning: list[int]
    missing_final: list[int]
    missing_timings: list[StepTiming]
    timings: list[StepTiming]

    @property
    def stages(self) -> list[tuple[str, Sequence[str]]]:
        """The plan as the store keeps it."""
        return [("tune", self.tuning.run_ids), ("final", self.final.run_ids if self.final else [])]

    @property
    def timing_keys(self) -> list[str]:
        """The names of the step times."""
        return [timing.key for timing in self.timings]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the store holds everything."""
        return not (self.missing_tuning or self.missing_final or self.missing_timings)


def work(study: Study, known: Known, timed: set[str]) -> Work:
    """Compare a study with what a store holds. A failed tuning run counts as made: it is tried once a call."""
    tuning = study.runs
    todo = missing(tuning, known)
    tried = all(tuning.run_ids[index] in known for index in todo)
    final = None
    if study.final and tried:
        final = final_runs(tuning, known, study.final["per"], study.final["seeds"])
    timings = step_timings(tuning, study.timing["repeats"], study.timing["width"]) if study.timing else []
    missing_final = missing(final, known) if final else []
    return Work(tuning, final, todo, missing_final, [t for t in timings if t.key not in timed], timings)


def sweep(
    study: Study,
    directory: Path,
    threads: int | None = None,
    progress: Callable[[Snapshot], None] | None = None,
    runner: Runner | None = None,
) -> Summary:
    """Make every run of a study that the store in `directory` lacks. See `Study.run`."""
    began, count = time.monotonic(), thread_count(threads)
    if (found := _complete(study, directory)) is not None:
        found.wall_seconds = time.monotonic() - began
        return found
    with StopSignals() as signals, Store.open(directory / FILE_NAME) as store:
        return Sweep(study, store, count, progress, runner or compiled_runner(), signals).run()


def _complete(study: Study, directory: Path) -> Summary | None:
    """Return the summary of a study that needs nothing, without opening its store for writing."""
    if not (directory / FILE_NAME).exists():
        return None
    with Store.open(directory, readonly=True) as store:
        known = store.known()
        todo = work(study, known, store.timing_keys())
        if not todo.nothing_to_do or not store.has_plan(study.canonical(), todo.stages, todo.timing_keys):
            return None
        return Summary(states=_states(todo, known), total=sum(len(ids) for _, ids in todo.stages))


def _states(done: Work, known: Known) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, run_ids in done.stages:
        for run_id in run_ids:
            state = known[run_id][0] if run_id in known else "missing"
            counts[state] = counts.get(state, 0) + 1
    return counts


class Sweep:
    """One call of `sweep` with its store open: the stages in their order."""

    def __init__(
        self,
        study: Study,
        store: Store,
        threads: int,
        progress: Callable[[Snapshot], None] | None,
        runner: Runner,
        signals: StopSignals,
    ) -> None:
        self.study, self.store, self.threads = study, store, threads
        self.progress, self.runner, self.signals = progress, runner, signals
        self.summary = Summary()
        self.began = time.monotonic()

    def run(self) -> Summary:
        """Run all stages. Raises Interrupted once everything finished is stored."""
        from mlpjit.host import host, package_versions

        todo = self._work()
        self.store.save_plan(self.study.canonical(), todo.stages, todo.timing_keys)
        command = self.study.command(self.store.path.parent)
        session = Session(host(self.threads), now(), {"versions": package_versions(), "command": command})
        self.session = self.store.start_session(session)
        try:
            self._stages(todo)
        except Interrupted:
            self.signals.event.set()
        self.summary.wall_seconds = time.monotonic() - self.began
        self.store.end_session(self.session, self.summary.compile_seconds, self.summary.wall_seconds)
        self.store.flush()
        if self.signals.event.is_set():
            raise Interrupted(f"interrupted; {self.summary.ran} runs were stored. The same command again resumes.")
        return self._finished()

    def _work(self) -> Work:
        return work(self.study, self.store.known(), self.store.timing_keys())

    def _finished(self) -> Summary:
        known, done = self.store.known(), self._work()
        self.summary.states = _states(done, known)
        self.summary.total = sum(len(ids) for _, ids in done.stages)
        return self.summary

    def _stages(self, todo: Work) -> None:
        self._make("tune", todo.tuning, todo.missing_tuning)
        if self.signals.event.is_set():
            return
        self.store.flush()
        todo = self._work()
        self.store.save_plan(self.study.canonical(), todo.stages, todo.timing_keys)
        if todo.final:
            self._make("final", todo.final, todo.missing_final)
        if not self.signals.event.is_set():
            self._measure(todo.missing_timings)

    def _make(self, stage: str, runs: Runs, todo: list[int]) -> None:
        """Compile what these runs need, then make them, the longest first."""
        if not todo:
            return
        costs = self._costs(runs)
        tracker = Tracker(stage, len(todo), len(runs) - len(todo), float(costs[todo].sum()), self.progress)
        tracker.tick(force=True)
        self._compile(runs, todo)
        tracker.started = time.monotonic()
        order = sorted(todo, key=lambda index: (-costs[index], index))
        tasks = (Task(index, runs.config(index), float(costs[index])) for index in order)
        pool = ThreadPool(self.runner, self.threads, lambda ended: (ended, self._row(runs, ended)))
        for ended, row in pool.run(tasks, self.signals.event, tracker.tick):
            self.store.put(row)
            self.summary.ran += 1
            values = row.values
            loss = values.get("final_validation_loss")
            label = f"{values['optimizer']}, rate {values['learning_rate']:g}"
            tracker.add(values["state"], ended.task.cost, loss, label)
        self.store.flush()
        tracker.tick(force=True)

    def _costs(self, runs: Runs) -> np.ndarray[Any, np.dtype[np.float64]]:
        from mlpjit.training.cost import estimated_cost

        return np.maximum(runs.numbers(estimated_cost), 1.0)

    def _compile(self, runs: Runs, todo: list[int]) -> None:
        with self.signals.at_once():
            seconds = self.runner.prepare(runs.representatives(COMPILE_FIELDS, todo))
        self.summary.compile_seconds += seconds

    def _row(self, runs: Runs, ended: Ended) -> StoredRun:
        return stored_run(ended, runs.run_ids[ended.task.index], self.session)

    def _measure(self, timings: Sequence[StepTiming]) -> None:
        """Measure step times, one at a time and with nothing beside them."""
        tracker = Tracker("timing", len(timings), 0, float(len(timings)), self.progress)
        if timings:
            with self.signals.at_once():
                self.summary.compile_seconds += self.runner.prepare([timing.config for timing in timings])
        for timing in timings:
            with self.signals.at_once():
                measured = self.runner.measure_step(timing.config, timing.repeats)
            values = {**timing.config.factors(), **measured}
            self.store.put_timing(timing.key, values, now(), self.session)
            self.summary.timings += 1
            tracker.add("done", 1.0, None, "")
            tracker.tick(force=tracker.done == tracker.total)
