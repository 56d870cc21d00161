"""How runs are handed to threads: in chunks of one kind, of a tenth of a second, none of which decides a bit."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake, results

from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.tables import CONTROL
from mlpjit.store import Store
from mlpjit.store.schema import DATES, READ, TIMINGS
from mlpjit.study import chunks
from mlpjit.study.chunks import Chunks, Task
from mlpjit.study.pool import Ended, Runner, ThreadPool, compiled_runner
from mlpjit.study.study import Study
from mlpjit.training.result import Control, Results

CONFIG = RunConfig(width=4, epochs=1)
ANY = 10**6  # runs that one call may make


def tasks(count: int, cost: float = 1.0, group: int = 0) -> list[Task]:
    return [Task(index, CONFIG, cost, group) for index in range(count)]


def handed(given: Sequence[Task], threads: int, pace: float, most: int = ANY) -> list[int]:
    """The sizes of the chunks of runs that take `pace` seconds for a unit of cost."""
    left, found = Chunks(given, sum(task.cost for task in given), threads, lambda config: most), []
    while chunk := left.take():
        found.append(len(chunk))
        left.made(chunk, len(chunk), pace * sum(task.cost for task in chunk))
    return found


def test_a_chunk_is_a_tenth_of_a_second_and_less_towards_the_end() -> None:
    sizes = handed(tasks(1000), threads=2, pace=0.001)
    assert sizes[:4] == [1, 100, 100, 100]
    assert sum(sizes) == 1000
    assert sizes[-1] == 1
    shrinking = sizes[sizes.index(100) :]
    assert shrinking == sorted(shrinking, reverse=True)


def test_long_runs_go_alone() -> None:
    assert handed(tasks(5), threads=2, pace=3.0) == [1] * 5


def test_a_chunk_holds_no_more_than_fits() -> None:
    assert max(handed(tasks(1000), threads=1, pace=1e-6, most=7)) == 7


def test_what_is_made_side_by_side_is_handed_out_in_whole_groups() -> None:
    def sizes(pace: float) -> list[int]:
        left, found = Chunks(tasks(200), 200.0, 1, lambda config: ANY, lambda config: 16), []
        while chunk := left.take():
            found.append(len(chunk))
            left.made(chunk, len(chunk), pace * len(chunk))
        return found

    assert sizes(0.001)[:3] == [1, 96, 48]
    assert sizes(0.05)[:3] == [1, 16, 16]
    assert sizes(1.0) == [1] * 200


def test_a_chunk_is_of_one_group_and_the_first_of_another_is_small() -> None:
    given = [*tasks(400, group=0), *tasks(400, group=1)]
    left, found = Chunks(given, 800.0, 1, lambda config: ANY), []
    while chunk := left.take():
        assert len({task.group for task in chunk}) == 1
        found.append((chunk[0].group, len(chunk)))
        left.made(chunk, len(chunk), 0.001 * len(chunk))
    sizes = [size for group, size in found if group == 1]
    assert sizes[:2] == [int(chunks.UNKNOWN * 100), 100]


def test_what_was_not_begun_is_taken_again_and_in_its_order() -> None:
    left = Chunks(tasks(10), 10.0, 1, lambda config: ANY)
    left.made(left.take(), 1, 0.001)
    taken = left.take()
    left.made(taken, 2, 0.002)
    rest = []
    while chunk := left.take():
        rest += [task.index for task in chunk]
        left.made(chunk, len(chunk), 0.001)
    assert rest == list(range(3, 10))


def chunked(fake: Fake, seen: list[int] | None = None) -> Runner:
    """Make a fake's runs many at once."""

    def execute(configs: Sequence[RunConfig], control: Control) -> Results:
        made = []
        for config in configs:
            made.append(fake.execute(config, control))
            control.array[CONTROL.ended] += 1
        if seen is not None:
            seen.append(len(configs))
        return results(made)

    return replace(fake.runner(), execute=execute, most=lambda config: ANY)


def pooled(runner: Runner, given: list[Task], threads: int) -> list[Ended]:
    pool = ThreadPool(runner, threads, lambda ended: ended)
    return list(pool.run(given, float(len(given)), threading.Event(), lambda cost: None))


