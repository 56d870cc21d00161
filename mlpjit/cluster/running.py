"""A sweep whose runs are made on a cluster; this process alone writes the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpjit.cluster.connecting import connected
from mlpjit.cluster.crew import Crew
from mlpjit.cluster.pool import ClusterPool
from mlpjit.study.plan import Planned
from mlpjit.study.pool import Ended, Pool, Runner, compiled_runner
from mlpjit.study.progress import Snapshot
from mlpjit.study.sweep import Found, Summary, sweep


@dataclass(frozen=True, kw_only=True)
class ClusterRunner(Runner):
    """What makes runs on a crew; step times are measured in this process."""

    crew: Crew
    again: Callable[[Ended], None]

    def pool(self, threads: int, finish: Callable[[Ended], Any]) -> Pool:
        """Return the pool of the crew's workers."""
        return ClusterPool(self.crew, finish, self.again)


def sweep_on(
    address: str,
    study: Planned,
    directory: Path,
    progress: Callable[[Snapshot], None] | None = None,
    announce: Callable[[Found], None] | None = None,
    warn: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Make every run of a study that the store in `directory` lacks, on a cluster: see `study.sweep.sweep`."""
    with connected(address) as client:
        crew, repeats = Crew(client, warn), list[Ended]()
        here = compiled_runner()
        runner = ClusterRunner(
            execute=here.execute, prepare=crew.prepare, measure_step=here.measure_step, crew=crew, again=repeats.append
        )
        return sweep(study, directory, None, progress, runner, announce)
