"""What is handed out, lost, split and made twice: on workers that are played here, without Dask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import KilledWorker
from fakes import Fake

from mlpjit.cluster import pool as pool_file
from mlpjit.cluster.backlog import Backlog, Chunk
from mlpjit.cluster.crew import AHEAD, Crew, Handed, Member
from mlpjit.cluster.parcels import Answer, Made, packed
from mlpjit.cluster.pool import MOST_DEATHS, ClusterPool
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.study.chunks import Task
from mlpjit.study.pool import Ended
from mlpjit.training.result import Control

RUNS = 60


class Played(Crew):
    """Workers that make the first chunk that they have at every look, unless `dies(tasks)`; another comes then."""

    def __init__(self, workers: int, dies: Callable[[Sequence[Task]], bool] = lambda tasks: False) -> None:
        self.pending: dict[Any, SimpleNamespace] = {}
        super().__init__(SimpleNamespace(loop=self), lambda line: None)  # type: ignore[arg-type]
        self._arrivals = SimpleNamespace(add=lambda future: None)  # type: ignore[assignment]
        self.dies, self.deaths, self.most_handed, self.most_made = dies, 0, 0, RUNS
        self.slow: set[str] = set()
        for _ in range(workers):
            self.join()

    def join(self) -> None:
        address = f"tcp://host:{len(self.members) + 10 * self._count}"
        self.members[address] = Member(address, 1, ready=True)

    def _submit(self, call: Callable[..., Any], *arguments: Any) -> Any:
        self._count += 1
        return SimpleNamespace(key=self._count, status="pending", release=lambda: None)

    def look(self) -> list[Handed]:
        lost: list[Handed] = []
        for member in list(self.members.values()):
            self.most_handed = max(self.most_handed, len(member.handed))
            if member.handed and self.dies(member.handed[0].chunk.missing):
                self.deaths += 1
                lost += self.members.pop(member.address).handed
                self.join()
        return lost

    def arrived(self) -> list[tuple[Handed, Any]]:
        first = [m.handed[0] for m in self.members.values() if m.handed and m.address not in self.slow]
        for handed in first:
            handed.future.status = "finished"
            self.drop(handed)
        return [(handed, answer(handed.chunk.missing[: self.most_made])) for handed in first]


def answer(tasks: Sequence[Task]) -> bytes:
    """What a worker sends of runs that it has made."""
    made = Fake().runner().execute([task.config for task in tasks], Control())
    times = ["2026-01-01T00:00:00.000+00:00"] * len(tasks)
    return packed(Answer([Made([task.index for task in tasks], times, times, made, None)], 0.0, 0.01 * len(tasks)))


def tasks(count: int = RUNS) -> list[Task]:
    return [Task(i, RunConfig(dataset="wine", hidden=[4], epochs=1, seed=i), 0.01, 0) for i in range(count)]


def made_by(crew: Played, count: int = RUNS) -> tuple[list[Ended], list[Ended], list[int]]:
    """Make runs; return what was finished, what came twice, and the counts of what was lost."""
    twice: list[Ended] = []
    lost: list[int] = []
    pool = ClusterPool(crew, lambda ended: ended, twice.append, lost.append)
    found = list(pool.run(tasks(count), 0.01 * count, threading.Event(), lambda running: None))
    return found, twice, lost


def indices(found: Sequence[Ended]) -> list[int]:
    return sorted(task.index for ended in found for task in ended.tasks)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch):
    monkeypatch.setattr(pool_file, "TICK_SECONDS", 0.0)
    monkeypatch.setattr("mlpjit.cluster.backlog.WORTH_SECONDS", 0.1)
    monkeypatch.setattr("mlpjit.cluster.backlog.LEAST_SECONDS", 0.05)


def test_every_run_is_finished_once_and_few_are_handed_out_at_once():
    crew = Played(3)
    found, twice, lost = made_by(crew)
    assert indices(found) == list(range(RUNS))
    assert crew.most_handed <= AHEAD
    assert (twice, lost, crew.handed) == ([], [], {})


def test_a_run_that_kills_its_worker_is_found_and_fails_alone():
    crew = Played(2, lambda chunk: any(task.index == 17 for task in chunk))
    found, _, _ = made_by(crew)
    (failed,) = [ended for ended in found if ended.error]
    assert indices([failed]) == [17]
    assert f"its worker ended {MOST_DEATHS} times while it made this run alone, on host" in (failed.error or "")
    assert indices(found) == list(range(RUNS))
    assert crew.deaths <= MOST_DEATHS + 6


def test_workers_that_are_killed_fail_no_run():
    state = iter([False, True, False, False] * RUNS * 10)
    crew = Played(3, lambda chunk: next(state))
    found, _, lost = made_by(crew)
    assert crew.deaths > 2
    assert sum(lost) > 0
    assert indices([ended for ended in found if not ended.error]) == list(range(RUNS))


def test_what_waited_behind_a_chunk_that_was_lost_is_not_split():
    crew = Played(1)
    member = next(iter(crew.members.values()))
    chunks = [Chunk(tasks(4)), Chunk(tasks(4))]
    pool = ClusterPool(crew, lambda ended: ended, list, list)
    pool.backlog = Backlog([], 0.0)
    pool.lost = [].append
    for chunk in chunks:
        crew.hand(chunk, member)
    assert list(pool._taken_away(list(member.handed))) == []
    back = [pool.backlog.take(1) for _ in range(3)]
    assert [len(chunk.tasks) for chunk in back if chunk] == [2, 2, 4]
    assert chunks[1] in back


def test_runs_that_a_worker_left_out_are_made_by_another_task():
    crew = Played(2)
    crew.most_made = 3
    found, _, _ = made_by(crew)
    assert indices(found) == list(range(RUNS))
    assert max(len(ended.tasks) for ended in found) == 3


def test_what_a_slow_worker_has_not_begun_or_does_not_end_is_made_elsewhere(monkeypatch):
    monkeypatch.setattr(pool_file, "TOO_LONG_SECONDS", 0.0)
    monkeypatch.setattr(pool_file, "TOO_SLOW", 0.0)
    crew = Played(2)
    crew.slow = {min(crew.members)}
    found, _, lost = made_by(crew)
    assert indices(found) == list(range(RUNS))
    assert lost == []


def test_what_comes_twice_is_finished_once_and_told():
    crew = Played(1)
    twice: list[Ended] = []
    pool = ClusterPool(crew, lambda ended: ended, twice.append, list)
    pool.backlog, chunk = Backlog([], 0.0), Chunk(tasks(3))
    pieces = (answer(chunk.tasks[:2]), answer(chunk.tasks))
    first, second = (list(pool._taken(chunk, pool_file.unpacked(piece), {})) for piece in pieces)
    assert (indices(first), indices(second), indices(twice)) == ([0, 1], [2], [0, 1])
    assert len(twice[0].results or []) == 2


def test_an_error_of_ours_ends_the_study_and_a_killed_worker_does_not():
    def ending(error: Exception) -> tuple[ClusterPool, list[Any]]:
        crew = Played(1)
        crew.hand(Chunk(tasks(2)), next(iter(crew.members.values())))
        (handed,) = crew.handed.values()
        pool = ClusterPool(crew, list, list, [].append)
        pool.backlog = Backlog([], 0.0)
        pool._spent(handed)
        handed.future.status = "error"
        crew.drop(handed)
        crew.arrived = lambda: [(handed, (type(error), error, None))]  # type: ignore[method-assign]
        return pool, list(pool._arrived())

    pool, _ = ending(KilledWorker("task", None, 3))
    assert [len(pool.backlog.take(1).tasks) for _ in range(2)] == [1, 1]  # type: ignore[union-attr]
    assert pool.crew.slots == 0
    with pytest.raises(MlpjitError, match="worker tcp://host:0: RuntimeError"):
        ending(RuntimeError("ours"))


def test_a_stop_ends_at_once_and_leaves_nothing_handed_out():
    crew = Played(1)
    crew.slow = set(crew.members)
    stop = threading.Event()
    stop.set()
    crew.stop = lambda: None  # type: ignore[method-assign]
    began = time.monotonic()
    assert list(ClusterPool(crew, list, list, list).run(tasks(), 1.0, stop, lambda running: None)) == []
    assert time.monotonic() - began < 2.0
    assert crew.handed == {}


def answering(crew: Played, problems: list[str]) -> list[str]:
    """Have those who are asked answer; return whom that concerned."""
    asked = [member for member in crew.members.values() if member.admission is not None]
    for member in asked:
        found = {"done": lambda: True, "status": "finished", "result": lambda timeout: (problems, {"host_cpu": "this"})}
        member.admission = SimpleNamespace(**found, release=lambda: None)  # type: ignore[assignment]
        crew._admit(member)
    return [member.address for member in asked]


def newcomers(count: int) -> Played:
    crew = Played(count)
    for member in crew.members.values():
        member.ready = False
        crew._admit(member)
    return crew


def test_the_first_worker_of_a_machine_prepares_it_for_the_others():
    crew = newcomers(3)
    first, *others = crew.members
    assert answering(crew, []) == [first]
    assert crew.slots == 1
    for member in crew.members.values():
        crew._admit(member)
    assert answering(crew, []) == others
    assert crew.slots == 3
    assert crew.members[first].machine == {"host_cpu": "this"}


def test_a_worker_that_goes_before_its_answer_is_heard_holds_up_nobody():
    def gone(timeout: float) -> None:
        raise TimeoutError

    crew = newcomers(2)
    first, second = crew.members.values()
    first.admission = SimpleNamespace(done=lambda: True, status="finished", result=gone, release=lambda: None)  # type: ignore[assignment]
    crew._admit(first)
    assert (first.ready, first.refused, first.admission) == (False, False, None)
    crew._admit(second)
    assert second.admission is not None


def test_a_study_that_every_worker_is_refused_for_ends_with_the_reasons():
    crew, told = newcomers(1), list[str]()
    crew.warn = told.append
    answering(crew, ["numba 0.1, need 0.2"])
    (address,) = crew.members
    assert told == [f"{address} is refused: numba 0.1, need 0.2"]
    with pytest.raises(ConfigError) as raised:
        crew._check_refused()
    assert raised.value.problems == ["no worker may make these runs:", *told]
    crew.join()
    crew._check_refused()  # another may be admitted yet
