"""The sweep with a fake runner: stages, resume, interruption, failure, time limits."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import TABLE, Fake, FakeResult

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, StoreError
from mlpjit.report.export import export
from mlpjit.store import Store, opening
from mlpjit.store.schema import WRITTEN
from mlpjit.study import sweep
from mlpjit.study.plan import work
from mlpjit.study.progress import Snapshot
from mlpjit.study.signals import Interrupted
from mlpjit.study.study import Study
from mlpjit.training.result import Control

TUNING, FINAL, TIMINGS = 24, 6, 8


def small(**changes: Any) -> Study:
    return Study.from_table({**copy.deepcopy(TABLE), **changes})


def deterministic(directory: Path) -> tuple[list[tuple[str, ...]], str]:
    """runs.csv without wall-clock, date and machine columns, and curves.csv."""
    import csv

    export(directory)
    with (directory / "runs.csv").open() as file:
        rows = list(csv.reader(file))
    kept = [i for i, name in enumerate(rows[0]) if not name.endswith(("_seconds", "_at")) and name[:5] != "host_"]
    return [tuple(row[i] for i in kept) for row in rows], (directory / "curves.csv").read_text()


def test_a_study_runs_all_its_stages(tmp_path: Path) -> None:
    fake = Fake()
    summary = small().run(tmp_path, threads=2, runner=fake.runner()).summary
    assert (summary.total, summary.ran, summary.timings) == (TUNING + FINAL, TUNING + FINAL, TIMINGS)
    assert summary.states == {"done": 22, "diverged": 8}
    assert summary.compile_seconds == pytest.approx(3 * 0.25)
    final = fake.made[TUNING:]
    assert {config.learning_rate for config in final} == {0.1}
    assert sorted({config.seed for config in final}) == [100, 101, 102]


def test_results_are_frames_in_the_order_of_the_plan(tmp_path: Path) -> None:
    study = small()
    results = study.run(tmp_path, threads=2, runner=Fake().runner())
    frame = results.frame()
    assert frame["run_id"].tolist()[:TUNING] == study.runs.run_ids
    assert frame["stage"].tolist() == ["tune"] * TUNING + ["final"] * FINAL
    assert set(results.curves()["run_id"]) == set(frame["run_id"])


def test_the_longest_runs_come_first(tmp_path: Path) -> None:
    fake = Fake()
    table = {key: value for key, value in TABLE.items() if key not in ("final", "timing")}
    Study.from_table(table).run(tmp_path, threads=1, runner=fake.runner())
    assert [config.depth for config in fake.made] == [2] * 12 + [1] * 12


def test_a_complete_study_runs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    small().run(tmp_path, threads=2, runner=Fake().runner())
    with Store.open(tmp_path, readonly=True) as store:
        before = store.content_version()
    fake = Fake()
    summary = small().run(tmp_path, threads=2, runner=fake.runner()).summary
    assert (summary.ran, fake.made, summary.total) == (0, [], TUNING + FINAL)
    with Store.open(tmp_path, readonly=True) as store:
        assert store.content_version() == before


def test_a_larger_study_runs_only_what_is_new(tmp_path: Path) -> None:
    small().run(tmp_path, threads=2, runner=Fake().runner())
    wider = copy.deepcopy(TABLE)
    wider["sweep"]["seed"] = [0, 1, 2]
    fake = Fake()
    summary = Study.from_table(wider).run(tmp_path, threads=2, runner=fake.runner()).summary
    assert [config.seed for config in fake.made[:12]] == [2] * 12
    assert summary.total == 36 + FINAL


def test_threads_change_no_deterministic_column(tmp_path: Path) -> None:
    for threads in (1, 3):
        small().run(tmp_path / str(threads), threads=threads, runner=Fake().runner())
    assert deterministic(tmp_path / "1") == deterministic(tmp_path / "3")


def test_a_failing_run_is_stored_and_tried_again(tmp_path: Path) -> None:
    table = {"width": 4, "epochs": 1, "sweep": {"activation": ["relu", "tanh"], "seed": [0, 1]}}
    study = Study.from_table(table)
    summary = study.run(tmp_path, threads=2, runner=Fake(fails=("tanh",)).runner()).summary
    assert (summary.states, summary.failed) == ({"done": 2, "failed": 2}, 2)
    with Store.open(tmp_path, readonly=True) as store:
        errors = {error for state, error in store.rows(("state", "error")) if state == "failed"}
    assert errors == {"ValueError: no luck at all"}
    again = study.run(tmp_path, threads=2, runner=Fake().runner()).summary
    assert (again.ran, again.states) == (2, {"done": 4})


def test_failed_tuning_runs_do_not_hold_up_the_final_stage(tmp_path: Path) -> None:
    table = copy.deepcopy(TABLE)
    table["sweep"]["activation"] = ["relu", "tanh"]
    summary = Study.from_table(table).run(tmp_path, threads=2, runner=Fake(fails=("tanh",)).runner()).summary
    assert summary.states["failed"] == TUNING
    assert summary.total == 2 * TUNING + FINAL


def test_a_run_over_its_time_is_stopped_and_stored(tmp_path: Path) -> None:
    table = {"width": 4, "timeout": 0.05, "sweep": {"seed": [0, 1]}}
    began = time.monotonic()
    fake = Fake(seconds=20.0)
    summary = Study.from_table(table).run(tmp_path, threads=2, runner=fake.runner()).summary
    assert summary.states == {"timed_out": 2}
    assert time.monotonic() - began < 10
    assert Study.from_table(table).run(tmp_path, runner=fake.runner()).summary.ran == 0
    again = Study.from_table({**table, "timeout": 60.0}).run(tmp_path, threads=2, runner=Fake().runner()).summary
    assert (again.ran, again.states) == (2, {"done": 2})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_sweep_and_loses_nothing(tmp_path: Path, number: signal.Signals) -> None:
    fake = Fake(seconds=0.05)
    killer = threading.Timer(0.4, os.kill, (os.getpid(), number))
    killer.start()
    with pytest.raises(Interrupted, match="The same command again resumes"):
        small().run(tmp_path, threads=2, runner=fake.runner())
    killer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]
    with Store.open(tmp_path, readonly=True) as store:
        known = store.known()
    assert set(known) == {config.run_id for config in fake.made}
    assert {state for state, _, _ in known.values()} <= {"done", "diverged"}
    assert 0 < len(known) < TUNING
    rest = Fake()
    summary = small().run(tmp_path, threads=2, runner=rest.runner()).summary
    assert len(rest.made) == TUNING + FINAL - len(known)
    assert summary.total == TUNING + FINAL
    small().run(tmp_path / "whole", threads=2, runner=Fake().runner())
    assert deterministic(tmp_path) == deterministic(tmp_path / "whole")


def test_the_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    small().run(tmp_path, threads=1, runner=Fake().runner())
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fakes import TABLE, Fake
from mlpjit.study.study import Study
Study.from_table(TABLE).run(Path(sys.argv[1]), threads=2, runner=Fake(seconds=0.05).runner())
"""


