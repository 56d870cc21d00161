"""Many runs at once on the workers of a cluster: made at least once, and given to the store exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from distributed import KilledWorker

from mlpjit.cluster.backlog import Backlog, Chunk
from mlpjit.cluster.crew import TICK_SECONDS, Crew, Handed
from mlpjit.cluster.parcels import Answer, Made, unpacked
from mlpjit.errors import MlpjitError
from mlpjit.study.chunks import Task
from mlpjit.study.pool import STOP_SECONDS, Ended, now

MOST_DEATHS = 3  # of workers that made a run alone, after which it is taken for the cause


class ClusterPool:
    """Runs tasks on the workers of a crew; `finish` is called here, for each run once, `again` for what came twice."""

    def __init__(self, crew: Crew, finish: Callable[[Ended], Any], again: Callable[[Ended], None]) -> None:
        self.crew, self.finish, self.again = crew, finish, again
        self.repeated = 0

    def run(
        self, tasks: Iterable[Task], cost: float, stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        """Yield finish(ended) of tasks as they arrive; once `stop` is set, of those that ended by themselves."""
        self.backlog = Backlog(tasks, cost)
        try:
            while (self.backlog or self.crew.handed) and not stop.is_set():
                yield from self._arrived()
                self._hand_out()
                yield from self._lost(self.crew.look())
                poll(0.0)
                time.sleep(TICK_SECONDS)
            if stop.is_set():
                yield from self._last()
        finally:
            self.crew.drop_all()

    def _last(self) -> Iterator[Any]:
        """Yield the runs that end within a moment after a stop."""
        self.crew.stop()
        until = time.monotonic() + STOP_SECONDS
        while self.crew.handed and time.monotonic() < until:
            yield from self._arrived()
            time.sleep(TICK_SECONDS)

    def _hand_out(self) -> None:
        """Give chunks to who has fewest."""
        while self.backlog:
            free = [member for member in self.crew.members.values() if member.free > 0]
            if not free:
                return
            least = min(free, key=lambda member: len(member.handed) / member.slots)
            chunk = self.backlog.take(self.crew.slots)
            assert chunk
            self.crew.hand(chunk, least, now())

    def _arrived(self) -> Iterator[Any]:
        for handed, result in self.crew.arrived():
            if isinstance(result, bytes):
                yield from self._taken(handed, unpacked(result))
            elif handed.future.status == "error" and not isinstance(result[1], KilledWorker):
                raise MlpjitError(f"worker {handed.member.address}: {result[1]!r}")
            else:
                yield from self._lost([handed])

    def _taken(self, handed: Handed, answer: Answer) -> Iterator[Any]:
        chunk = handed.chunk
        tasks = {task.index: task for task in chunk.tasks}
        for made in answer.made:
            yield from self._ended(chunk, tasks, made)
        done = [index for made in answer.made for index in made.indices]
        self.backlog.made(sum(tasks[index].cost for index in done), answer.seconds)
        if chunk.missing:
            self.backlog.give_back([Chunk(chunk.missing)])

    def _ended(self, chunk: Chunk, tasks: dict[int, Task], made: Made) -> Iterator[Any]:
        ended = Ended([tasks[i] for i in made.indices], made.started_at, made.finished_at, made.results, made.error)
        new = [place for place, index in enumerate(made.indices) if index not in chunk.arrived]
        old = [place for place, index in enumerate(made.indices) if index in chunk.arrived]
        chunk.arrived.update(made.indices)
        if old:
            self.again(ended.among(old))
        if new:
            yield self.finish(ended if not old else ended.among(new))

    def _lost(self, lost: Iterable[Handed]) -> Iterator[Any]:
        """Hand out again what workers took with them; what one was at is cut in two, a run alone tried again."""
        for handed in lost:
            chunk, suspect = handed.chunk, handed.under_way
            self.crew.drop(handed)
            self.repeated += len(chunk.missing) if suspect else 0
            if not suspect or not chunk.missing:
                self.backlog.give_back([chunk])
            elif len(chunk.missing) > 1:
                self.backlog.give_back(chunk.halves())
            elif chunk.deaths + 1 < MOST_DEATHS:
                self.backlog.give_back([Chunk(chunk.missing, chunk.deaths + 1)])
            else:
                yield self._given_up(chunk, handed)

    def _given_up(self, chunk: Chunk, handed: Handed) -> Any:
        (task,) = chunk.missing
        host = handed.member.host
        told = f"its worker ended {MOST_DEATHS} times while it made this run alone, on {host} at last"
        return self.finish(Ended([task], [handed.since], [now()], error=f"{told}: out of memory, crashed or killed"))
