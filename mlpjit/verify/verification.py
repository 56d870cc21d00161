"""Run stored runs again and compare every deterministic number and curve with what is stored, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit import __version__
from mlpjit.config.run_config import RunConfig
from mlpjit.host import commit
from mlpjit.report.export import as_text
from mlpjit.study.chunks import Task
from mlpjit.study.moments import now
from mlpjit.study.pool import Ended, Runner, ThreadPool, compiled_runner, thread_count
from mlpjit.study.progress import Snapshot, Tracker
from mlpjit.study.signals import Interrupted, StopSignals
from mlpjit.training.result import Results
from mlpjit.training.values import RunValues, shared, values_of
from mlpjit.verify.kept import NUMBERS, Kept, place_of

SAMPLE = 20


@dataclass(frozen=True)
class Checked:
    """What a stored run is like when it is made again.

    differs: the names of the numbers and curves that do not agree. problem: why it could not be made.
    """

    run_id: str
    differs: tuple[str, ...] = ()
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether every bit is as it was stored."""
        return not self.differs and not self.problem


@dataclass(frozen=True)
class Verification:
    """The answer of `verify`: the runs that were made again, of how many; how many took the ids of the present code."""

    directory: Path
    checked: tuple[Checked, ...]
    stored: int
    adopted: int = 0

    @property
    def wrong(self) -> list[Checked]:
        """The runs that are not as they were stored."""
        return [each for each in self.checked if not each.same]


def verify(
    directory: Path | str, sample: int | None = SAMPLE, adopt: bool = False, threads: int | None = None,
    progress: Callable[[Snapshot], None] | None = None, runner: Runner | None = None,
) -> Verification:  # fmt: skip
    """Make stored runs again, a sample spread evenly or all (None), and compare them with what is stored.

    `directory` holds a store, or an exported table of runs in a folder named like its study. With `adopt`
    runs take the ids of the present code: of a sample all, but only where all of the sample agree; else those that
    agree. The store then notes when, and on what evidence.

    Raises StoreError where nothing is stored, ConfigError for a study that is not known, Interrupted.
    """
    directory = Path(directory)
    place = place_of(directory)
    chosen = _spread(place.run_ids, sample)
    checked = _checked([place.kept(run_id) for run_id in chosen], thread_count(threads), progress, runner)
    found = Verification(directory, tuple(checked), len(place.run_ids))
    if not adopt:
        return found
    configs = _adoptable(found, place.kept, place.run_ids)
    renamed = {run_id: config for run_id, config in configs.items() if config.run_id != run_id}
    adopted = place.adopt(renamed, lambda count: _note(found, count)) if renamed else 0
    return Verification(directory, found.checked, found.stored, adopted)


def _spread(run_ids: Sequence[str], sample: int | None) -> list[str]:
    if sample is None or sample >= len(run_ids):
        return list(run_ids)
    return [run_ids[(2 * place + 1) * len(run_ids) // (2 * sample)] for place in range(sample)]


def _checked(
    kept: Sequence[Kept], threads: int, progress: Callable[[Snapshot], None] | None, runner: Runner | None
) -> list[Checked]:
    """Make the runs again on several threads and compare each as it ends."""
    from mlpjit.training.cost import estimated_cost

    made, configs = runner or compiled_runner(), {k.run_id: k.config for k in kept if k.config}
    costs = {run_id: estimated_cost(config) for run_id, config in configs.items()}
    found = {each.run_id: Checked(each.run_id, problem=each.problem) for each in kept if each.config is None}
    tracker = Tracker("verify", len(configs), 0, sum(costs.values()), progress)
    with StopSignals() as signals:
        with signals.at_once():
            made.prepare(list(configs.values()), tracker.prepare)
        tasks = _tasks(kept, costs)
        pool = ThreadPool(made, threads, lambda ended: compared(kept, ended))
        for task, checked in chain.from_iterable(pool.run(tasks, tracker.cost, signals.event, tracker.tick)):
            found[checked.run_id] = checked
            tracker.add("done" if checked.same else "failed", task.cost, None, "")
        tracker.tick(force=True)
        if signals.event.is_set():
            raise Interrupted("interrupted: nothing was changed")
    return [found[each.run_id] for each in kept]


def _tasks(kept: Sequence[Kept], costs: Mapping[str, float]) -> list[Task]:
    """Return the runs to make, those that one call can make one behind the other."""
    groups: dict[tuple[RunValues, float | None], int] = {}
    found = []
    for index, each in enumerate(kept):
        if each.config:
            key = shared(values_of(each.config)), each.config.timeout
            found.append(Task(index, each.config, costs[each.run_id], groups.setdefault(key, len(groups))))
    return sorted(found, key=lambda task: task.group)


def compared(kept: Sequence[Kept], ended: Ended) -> list[tuple[Task, Checked]]:
    """Compare runs with what is kept of them."""
    pairs = [(task, kept[task.index]) for task in ended.tasks]
    if ended.results is None:
        problem = ended.error or "its time was up"
        return [(task, Checked(each.run_id, problem=problem)) for task, each in pairs]
    return [(task, _differences(each, ended.results, place)) for place, (task, each) in enumerate(pairs)]


def _differences(kept: Kept, results: Results, place: int) -> Checked:
    numbers, history = results.of(place, results.numbers), results.history(place)
    made = {"state": results.states[place], **{name: as_text(name, numbers.get(name)) for name in NUMBERS}}
    differs = [name for name, text in kept.texts.items() if made[name] != text]
    differs += [name for name, stored in kept.curves.items() if not _same_curve(stored, history.get(name))]
    return Checked(kept.run_id, tuple(differs))


def _same_curve(stored: np.ndarray, made: np.ndarray | None) -> bool:
    """Compare in the precision of the store; NaN equals NaN."""
    if made is None:
        return bool(np.isnan(stored).all())
    with np.errstate(over="ignore"):
        return np.array_equal(stored, np.asarray(made).astype(stored.dtype), equal_nan=True)


def _adoptable(found: Verification, kept: Callable[[str], Kept], run_ids: Sequence[str]) -> Mapping[str, RunConfig]:
    """Return the configs of the runs that may take other ids."""
    if len(found.checked) == len(run_ids):
        chosen = [each.run_id for each in found.checked if each.same]
    else:
        chosen = [] if found.wrong else list(run_ids)
    configs = {run_id: kept(run_id).config for run_id in chosen}
    return {run_id: config for run_id, config in configs.items() if config is not None}


def _note(found: Verification, adopted: int) -> dict[str, Any]:
    """Return what is noted: when, by which version, on what evidence."""
    same = sum(each.same for each in found.checked)
    return {
        "adopted_at": now(), "version": __version__, "commit": commit(), "adopted": adopted, "stored": found.stored,
        "rerun": len(found.checked), "same_bits": same,
    }  # fmt: skip