@pytest.mark.parametrize("runs", [1, 9, 26])
def test_a_sweep_killed_at_any_moment_resumes_to_the_same_tables(tmp_path: Path, runs: int) -> None:
    killed = tmp_path / "killed"
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(killed), tests])
    deadline = time.monotonic() + 60
    while stored(killed) < runs and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = stored(killed)
    assert runs <= held < TUNING + FINAL
    fake = Fake()
    small().run(killed, threads=2, runner=fake.runner())
    assert len(fake.made) == TUNING + FINAL - held
    assert [path.name for path in killed.iterdir()] == ["store.sqlite"]
    small().run(tmp_path / "whole", threads=1, runner=Fake().runner())
    assert deterministic(killed) == deterministic(tmp_path / "whole")


def stored(directory: Path) -> int:
    try:
        with Store.open(directory, readonly=True) as store:
            return len(store.known())
    except StoreError:
        return 0


def test_two_sweeps_on_one_store_do_not_meet(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.sqlite"), pytest.raises(StoreError, match="is running this study"):
        small().run(tmp_path, runner=Fake().runner())


def test_progress_counts_and_names_the_best(tmp_path: Path) -> None:
    seen: list[Snapshot] = []
    small().run(tmp_path, threads=2, runner=Fake().runner(), progress=seen.append)
    last = [shown for shown in seen if shown.stage == "tune"][-1]
    assert (last.total, last.done, last.diverged, last.cached) == (TUNING, TUNING, 8, 0)
    assert last.best_loss is not None
    assert last.best_label.endswith("rate 0.1")
    assert list(dict.fromkeys(shown.stage for shown in seen)) == ["tune", "final", "timing"]


def test_what_is_shown_as_done_is_in_the_store(tmp_path: Path) -> None:
    """A kill at any moment loses nothing that was shown."""
    seen: list[tuple[int, int]] = []
    fake, many = Fake(seconds=0.001), Study.from_table({"width": 4, "epochs": 1, "sweep": {"seed": list(range(300))}})
    many.run(tmp_path, 2, runner=fake.runner(), progress=lambda shown: seen.append((shown.done, stored(tmp_path))))
    assert all(done <= held for done, held in seen), seen
    assert len({done for done, _ in seen}) > 2


def test_threads_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="threads: got 0"):
        small().run(tmp_path, threads=0, runner=Fake().runner())


def test_an_error_of_the_store_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "put_all", broken)
    with pytest.raises(StoreError, match="the disk is full"):
        small().run(tmp_path, threads=2, runner=Fake(seconds=0.01).runner())


class Odd(Fake):
    """Runs of seed 1 end with what no store can hold."""

    def __init__(self, **odd: Any) -> None:
        super().__init__()
        self.odd = odd

    def execute(self, config: RunConfig, control: Control) -> FakeResult:
        result = super().execute(config, control)
        return replace(result, **self.odd) if config.seed == 1 else result


