"""What a study takes against the memory that is free, asked before anything is written."""

from __future__ import annotations

import math
from contextlib import nullcontext
from unittest.mock import Mock

import pytest
from fakes import Fake
from typer.testing import CliRunner

import mlpjit as mj
from mlpjit import host
from mlpjit.cli import app
from mlpjit.errors import ConfigError
from mlpjit.study import memory
from mlpjit.study.pool import Runner
from mlpjit.study.study import Study

TABLE = {"dataset": "wine", "epochs": 1, "width": 8192, "depth": 2, "sweep": {"seed": [0, 1, 2]}}


WIDE = 'dataset = "wine"\nepochs = 1\nwidth = 8192\ndepth = 2\nsweep.seed = [0, 1, 2]\n'


class Began(Exception):
    pass


def begins(*_) -> Runner:
    raise Began


@pytest.fixture
def free(monkeypatch):
    """Let the machine have so much memory left that `runs` of the study fit at once."""

    def of(runs: float) -> None:
        largest = memory.estimated_memory(Study.from_table(TABLE).runs, 1) - memory.PROCESS_BYTES
        monkeypatch.setattr(memory, "free_memory_bytes", lambda: memory.PROCESS_BYTES + runs * largest)

    return of


@pytest.mark.parametrize(
    ("fit", "threads", "told"),
    [
        (0.9, 1, "a run takes 2.4 GB, and 2.2 GB are free: need smaller width, depth, batch_size or epochs, or f"),
        (2.5, 3, "3 runs at once take 6.7 GB, and 5.7 GB are free: need threads=2, smaller width"),
        (2.5, 8, "3 runs at once take 6.7 GB"),
    ],
)  # fmt: skip
def test_too_little_is_told_before_anything_is_written(free, tmp_path, fit, threads, told):
    free(fit)
    with pytest.raises(ConfigError) as caught:
        Study.from_table(TABLE).run(tmp_path / "out", threads)
    assert str(caught.value).startswith(told)
    assert not (tmp_path / "out").exists()


def test_a_command_is_told_its_options(free, tmp_path):
    free(2.5)
    (tmp_path / "wide.toml").write_text(WIDE)
    done = CliRunner().invoke(app, ["run", str(tmp_path / "wide.toml"), "--threads", "3", "--out", str(tmp_path)])
    assert done.stderr.endswith("need --threads 2, smaller width, depth, batch_size or epochs, or --force\n")


@pytest.mark.parametrize(("fit", "threads", "force"), [(1.1, 1, False), (3.1, 8, False), (0.1, 1, True)])
@pytest.mark.parametrize("kind", [Study, mj.Study])
def test_what_fits_begins_and_so_does_what_is_forced(free, tmp_path, monkeypatch, fit, threads, force, kind):
    free(fit)
    monkeypatch.setattr("mlpjit.study.sweep.Sweep.run", begins)
    with pytest.raises(Began):
        kind.from_table(TABLE).run(tmp_path / "out", threads, force=force)


@pytest.fixture
def begun(free, tmp_path):
    """Make one of the runs, and say where it is stored."""
    free(8.1)
    Study.from_table({**TABLE, "sweep": {"seed": [0]}}).run(tmp_path, runner=Fake().runner())
    return tmp_path


def test_what_goes_on_is_asked_for_what_it_lacks(free, begun):
    before = (begun / "store.sqlite").read_bytes()
    free(1.5)
    with pytest.raises(ConfigError, match=r"^2 runs at once take 4.6 GB, and 3.5 GB are free: need threads=1, "):
        Study.from_table(TABLE).run(begun, 8, runner=Fake().runner())
    assert (begun / "store.sqlite").read_bytes() == before
    assert Study.from_table(TABLE).run(begun, 1, runner=Fake().runner()).summary.ran == 2


@pytest.mark.parametrize(("seeds", "force", "ran"), [([0], False, 0), ([0, 1, 2], True, 2)])
def test_what_is_complete_or_forced_goes_on_with_any_memory(free, begun, seeds, force, ran):
    free(0.1)
    table = {**TABLE, "sweep": {"seed": seeds}}
    assert Study.from_table(table).run(begun, 1, runner=Fake().runner(), force=force).summary.ran == ran


def test_workers_of_dask_are_told_their_own_option(free, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from mlpjit.cluster import running

    free(2.5)
    monkeypatch.setattr(running, "connected", lambda address: nullcontext())
    monkeypatch.setattr(running, "Crew", Mock())
    monkeypatch.setattr(running, "compiled_runner", Fake().runner)
    with pytest.raises(ConfigError, match=r"6.7 GB, and 5.7 GB are free: need dask='local:2', smaller width"):
        running.sweep_on("local:3", Study.from_table(TABLE), tmp_path / "out")


def test_a_plan_counts_with_the_same(free):
    runs = Study.from_table(TABLE).runs
    one, three = memory.estimated_memory(runs, 1), memory.estimated_memory(runs, 3)
    assert math.isclose(three - memory.PROCESS_BYTES, 3 * (one - memory.PROCESS_BYTES))
    assert memory.estimated_memory(runs, 99) == three


def test_a_container_leaves_less_than_its_machine(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert host._free_of_group(tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert host._free_of_group(tmp_path) is None
    assert host._free_of_group(tmp_path / "none") is None
