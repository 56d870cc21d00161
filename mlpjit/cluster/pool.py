"""Many runs at once on the workers of a cluster: made at least once, and given to the store exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from distributed import KilledWorker

from mlpjit.cluster.backlog import Backlog, Chunk
from mlpjit.cluster.crew import AHEAD, TICK_SECONDS, Crew, Handed, Member
from mlpjit.cluster.parcels import Answer, Made, unpacked
from mlpjit.errors import MlpjitError
from mlpjit.study.chunks import Task
from mlpjit.study.moments import now
from mlpjit.study.pool import STOP_SECONDS, Ended

MOST_DEATHS = 3  # of workers that made a run alone, after which it is taken for the cause
# A chunk that takes so many times what it should, and so long, is given to an idle worker too.
TOO_SLOW, TOO_LONG_SECONDS = 4.0, 10.0


class ClusterPool:
    """Runs tasks on the workers of a crew; `finish` is called here, for each run once, `again` for what came twice.

    `lost` is told how many runs a worker may have been making when it was lost.
    """

    def __init__(
        self, crew: Crew, finish: Callable[[Ended], Any], again: Callable[[Ended], Any], lost: Callable[[int], Any]
    ) -> None:
        self.crew, self.finish, self.again, self.lost = crew, finish, again, lost

    def run(
        self, tasks: Iterable[Task], cost: float, stop: threading.Event, poll: Callable[[float], None]
    ) -> Iterator[Any]:
        """See `study.pool.Pool.run`."""
        self.backlog = Backlog(tasks, cost)
        try:
            while self._is_missing_some() and not stop.is_set():
                yield from self._arrived()
                self._hand_out()
                yield from self._taken_away(self.crew.look())
                poll(sum(self._spent(handed) for handed in self.crew.handed.values()))
                time.sleep(TICK_SECONDS)
            if stop.is_set():
                yield from self._last()
        finally:
            self.crew.drop_all()

    def _is_missing_some(self) -> bool:
        return bool(self.backlog) or any(handed.chunk.missing for handed in self.crew.handed.values())

    def _spent(self, handed: Handed) -> float:
        """Return the cost of what a worker has done of a chunk, by the time it has been at it."""
        seconds = handed.seconds()  # which takes note of who has begun
        return min(handed.chunk.cost, seconds / self.backlog.pace) if self.backlog.pace else 0.0

    def _last(self) -> Iterator[Any]:
        """Yield the runs that end within a moment after a stop."""
        self.crew.stop()
        until = time.monotonic() + STOP_SECONDS
        while self.crew.handed and time.monotonic() < until:
            yield from self._arrived()
            time.sleep(TICK_SECONDS)

    def _hand_out(self) -> None:
        """Give chunks to who has fewest; at the end, to who is idle, those of others."""
        while self.backlog:
            ahead = AHEAD if self.backlog.pace else 1  # how long runs take shows with the first
            free = [member for member in self.crew.members.values() if member.free(ahead) > 0]
            if not free:
                return
            chunk = self.backlog.take(self.crew.slots)
            if chunk is not None:
                self.crew.hand(chunk, min(free, key=lambda member: len(member.handed) / member.slots))
        for member in self.crew.members.values():
            if member.ready and not member.handed:
                self._take_over(member)

    def _take_over(self, member: Member) -> None:
        """Give an idle worker a chunk that another has not begun, or a copy of one that another does not end."""
        handed = list(self.crew.handed.values())
        if waiting := [each for each in handed if not each.under_way and each.future.status != "finished"]:
            chunk = waiting[-1].chunk
            self.crew.drop(waiting[-1])
            self.crew.hand(chunk, member)
        elif slow := [each for each in handed if self._is_too_slow(each)]:
            self.crew.hand(slow[0].chunk, member)

    def _is_too_slow(self, handed: Handed) -> bool:
        expected = handed.chunk.cost * self.backlog.pace
        return handed.chunk.copies == 1 and handed.seconds() > max(TOO_LONG_SECONDS, TOO_SLOW * expected)

    def _arrived(self) -> Iterator[Any]:
        for handed, result in self.crew.arrived():
            if isinstance(result, bytes):
                yield from self._taken(handed.chunk, unpacked(result), handed.member.machine)
            elif handed.future.status == "error" and not isinstance(result[1], KilledWorker):
                raise MlpjitError(f"worker {handed.member.address}: {result[1]!r}")
            else:
                handed.member.ready = False  # gone, or another process in its place, which is admitted first
                yield from self._taken_away([handed])

    def _taken(self, chunk: Chunk, answer: Answer, machine: Mapping[str, Any]) -> Iterator[Any]:
        tasks = {task.index: task for task in chunk.tasks}
        for made in answer.made:
            yield from self._ended(chunk, _ended(tasks, made, machine))
        done = [index for made in answer.made for index in made.indices]
        self.backlog.made(sum(tasks[index].cost for index in done), answer.seconds)
        self._give_back(chunk)

    def _give_back(self, chunk: Chunk) -> None:
        """Have what is missing of a chunk made, unless another worker is at it."""
        if chunk.missing and not chunk.copies:
            self.backlog.give_back([chunk])

    def _ended(self, chunk: Chunk, ended: Ended) -> Iterator[Any]:
        """Yield what `finish` makes of the runs that had not arrived."""
        known = [task.index in chunk.arrived for task in ended.tasks]
        new, old = ([place for place, is_known in enumerate(known) if is_known is which] for which in (False, True))
        chunk.arrived.update(task.index for task in ended.tasks)
        if old:
            self.again(ended.among(old))
        if new:
            yield self.finish(ended.among(new) if old else ended)

    def _taken_away(self, lost: Iterable[Handed]) -> Iterator[Any]:
        """Hand out again what workers took with them; what one was at is cut in two, a run alone tried again."""
        for handed, suspect in [(handed, handed.under_way) for handed in lost]:
            made = handed.future.status == "finished"
            self.crew.drop(handed)
            if suspect or made:
                self.lost(len(handed.chunk.missing))
            if suspect:
                yield from self._suspected(handed.chunk, handed)
            else:
                self._give_back(handed.chunk)

    def _suspected(self, chunk: Chunk, handed: Handed) -> Iterator[Any]:
        if chunk.copies or not chunk.missing:
            return
        if len(chunk.missing) > 1:
            self.backlog.give_back(chunk.halves())
            return
        chunk.deaths += len(chunk.tasks) == 1
        if chunk.deaths < MOST_DEATHS:
            self.backlog.give_back(chunk.halves() if len(chunk.tasks) > 1 else [chunk])
        else:
            yield self._given_up(chunk.tasks[0], handed)

    def _given_up(self, task: Task, handed: Handed) -> Any:
        told = f"its worker ended {MOST_DEATHS} times while it made this run alone, on {handed.member.host} at last"
        error = f"{told}: out of memory, crashed or killed"
        return self.finish(Ended([task], [handed.since or now()], [now()], error=error))


def _ended(tasks: Mapping[int, Task], made: Made, machine: Mapping[str, Any]) -> Ended:
    some = [tasks[index] for index in made.indices]
    return Ended(some, made.started_at, made.finished_at, made.results, made.error, machine)
