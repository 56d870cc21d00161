"""Signals at any moment, standard streams that are full or closed; long form: `bench/evidence/interrupts.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlpjit.store import Store
from mlpjit.study import pool, signals

ROOT = Path(__file__).parents[2]
CODE = "import sys; sys.argv[0] = 'mlpjit'; from mlpjit.cli import main; main()"
TINY = """
name = "tiny"
width = 8
epochs = 1
optimizer = "sgd"
learning_rate = 0.0123456789
[sweep]
seed = [0, 1]
"""
HANGS = """
from mlpjit.extending import layerwise, load, store
@layerwise
def hangs(rows, columns, params, grads, step, learning_rate):
    while step > 4:
        store(params, 0, load(params, 0))
"""


def started(folder: Path, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
    """Start a command in a folder with a study and a rule that hangs, in a group of its own as a terminal has it."""
    (folder / "tiny.toml").write_text(TINY)
    (folder / "hangs.py").write_text(HANGS)
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **given)


def told(process: subprocess.Popen[str], beginning: str) -> str:
    """Wait for a line on standard error that begins so; return what came before it."""
    assert process.stderr
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(beginning):
            break
    return "".join(lines)


def ended(process: subprocess.Popen[str], *numbers: int) -> tuple[int, str, float]:
    """Send signals to a command's group; return its code, its last words, and after how many seconds."""
    began = time.monotonic()
    for number in numbers:
        os.killpg(process.pid, number)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors, time.monotonic() - began


TRY = ("try", "hangs.py", "tiny.toml", "--rates", "0.0123456789", "--margin", "0.123456789", "--no-report")
ENDS = {
    "terminated": ([signal.SIGTERM], 143), "interrupted twice": ([signal.SIGINT, signal.SIGINT], 130),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_run_that_hangs_ends_by_a_signal(name: str, tmp_path: Path) -> None:
    numbers, code = ENDS[name]
    process = started(tmp_path, *TRY)
    told(process, "tuning: 0 of 2 (2 stored")
    time.sleep(1.5)  # compiled by now, or compiling
    found, errors, seconds = ended(process, *numbers)
    assert (found, seconds < 4.0) == (code, True), (errors, seconds)  # half of it on a machine with nothing beside
    assert "resume with: mlpjit try " in errors
    assert "--rates 0.0123456789 --margin 0.123456789" in errors
    assert "Traceback" not in errors
    with Store.open(tmp_path / "results/tiny", readonly=True) as store:
        assert [state for (state,) in store.rows(("state",))] == ["done"] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_start_tells_the_command(number: int, tmp_path: Path) -> None:
    process = started(tmp_path, "run", "tiny.toml", "--no-report")
    told(process, "digits: ")
    code, errors, _ = ended(process, number)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}[signal.Signals(number)]
    assert "resume with: mlpjit run tiny.toml" in errors
    assert "Traceback" not in errors


COMPUTES = """
import hashlib
from mlpjit.cli import interrupts
interrupts.install()
print("computes", flush=True)
with interrupts.unwinding():
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""


def test_a_signal_ends_a_main_thread_that_computes() -> None:
    """As the steps of a large network do that are timed: no handler of Python's runs until they return."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMPUTES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "computes\n"
    time.sleep(0.2)
    code, errors, seconds = ended(process, signal.SIGTERM)
    assert (code, errors.startswith("interrupted\nresume with: mlpjit"), seconds < 4.0) == (143, True, True)


def test_nobody_need_read_standard_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = started(tmp_path, "run", "tiny.toml", "--no-report", stderr=full)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, "store.sqlite" in output) == (0, True)


@pytest.mark.parametrize("arguments", [("list", "optimizers"), ("--help",), ("--version",)], ids=str)
def test_full_standard_output_is_told(arguments: Sequence[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = started(tmp_path, *arguments, stdout=full)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (3, "error: standard output: cannot be written: No space left on device\n")


def test_closed_streams_lose_no_run(tmp_path: Path) -> None:
    closing: Callable[[], None] = lambda: os.closerange(1, 3)  # noqa: E731
    process = started(tmp_path, "run", "tiny.toml", "--no-report", preexec_fn=closing)
    assert process.communicate(timeout=60) == ("", "")
    with Store.open(tmp_path / "results/tiny", readonly=True) as store:
        assert (process.returncode, len(list(store.rows(("state",))))) == (0, 2)


def test_a_call_that_nothing_stops_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a step on a very large batch is."""
    monkeypatch.setattr(pool, "STOP_SECONDS", 0.2)
    release, stop = threading.Event(), threading.Event()

    def execute(configs: Sequence[Any], control: Any) -> Any:
        stop.set()
        release.wait(10)
        raise RuntimeError

    class Config:
        timeout = None

    runner: Any = pool.Runner(execute, lambda configs, tell: 0.0, lambda config, repeats: {})
    tasks: Any = [pool.Task(0, Config(), 1.0, 0)]  # type: ignore[arg-type]
    began = time.monotonic()
    assert list(pool.ThreadPool(runner, 1, lambda ended: ended).run(tasks, 1.0, stop, lambda cost: None)) == []
    assert 0.2 <= time.monotonic() - began < 2.0
    (left,) = (thread for thread in signals.abandoned if thread.is_alive())
    release.set()
    left.join()


def test_a_signal_after_everybody_has_looked_is_no_success() -> None:
    with pytest.raises(signals.Interrupted), signals.StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_under_a_callback_of_llvm_waits_until_it_has_returned() -> None:
    """An error in there ends the process: LLVM goes on with nothing."""
    returned = []

    def _raw_object_cache_getbuffer() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        returned.append(True)

    def loads() -> None:
        _raw_object_cache_getbuffer()
        time.sleep(5)

    began = time.monotonic()
    with pytest.raises(signals.Interrupted), signals.StopSignals() as stop, stop.at_once():
        loads()
    assert (returned, time.monotonic() - began < 4) == ([True], True)


LOSES = """
import os, signal, time
from mlpjit.cli import interrupts
interrupts.install()
class Drops:
    def __del__(self):
        {}
with interrupts.unwinding():
    Drops()
    time.sleep(30)
"""
SENDS = "os.kill(os.getpid(), signal.SIGTERM)"
CATCHES = f"""try:
            {SENDS}
        except BaseException:
            pass"""


@pytest.mark.parametrize("body", [SENDS, CATCHES], ids=["a destructor", "code that catches everything"])
def test_an_interrupt_that_is_dropped_ends_the_command_all_the_same(body: str) -> None:
    began = time.monotonic()
    found = subprocess.run([sys.executable, "-c", LOSES.format(body)], capture_output=True, text=True)
    assert (found.returncode, time.monotonic() - began < 10) == (143, True)
    assert found.stderr.startswith("interrupted\nresume with: mlpjit")