class Unlucky(Fake):
    """Raises for seed 5."""

    def execute(self, config: RunConfig, control: Control) -> Any:
        if config.seed == 5:
            raise ValueError("no luck")
        time.sleep(0.001)
        return super().execute(config, control)


def test_a_run_that_raises_takes_no_other_with_it() -> None:
    seen: list[int] = []
    given = [Task(seed, CONFIG.model_copy(update={"seed": seed}), 1.0, 0) for seed in range(40)]
    ended = pooled(chunked(Unlucky(), seen), given, 1)
    failed = [task.index for each in ended if each.error for task in each.tasks]
    done = [task.index for each in ended if each.results for task in each.tasks]
    assert failed == [5]
    assert sorted(done) == [index for index in range(40) if index != 5]
    assert max(seen) > 1


TABLE: dict[str, Any] = {
    "name": "mixed", "dataset": "two_moons", "width": 6, "epochs": 2, "activation": "tanh", "weight_decay": 0.01,
    "sweep": {
        "seed": [0, 1, 2], "optimizer": ["sgd", "adam"], "init": ["he_normal", "orthogonal"], "depth": [1, 2],
        "learning_rate": [0.01, 1e30, 0.1], "l2": [0.0, 0.01],
    },
}  # fmt: skip
BITS = [name for name in READ if name not in (*TIMINGS, *DATES) and not name.startswith("host_")]


def rows_of(directory: Path) -> list[tuple[Any, ...]]:
    with Store.open(directory, readonly=True) as store:
        curves = [(run_id, array.tobytes()) for run_id, array in store.curve_arrays(sorted(store.known()))]
        return [*sorted(store.rows(BITS), key=repr), *curves]


def limited(most: int) -> Runner:
    return replace(compiled_runner(), most=lambda config: most)


def test_chunks_and_threads_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that diverge, of several splits and shapes among them."""
    monkeypatch.setattr(chunks, "UNKNOWN", 1.0)
    study = Study.from_table(TABLE)
    found = []
    for most, threads in ((1, 1), (2, 2), (7, 1), (ANY, 1), (ANY, 3)):
        place = tmp_path / f"{most}-{threads}"
        assert study.run(place, threads=threads, runner=limited(most)).summary.states == {"done": 96, "diverged": 48}
        found.append(rows_of(place))
    assert all(each == found[0] for each in found)


def test_runs_of_a_chunk_are_timed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes too long ends alone, and those behind it are made."""
    table = {
        **TABLE,
        "epochs": 10**5,
        "evaluate_every": 100,
        "timeout": 0.3,
        "sweep": {"learning_rate": [1e30, 0.01], "seed": [0, 1, 2, 3]},
    }
    sizes: list[int] = []

    def execute(configs: Sequence[RunConfig], control: Control) -> Results:
        sizes.append(len(configs))
        control.limit(60.0)
        return compiled_runner().execute(configs, control)

    runner = replace(compiled_runner(), execute=execute, most=lambda config: ANY)
    given = Study.from_table(table).configs()
    runner.prepare(given)
    monkeypatch.setattr(chunks, "WORTH_SECONDS", 1e9)
    ended = pooled(runner, [Task(index, config, 1e-9, 0) for index, config in enumerate(given)], 1)
    late = sorted(task.index for each in ended if each.timed_out for task in each.tasks)
    assert late == [index for index, config in enumerate(given) if config.learning_rate == 0.01]
    assert (sum(len(each.tasks) for each in ended), sizes) == (8, [1, 7])


# The peak of this process alone: what getrusage tells begins with that of the process that started it.
MANY = """
import sys
from pathlib import Path
from mlpjit.study.study import Study
rates = [10.0 ** (-4.0 + 3.0 * place / 999.0) for place in range(1000)]
study = Study.from_table({"name": "many", "dataset": "two_moons", "width": 2, "epochs": 1, "batch_size": "full",
                          "sweep": {"learning_rate": rates, "seed": list(range(100))}})
states = study.run(Path(sys.argv[1]), threads=2).summary.states
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(states, peak.split()[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks for memory in kilobytes")
def test_a_hundred_thousand_runs_fit_into_little_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MANY, str(tmp_path)], capture_output=True, text=True, check=True)
    states, kilobytes = done.stdout.rsplit(maxsplit=1)
    assert states == "{'done': 100000}"
    assert int(kilobytes) < 400_000
