"""A sweep whose runs are made on a cluster; this process alone writes the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpjit.cluster.connecting import connected, workers_here
from mlpjit.cluster.crew import Crew
from mlpjit.cluster.pool import ClusterPool
from mlpjit.errors import MlpjitError
from mlpjit.study.plan import Planned
from mlpjit.study.pool import Ended, Pool, Runner, compiled_runner
from mlpjit.study.progress import Snapshot
from mlpjit.study.sweep import Found, Summary, sweep
from mlpjit.verify.kept import Place, place_of
from mlpjit.verify.verification import Checked, compared


@dataclass(frozen=True, kw_only=True)
class ClusterRunner(Runner):
    """What makes runs on a crew; step times are measured in this process."""

    crew: Crew
    twice: list[Ended] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def pool(self, threads: int, finish: Callable[[Ended], Any]) -> Pool:
        """Return the pool of the crew's workers."""
        return ClusterPool(self.crew, finish, self.twice.append, self.lost.append)


def sweep_on(
    address: str,
    study: Planned,
    directory: Path,
    progress: Callable[[Snapshot], None] | None = None,
    announce: Callable[[Found], None] | None = None,
    warn: Callable[[str], None] = lambda line: None,
    force: bool = False,
) -> Summary:
    """Make every run of a study that the store in `directory` lacks, on a cluster: see `study.sweep.sweep`.

    What is free on this machine bounds the runs of workers that are here.
    """
    here, workers = compiled_runner(), workers_here(address)
    with connected(address) as client:
        runner = ClusterRunner(
            here.execute, measure_step=here.measure_step, crew=(crew := Crew(client, warn)), prepare=crew.prepare,
            at_once=("dask", "local:{}"),
        )  # fmt: skip
        summary = sweep(study, directory, workers, progress, runner, announce, force or workers is None)
    if runner.lost:
        warn(f"runs under way on workers that were lost, made again: {sum(runner.lost):,}")
    if runner.twice:
        _compare(directory, runner.twice, warn)
    return summary


def _compare(directory: Path, twice: Sequence[Ended], warn: Callable[[str], None]) -> None:
    """Compare runs that came twice with what is stored. Raises MlpjitError where bits differ."""
    place = place_of(directory)
    checked = [one for ended in twice if ended.results for one in _compared_with(place, ended)]
    wrong = [one for one in checked if not one.same]
    if wrong:
        told = ", ".join(f"{one.run_id} ({', '.join(one.differs) or one.problem})" for one in wrong[:3])
        raise MlpjitError(
            f"{len(wrong)} of {len(checked)} runs that two workers made have other bits than what is stored: {told}: "
            f"one machine computes wrongly; `mlpjit verify {directory} --all` finds its runs"
        )
    if checked:
        warn(f"runs made by two workers, with the same bits: {len(checked):,}")


def _compared_with(place: Place, ended: Ended) -> list[Checked]:
    kept = [place.kept(task.config.run_id) for task in ended.tasks]
    numbered = [replace(task, index=at) for at, task in enumerate(ended.tasks)]
    return [checked for _, checked in compared(kept, replace(ended, tasks=numbered))]
