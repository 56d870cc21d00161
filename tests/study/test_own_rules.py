"""Optimizer files that do what none should: a line and nothing left; short forms of `bench/evidence/own_rules.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from bench.evidence import bad_files, own_rules  # noqa: E402  (a folder of scripts: found from the root)
from mlpjit.catalogue.registries import optimizers  # noqa: E402
from mlpjit.config.run_config import RunConfig  # noqa: E402
from mlpjit.errors import ConfigError  # noqa: E402
from mlpjit.extending import files  # noqa: E402
from mlpjit.study import workers  # noqa: E402
from mlpjit.study.pool import Overdue, Unfinished  # noqa: E402
from mlpjit.study.worker import Worker  # noqa: E402
from mlpjit.training.result import Control  # noqa: E402

EXAMPLE = ROOT / "docs/examples/soft_sign.py"
TOLD = {
    "exits with 0": "worker crashed (exit code 0) while the file was read",
    "segfaults": "worker crashed (SIG",
    "raises KeyboardInterrupt": "KeyboardInterrupt",
    "closes all": "worker crashed",
    "a setting of its own": "an object of the file's own: need plain values",
    "removes numpy.isfinite": "on harmless numbers",
}


def written(folder: Path, text: str) -> Path:
    (folder / "mine.py").write_text(text)
    return folder / "mine.py"


pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")


def tried(path: Path) -> None:
    """Read a file and have its rules checked."""
    file = workers.read(path)
    with workers.working([file]) as some:
        some.check(file.entries, ["float32"])


@pytest.mark.parametrize("name", TOLD)
def test_a_bad_file_gets_a_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mine") as raised:
        tried(written(tmp_path, bad_files.FILES[name]))
    assert TOLD[name] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.processes, "LOAD_SECONDS", 0.5)
    with pytest.raises(ConfigError, match=r"mine.py: still runs after 0.5 s"):
        workers.read(written(tmp_path, bad_files.FILES["never ends and ignores signals"]))


def test_what_a_worker_tells_names_the_same_runs(tmp_path: Path) -> None:
    told = workers.read(EXAMPLE)
    by_word = RunConfig(optimizer="soft_sign", hidden=[8]).run_id
    summary = optimizers["soft_sign"].summary
    assert files.load(EXAMPLE) == told
    assert (RunConfig(optimizer="soft_sign", hidden=[8]).run_id, optimizers["soft_sign"].summary) == (by_word, summary)


def test_the_file_changes_nothing_here(tmp_path: Path) -> None:
    folder, modules = Path.cwd(), set(sys.modules)
    workers.read(written(tmp_path, f"import os; os.chdir('/'); import this\n{bad_files.GOOD}"))
    assert (Path.cwd(), "this" in set(sys.modules) - modules) == (folder, False)


LOOPS = bad_files.FILES["a loop without end from the fifth step"]


def test_a_loop_without_end_is_ended_by_its_limit_and_by_a_stop(tmp_path: Path) -> None:
    """The limit leaves out what the worker takes to start; the next run has a worker of its own."""
    file = workers.read(written(tmp_path, LOOPS))
    hangs = RunConfig(optimizer="mine", hidden=[8], epochs=1, timeout=0.1)
    with workers.working([file]) as some:
        with pytest.raises(Overdue):
            some.execute([hangs], Control())
        control, began = Control(), time.monotonic()
        control.stop()
        with pytest.raises(Unfinished):
            some.execute([hangs], control)
        assert time.monotonic() - began < 1.0
        fine = RunConfig(optimizer="mine", hidden=[8], epochs=1, batch_size="full", timeout=0.5)
        assert some.execute([fine], Control()).states == ["done"]


def test_a_module_that_changed_in_between_is_told(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("K = 0.5\n")
    file = workers.read(written(tmp_path, f"import beside\n{bad_files.GOOD.replace('* g', '* g * beside.K')}"))
    (tmp_path / "beside.py").write_text("K = 0.6\n")
    with workers.working([file]) as some, pytest.raises(ConfigError, match=r"mine.py: changed while the study ran"):
        some.prepare([RunConfig(optimizer="mine")], print)


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, time; from mlpjit.study.worker import Worker; print(Worker().process.pid, flush=True); os._exit(0)"
    )
    environment = {**os.environ, own_rules.MARK: str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert int(done.stdout) > 0
    assert own_rules.ended(f"{own_rules.MARK}={tmp_path}") == []


def test_a_worker_takes_with_it_what_it_started(tmp_path: Path) -> None:
    os.environ[own_rules.MARK] = str(tmp_path)
    try:
        workers.read(written(tmp_path, f"import subprocess\nsubprocess.Popen(['sleep', '100'])\n{bad_files.GOOD}"))
    finally:
        del os.environ[own_rules.MARK]
    assert own_rules.ended(f"{own_rules.MARK}={tmp_path}") == []


def test_a_worker_is_in_no_terminals_group() -> None:
    worker = Worker()
    assert os.getpgid(worker.process.pid) == worker.process.pid
    worker.end()
