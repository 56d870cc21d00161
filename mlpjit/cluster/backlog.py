"""The runs of a stage that no worker has: in chunks of some seconds each, smaller ones at the start and at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mlpjit.study.chunks import Task

WORTH_SECONDS = 3.0
LEAST_SECONDS, FIRST_SECONDS = 0.25, 0.1
MOST_SECONDS = 5.0  # after which a worker begins no other run of a chunk
MOST_RUNS = 4096
SHARES = 3.0  # of what is left, a chunk is one part in so many for each run that can be made at once
NEWEST = 0.3  # how much of the pace is that of the last chunk


@dataclass(eq=False)
class Chunk:
    """Runs that go to a worker together, and the indices of those that have arrived.

    `deaths` counts the workers that ended while they made it, a run alone; `copies` the workers that have it.
    """

    tasks: Sequence[Task]
    deaths: int = 0
    copies: int = 0
    arrived: set[int] = field(default_factory=set)

    @property
    def cost(self) -> float:
        """Return the estimated cost of its runs."""
        return sum(task.cost for task in self.tasks)

    @property
    def missing(self) -> list[Task]:
        """Return the runs that have not arrived."""
        return [task for task in self.tasks if task.index not in self.arrived]

    def halves(self) -> list[Chunk]:
        """Return what is missing in two parts, a run alone where it is one."""
        tasks, middle = self.missing, (len(self.missing) + 1) // 2
        return [Chunk(part) for part in (tasks[:middle], tasks[middle:]) if part]


class Backlog:
    """Runs in their order, and chunks that came back, which go first."""

    def __init__(self, tasks: Iterable[Task], cost: float) -> None:
        self._source: Iterator[Task] = iter(tasks)
        self._next = next(self._source, None)
        self._back: deque[Chunk] = deque()
        self._left, self.pace = cost, 0.0  # seconds for a unit of cost

    def __bool__(self) -> bool:
        return bool(self._back) or self._next is not None

    def give_back(self, chunks: Iterable[Chunk]) -> None:
        """Take chunks to be made again."""
        self._back.extend(chunks)

    def made(self, cost: float, seconds: float) -> None:
        """Take note of how long runs took."""
        if cost:
            now = seconds / cost
            self.pace = now if not self.pace else (1 - NEWEST) * self.pace + NEWEST * now

    def take(self, slots: int) -> Chunk | None:
        """Return the next chunk, where so many runs can be made at once."""
        if self._back:
            return self._back.popleft()
        worth, tasks, cost = self._worth(slots), list[Task](), 0.0
        while self._next is not None and cost < worth and len(tasks) < MOST_RUNS:
            tasks.append(self._next)
            cost += self._next.cost
            self._next = next(self._source, None)
        self._left -= cost
        return Chunk(tasks) if tasks else None

    def _worth(self, slots: int) -> float:
        """Return the cost that is worth a chunk."""
        if not self.pace:
            return FIRST_SECONDS
        share = self._left * self.pace / (SHARES * max(1, slots))
        return max(LEAST_SECONDS, min(WORTH_SECONDS, share)) / self.pace
