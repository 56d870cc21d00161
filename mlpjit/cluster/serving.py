"""What happens in a worker of Dask: it is admitted, makes chunks of runs, and stops when it is told to.

A task makes its runs on one thread, with the pool that makes them on one machine: time limits and errors of runs are
as there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from mlpjit.cluster.parcels import Admission, Answer, Made, Question, packed, unpacked, versions
from mlpjit.config.fields import dataset_info
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import MlpjitError
from mlpjit.host import host
from mlpjit.study.chunks import Task
from mlpjit.study.pool import Ended, ThreadPool, compiled_runner

# By the token of a study: set once it is stopped.
_stops: dict[str, threading.Event] = {}


def admit(question: bytes) -> Admission:
    """Say whether this worker can make these runs; kernels are compiled or loaded then."""
    return Admission(_problems(question), host(1))


def _problems(question: bytes) -> list[str]:
    try:
        asked: Question = unpacked(question)
        problems = [*_other_versions(asked), *_other_data(asked.configs)]
        if not problems:
            compiled_runner().prepare(asked.configs, lambda *told: None)
    except Exception as error:
        return [
            " ".join((f"{error}" if isinstance(error, MlpjitError) else f"{type(error).__name__}: {error}").split())
        ]
    return problems


def _other_versions(asked: Question) -> list[str]:
    own = versions()
    return [f"{name} {own[name]}, need {need}" for name, need in asked.versions.items() if own[name] != need]


def _other_data(configs: Iterable[RunConfig]) -> list[str]:
    problems: dict[str, None] = {}
    for config in configs:
        name = config.dataset["name"]
        try:
            same = dataset_info(config.dataset).data_hash == config.data.data_hash
        except MlpjitError as error:
            problems[f"dataset {name!r}: {error}"] = None
        else:
            problems |= {} if same else {f"dataset {name!r}: other data than were planned with": None}
    return list(problems)


def make(token: str, parcel: bytes) -> bytes:
    """Make the runs of a chunk; begin no other once so many seconds have passed. Those left out are to be made yet."""
    tasks: list[Task]
    tasks, most_seconds = unpacked(parcel)
    moment, began = time.time(), time.monotonic()
    ended = began, 0.0

    def finish(some: Ended) -> Made:
        nonlocal ended
        ended = time.monotonic(), time.thread_time()
        return Made([task.index for task in some.tasks], some.started_at, some.finished_at, some.results, some.error)

    pool, cost = ThreadPool(compiled_runner(), 1, finish), sum(task.cost for task in tasks)
    made = list(pool.run(_until(tasks, began + most_seconds), cost, _stop_of(token), lambda running: None))
    return packed(Answer(made, moment, ended[0] - began, ended[1], time.process_time()))


def _until(tasks: Iterable[Task], moment: float) -> Iterator[Task]:
    for place, task in enumerate(tasks):
        if place and time.monotonic() > moment:
            return
        yield task


def _stop_of(token: str) -> threading.Event:
    return _stops.setdefault(token, threading.Event())


async def stop(token: str) -> None:  # Dask waits for no answer of a coroutine
    """Have the runs of a study end that are under way here, and begin no other."""
    _stop_of(token).set()
