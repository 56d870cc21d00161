"""How many runs a thread is handed at once: a tenth of a second's worth, and fewer towards the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.config.alike import Alike, Own, with_own
from mlpjit.config.run_config import RunConfig
from mlpjit.config.setting import OPEN

WORTH_SECONDS = 0.1
SHARES = 2.0  # of what is left, a thread takes one part in so many at most, and there are so many for each thread
LONGEST_SECONDS = 2.0  # of runs that are handed out together since they are made side by side
UNKNOWN = 0.25  # of a chunk's worth, where the pace is that of runs of another kind


@dataclass(slots=True)  # frozen ones take four times as long to make
class Task:
    """A run to make; `index` tells the caller which. Those of a group differ in their rate and seeds alone.

    `like` is its config, but for the rate and seeds in `own` where there are some.
    """

    index: int
    like: RunConfig
    cost: float
    group: int
    own: Own | None = None

    @property
    def config(self) -> RunConfig:
        """Its config, which is made here."""
        return self.like if self.own is None else with_own(self.like, self.own)


def configs_of(tasks: Sequence[Task]) -> Sequence[RunConfig]:
    """Return the configs of some tasks; none is made of those whose rates and seeds stand beside one config."""
    like, own = tasks[0].like, [task.own for task in tasks if task.own is not None]
    if len(own) == len(tasks) and all(task.like is like for task in tasks):
        return Alike(like, own)
    return [task.config for task in tasks]


def open_columns(configs: Sequence[RunConfig]) -> Mapping[str, Sequence[Any]]:
    """Return the rates and seeds of configs, by field."""
    if isinstance(configs, Alike):
        return configs.columns
    return {name: [config.__dict__[name] for config in configs] for name in OPEN}


class Chunks:
    """Tasks in their order, in chunks of one group each. Threads may share it.

    most: how many runs like one make a call; beside: how many are made side by side.
    """

    def __init__(
        self, tasks: Iterable[Task], cost: float, threads: int, most: Callable[[RunConfig], int],
        beside: Callable[[RunConfig], int] = lambda config: 1,
    ) -> None:  # fmt: skip
        self._beside = beside
        self._source, self._waiting = iter(tasks), deque[Task]()
        self._left, self._threads, self._most = cost, threads, most
        self._pace, self._group = 0.0, -1  # seconds for a unit of cost, and of which group
        self._lock = threading.Lock()

    def take(self) -> list[Task]:
        """Return the next chunk, nothing at the end."""
        with self._lock:
            first = self._next()
            if first is None:
                return []
            found, size = [first], self._size(first)
            while len(found) < size and (task := self._next()) is not None:
                if task.group != first.group:
                    self._waiting.appendleft(task)
                    break
                found.append(task)
            self._left -= sum(task.cost for task in found)
            return found

    def made(self, tasks: list[Task], count: int, seconds: float) -> None:
        """Take note of how long the first `count` of a chunk took; the others are to be taken again."""
        with self._lock:
            spent = sum(task.cost for task in tasks[:count])
            if spent:
                self._pace, self._group = seconds / spent, tasks[0].group
            self._waiting.extendleft(reversed(tasks[count:]))
            self._left += sum(task.cost for task in tasks[count:])

    def _next(self) -> Task | None:
        return self._waiting.popleft() if self._waiting else next(self._source, None)

    def _size(self, task: Task) -> int:
        """Return how many runs like this one are worth a chunk; one where nothing has been measured yet."""
        alone = self._pace * task.cost
        if alone == 0.0:
            return 1
        worth = WORTH_SECONDS * (1.0 if task.group == self._group else UNKNOWN)
        left = self._left * self._pace / (SHARES * self._threads)
        most, beside = self._most(task.like), self._beside(task.like)
        size = min(int(min(worth, left) / alone), most)
        if size >= beside:
            return max(1, size - size % beside)
        enough = beside <= most and beside * self._threads * task.cost <= self._left
        return beside if enough and beside * alone <= LONGEST_SECONDS else max(1, size)