ODD = [({"counts": {"steps": 10**19}}, "RowError: steps: 10000000000000000000 cannot be stored"),
       ({"metrics": {"test_score": [1.0]}}, "RowError: test_score: [1.0] cannot be stored")]  # fmt: skip


@pytest.mark.parametrize(("odd", "error"), ODD)
def test_a_run_that_cannot_be_stored_fails_alone(tmp_path: Path, odd: dict[str, Any], error: str) -> None:
    study = Study.from_table({"width": 4, "epochs": 1, "sweep": {"seed": list(range(120))}})
    summary = study.run(tmp_path, threads=2, runner=Odd(**odd).runner()).summary
    assert summary
    assert (summary.states, summary.failed) == ({"done": 119, "failed": 1}, 1)
    (told,) = summary.errors
    assert told.startswith(error)
    with Store.open(tmp_path, readonly=True) as store:
        rows = {seed: (state, kept) for seed, state, kept in store.rows(("seed", "state", "error"))}
    assert rows[1] == ("failed", told)
    assert study.run(tmp_path, threads=2, runner=Fake().runner()).summary.states == {"done": 120}  # type: ignore[union-attr]


def test_runs_that_were_lost_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seed = Store.put_all, WRITTEN.index("seed")
    monkeypatch.setattr(Store, "put_all", lambda store, rows: rows.runs[seed][0] and real(store, rows))
    study = Study.from_table({"width": 4, "epochs": 1, "sweep": {"seed": [0, 1, 2]}})
    summary = study.run(tmp_path, threads=2, runner=Fake().runner()).summary
    assert summary
    assert (summary.states, summary.failed) == ({"done": 2, "missing": 1}, 1)
    assert summary.errors == {"is not in the store, though it was made": 1}


def test_the_store_is_opened_once_and_the_plan_made_once_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, planned, real = [], [], opening.connect
    monkeypatch.setattr(opening, "connect", lambda path, mode: opened.append(mode) or real(path, mode))
    monkeypatch.setattr(sweep, "work", lambda *given: planned.append(given) or work(*given))
    for ways, stages in ((["rw", "ro"], 2), (["ro"], 1)):
        small().run(tmp_path, threads=2, runner=Fake().runner())
        assert (opened, len(planned)) == (ways, stages)
        opened.clear()
        planned.clear()


def test_a_store_that_another_has_filled_meanwhile_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look at the store and our lock on it."""
    small(final=None).run(tmp_path, threads=2, runner=Fake().runner())
    real, fake = Store.start_writing, Fake()

    def late(store: Store) -> None:
        monkeypatch.setattr(Store, "start_writing", real)
        small().run(tmp_path, threads=2, runner=Fake().runner())
        real(store)

    monkeypatch.setattr(Store, "start_writing", late)
    summary = small().run(tmp_path, threads=2, runner=fake.runner()).summary
    assert summary
    assert (fake.made, summary.total) == ([], TUNING + FINAL)


def moons(path: Path, shift: float = 0.0) -> None:
    """Write two classes of 40 points each."""
    rows = [f"{i % 2 + 0.01 * i + shift},{i % 7},{i % 2}" for i in range(80)]
    path.write_text("\n".join(["a,b,target", *rows]) + "\n")


def test_a_file_that_changes_while_the_study_runs_fails_its_runs(tmp_path: Path) -> None:
    """The plan is of the first contents; results of the second must not be stored under its ids."""
    from mlpjit.training.chunk import make

    moons(tmp_path / "moons.csv")
    table = {"name": "edited", "dataset": str(tmp_path / "moons.csv"), "hidden": [4], "epochs": 1,
             "sweep": {"seed": [0, 1]}}  # fmt: skip
    study, runner = Study.from_table(table), Fake().runner()

    def edit(configs: Any, tell: Any) -> float:
        moons(tmp_path / "moons.csv", shift=0.5)
        return 0.0

    changing = replace(runner, execute=make, prepare=edit)
    results = study.run(tmp_path / "out", threads=1, runner=changing)
    assert results.summary.states == {"failed": 2}
    line = "file changed while the study ran"
    errors = results.frame()["error"].tolist()
    assert all(text.endswith(line) and "\n" not in text for text in errors), errors
    again = Study.from_table(table)
    assert not set(again.runs.run_ids) & set(study.runs.run_ids)
    keeping = replace(runner, execute=make)
    assert again.run(tmp_path / "out", threads=1, runner=keeping).summary.states == {"done": 2}


def test_a_file_that_is_gone_fails_its_runs_in_one_line(tmp_path: Path) -> None:
    moons(tmp_path / "moons.csv")
    table = {"name": "gone", "dataset": str(tmp_path / "moons.csv"), "hidden": [4], "epochs": 1}
    study = Study.from_table(table)
    runs = study.runs
    (tmp_path / "moons.csv").unlink()
    assert runs.config(0).run_id == runs.run_ids[0]
    from mlpjit.training.run import Run

    with pytest.raises(ConfigError, match=r"cannot read dataset .*moons\.csv"):
        Run(runs.config(0))
