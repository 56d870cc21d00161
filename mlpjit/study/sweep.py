"""Running a study: tuning runs, then the best settings on fresh seeds, then step times; the store is the memory."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlpjit.config.run_config import RunConfig
from mlpjit.host import check_rounding
from mlpjit.kernels.sources import check_unchanged
from mlpjit.store import FILE_NAME, RowError, Store
from mlpjit.store.notes import RACES
from mlpjit.study.chunks import Task
from mlpjit.study.memory import Room
from mlpjit.study.moments import now
from mlpjit.study.plan import Planned, StepTiming, Work, in_order, missing, save, to_prepare, work
from mlpjit.study.pool import Ended, Runner, compiled_runner, thread_count
from mlpjit.study.progress import Snapshot, Tracker, label_of
from mlpjit.study.racing import records
from mlpjit.study.runs import Runs
from mlpjit.study.sessions import Sessions
from mlpjit.study.signals import Interrupted, StopSignals
from mlpjit.study.stored_row import stored_rows, without_result

LOST = "is not in the store, though it was made"


class Kept(NamedTuple):
    """Runs that the store was given, by which number it knows that; each with its state and final validation loss."""

    number: int
    runs: list[tuple[Task, str, float | None]]


@dataclass(frozen=True)
class Found:
    """What a store held before a sweep: the name of its study, its runs, and how many tuning runs of this plan."""

    study: str
    runs: int
    planned: int


@dataclass
class Summary:
    """What a call of `sweep` did. Counts of `state` are over all runs of the study, made now or before.

    `errors` counts the runs without a result by what ended them; `pairs` the runs made now besides, for verdicts.
    `races` has what racing did for each competitor and problem (`racing.records`).
    """

    total: int = 0
    ran: int = 0
    pairs: int = 0
    states: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    timings: int = 0
    compile_seconds: float = 0.0
    wall_seconds: float = 0.0
    races: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Runs without a result: failed, timed out, or lost."""
        return sum(self.states.get(state, 0) for state in ("failed", "timed_out", "missing"))


def sweep(
    study: Planned,
    directory: Path,
    threads: int | None = None,
    progress: Callable[[Snapshot], None] | None = None,
    runner: Runner | None = None,
    announce: Callable[[Found], None] | None = None,
    force: bool = False,
) -> Summary:
    """Make every run of a study that the store in `directory` lacks. See `Study.run`.

    `announce` is told what the store holds before anything is run. Where it holds everything, it is not written.
    """
    check_rounding()
    count = thread_count(threads)
    path = directory / FILE_NAME
    room = Room(count, runner.at_once if runner else Runner.at_once, study.source, force)
    with StopSignals() as signals, Store.find(path) or _made(path, study, room) as store:
        return Sweep(study, store, count, progress, runner, signals, room).run(announce)


def _made(path: Path, study: Planned, room: Room) -> Store:
    """Make a store. Raises ConfigError, and makes none, where there is no room for the runs."""
    room.check(study.runs)
    return Store.open(path)


class Sweep:
    """One call of `sweep` with its store open: the stages in their order."""

    def __init__(
        self,
        study: Planned,
        store: Store,
        threads: int,
        progress: Callable[[Snapshot], None] | None,
        runner: Runner | None,
        signals: StopSignals,
        room: Room,
    ) -> None:
        self.study, self.store, self.threads, self.room = study, store, threads, room
        self.progress, self.signals, self._runner = progress, signals, runner
        self.summary = Summary()
        self.began = time.monotonic()

    @cached_property
    def runner(self) -> Runner:
        """What makes the runs: compiled kernels, loaded when there is something to run, unless it was given."""
        return self._runner or compiled_runner()

    def run(self, announce: Callable[[Found], None] | None = None) -> Summary:
        """Run all stages. Raises Interrupted once everything finished is stored, ConfigError as `Room.check` does."""
        with self.signals.at_once():
            version = self.store.content_version()
            todo = self._planned(announce)
            self.room.check_left(todo)
        if not todo.nothing_to_do or not self._is_saved(todo) or self._goes_on():
            self.store.start_writing()
            if self.store.content_version() != version:  # another process wrote, and has ended since
                todo = self._planned()
            todo = self._session(todo)
        return self._finished(todo)

    def _planned(self, announce: Callable[[Found], None] | None = None) -> Work:
        """Compare the study with the store: at the start, and where a stage has changed it."""
        self.known, self._known_at = self.store.known(), self._made_now()
        if announce:
            planned = sum(run_id in self.known for run_id in self.study.runs.run_ids)
            announce(Found(self.store.study().get("name", ""), len(self.known), planned))
        return work(self.study, self.known, self.store.timing_keys())

    def _made_now(self) -> int:
        return self.summary.ran + self.summary.pairs

    def _is_saved(self, todo: Work) -> bool:
        return self.store.has_plan(self.study.canonical(), todo.stages, todo.timing_keys)

    def _save(self, todo: Work) -> None:
        save(self.store, self.study, todo)

    def _session(self, todo: Work) -> Work:
        """Make what is missing, and leave in the store who did that; return what was planned in the end."""
        self._save(todo)
        command = self.study.command(self.store.path.parent)
        self.sessions = Sessions(self.store, self.threads, command, self.study.told())
        try:
            todo = self._stages(todo)
        except Interrupted:
            self.signals.event.set()
        self.sessions.end(self.summary.compile_seconds, time.monotonic() - self.began)
        self.store.flush()
        if self.signals.event.is_set():
            raise Interrupted(f"interrupted; {self._made_now()} runs were stored. The same command again resumes.")
        if self._made_now() != self._known_at:
            self.known = self.store.known()
        if todo.raced:
            self.store.put_note(RACES, records(todo.raced, todo.tuning.run_ids, self.store))
        return todo

    def _finished(self, done: Work) -> Summary:
        """Complete the summary from what the store holds now."""
        self.summary.races = (self.store.note(RACES) or []) if done.raced else []
        self.summary.states = done.states(self.known)
        self.summary.total = sum(self.summary.states.values())
        if self.summary.failed:
            rows = self.store.rows(("state", "error"))
            errors = Counter(error for state, error in rows if state in ("failed", "timed_out"))
            errors[LOST] = self.summary.states.get("missing", 0)
            self.summary.errors = dict(+errors)
        self.summary.wall_seconds = time.monotonic() - self.began
        return self.summary

    def _stages(self, todo: Work) -> Work:
        tried: set[int] = set()  # a run that fails is made once a call
        while new := [index for index in todo.missing_tuning if index not in tried]:
            self._make("tune", todo.tuning, new)
            if self.signals.event.is_set():
                return todo
            tried.update(new)
            todo = self._planned()
            self._save(todo)
        if todo.final:
            self._make("final", todo.final, todo.missing_final)
        if todo.defaults and not self.signals.event.is_set():
            self._make("default", todo.defaults, missing(todo.defaults, self.store.known()))
        self._make_pairs()
        if not self.signals.event.is_set():
            self._measure(todo.missing_timings)
        return todo

    def _goes_on(self) -> bool:
        pairing = self.study.pairing(self.known)
        return pairing is not None and pairing.batch(self.store, self.threads) is not None

    def _make_pairs(self) -> None:
        """Make batches of runs for as long as their results call for more; what is stored is as good as made."""
        pairing = None if self.signals.event.is_set() else self.study.pairing(self.known)
        planned = self.summary.ran
        while pairing and not self.signals.event.is_set() and (runs := pairing.batch(self.store, self.threads)):
            stored = self.store.rows_of(runs.run_ids, ("state",))
            self._make("pairs", runs, [index for index, run_id in enumerate(runs.run_ids) if run_id not in stored])
        self.summary.ran, self.summary.pairs = planned, self.summary.ran - planned

    def _make(self, stage: str, runs: Runs, todo: list[int]) -> None:
        """Compile what these runs need, then make them, the longest first."""
        if not todo:
            return
        costs = self._costs(runs)
        left = {runs.run_ids[index] for index in todo}
        stored = sum(run_id in self.known and run_id not in left for run_id in runs.run_ids)
        tracker = Tracker(stage, len(todo), stored, float(costs[todo].sum()), self.progress)
        tracker.tick(force=True)
        self._compile(to_prepare(runs, todo, costs), tracker)
        tracker.started = time.monotonic()
        pool = self.runner.pool(self.threads, lambda ended: self._keep(runs, ended))
        made: deque[Kept] = deque()

        def tick(running: float) -> None:
            self._report(made, tracker)
            tracker.tick(running)

        for kept in pool.run(in_order(runs, todo, costs), tracker.cost, self.signals.event, tick):
            made.extend(kept)
        self.store.flush()
        self._report(made, tracker)
        tracker.tick(force=True)

    def _costs(self, runs: Runs) -> np.ndarray[Any, np.dtype[np.float64]]:
        from mlpjit.training.cost import estimated_cost

        return runs.numbers(estimated_cost)

    def _compile(self, configs: list[RunConfig], tracker: Tracker) -> None:
        with self.signals.at_once():
            check_unchanged()
            seconds = self.runner.prepare(configs, tracker.prepare)
        self.summary.compile_seconds += seconds

    def _report(self, made: deque[Kept], tracker: Tracker) -> None:
        """Count the runs that nothing can undo any more, in the order in which they were queued."""
        while made and self.store.holds(made[0].number):
            for task, state, loss in made.popleft().runs:
                self.summary.ran += 1
                label = label_of(task.config) if tracker.is_best(state, loss) else ""
                tracker.add(state, task.cost, loss, label)

    def _keep(self, runs: Runs, ended: Ended) -> list[Kept]:
        """Store runs that ended; one that no store can hold is stored as failed."""
        run_ids, error = [runs.run_ids[task.index] for task in ended.tasks], ""
        session = self.sessions.of(ended.machine)
        if ended.results:
            try:
                number = self.store.put_all(stored_rows(ended, run_ids, session))
                losses = ended.results.numbers["final_validation_loss"]
                return [Kept(number, list(zip(ended.tasks, ended.results.states, losses, strict=True)))]
            except RowError as raised:
                error = f"{type(raised).__name__}: {raised}"
            if len(run_ids) > 1:
                return [kept for place in range(len(run_ids)) for kept in self._keep(runs, ended.among([place]))]
        run = without_result(ended, run_ids[0], session, error)
        return [Kept(self.store.put(run), [(ended.tasks[0], run.values["state"], None)])]

    def _measure(self, timings: Sequence[StepTiming]) -> None:
        """Measure step times, one at a time and with nothing beside them."""
        tracker = Tracker("timing", len(timings), 0, float(len(timings)), self.progress)
        if timings:
            with self.signals.at_once():
                self.summary.compile_seconds += self.runner.prepare(
                    [timing.config for timing in timings], tracker.prepare
                )
        for timing in timings:
            with self.signals.at_once():
                measured = self.runner.measure_step(timing.config, timing.repeats)
            values = {**timing.config.factors(), **measured}
            self.store.put_timing(timing.key, values, now(), self.sessions.own)
            self.summary.timings += 1
            tracker.add("done", 1.0, None, "")
            tracker.tick(force=tracker.done == tracker.total)
