"""Processes that compile beside: each kernel once, whatever dies, and nothing is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.host import available_threads
from mlpjit.kernels.compiler import claims
from mlpjit.training import compile_workers, warm

TRAIN = """
import json
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.compiler import jit
from mlpjit.training import compile_workers, publishing, warm
config = RunConfig(hidden=[8], activation="gelu", optimizer="adam", epochs=1)
told = []
compile_workers.available_threads = lambda: 2  # whatever this machine has
{before}
warm.prepare([config], lambda *heard: told.append(heard))
from mlpjit.training.run import execute
result = execute(config)
print(json.dumps({{"loss": result.metrics["test_loss"], "made": [k.name for k in jit.loaded() if not k.from_cache],
                  "all": sum(jit.counted()), "told": told}}))
"""
ALONE = "compile_workers.available_threads = lambda: 1"
HOLD = """
import sys, time
from pathlib import Path
from mlpjit.kernels.compiler.claims import claimed
with claimed(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def train(cache: Path, before: str = "") -> dict:
    """Train in a process of its own."""
    code, environment = TRAIN.format(before=before), {**os.environ, "MLPJIT_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cold(tmp_path_factory) -> tuple[Path, dict]:
    """What a run from an empty cache left there, and said."""
    cache = tmp_path_factory.mktemp("kernels") / "cache"
    return cache, train(cache)


def left(cache: Path) -> list[Path]:
    """What compiling leaves only where it is under way."""
    return [path for path in cache.glob("*/.*") if path.name.startswith((".writing-", ".claim-"))]


def test_from_an_empty_cache_another_process_takes_its_share(cold):
    cache, first = cold
    second = train(cache)
    assert 0 < len(first["made"]) < first["all"]
    assert second == {"loss": first["loss"], "made": [], "all": first["all"], "told": [[7, 7, ""]]}
    assert left(cache) == []


def test_what_is_compiled_is_told_of_as_it_is(cold):
    _, first = cold
    assert first["told"][0] == [0, 7, "training loop, float32"]
    assert first["told"][-1] == [7, 7, ""]
    done = [each[0] for each in first["told"]]
    assert done == sorted(done)
    assert len(done) <= len(first["made"]) + 1


@pytest.mark.parametrize(
    "before", [ALONE, "compile_workers.CODE = 'raise SystemExit(3)'"],
    ids=["one core", "one that dies"],
)  # fmt: skip
def test_without_another_process_all_of_it_is_compiled_here(tmp_path, cold, before):
    found = train(tmp_path, before)
    assert found["loss"] == cold[1]["loss"]
    assert len(found["made"]) == found["all"] == cold[1]["all"]


def test_what_is_published_beside_is_all_but_the_loops_themselves_and_what_is_called_first(tmp_path, cold):
    needs = warm.needs(RunConfig(hidden=[8], activation="gelu", optimizer="adam", epochs=1))
    beside = subprocess.Popen(
        [sys.executable, "-c", compile_workers.CODE], stdin=subprocess.PIPE, text=True,
        env={**os.environ, "MLPJIT_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert beside.stdin
    beside.stdin.write(json.dumps(needs) + "\n")
    beside.stdin.flush()
    assert beside.wait() == 0
    beside.communicate()
    found = train(tmp_path, ALONE)
    assert found["loss"] == cold[1]["loss"]
    loops = ["begin", "begin_run", "fill_permutation", "keep_run", "make_runs", "train"]
    assert sorted(found["made"]) == loops


def test_a_claim_is_held_by_one_and_free_after_it(tmp_path):
    folder = tmp_path / "kernel-float32"
    with claims.claimed(folder) as first, claims.claimed(folder, wait=False) as second:
        assert (first, second) == (True, False)
    assert list(tmp_path.iterdir()) == []
    with claims.claimed(folder, wait=False) as again:
        assert again


def test_whoever_is_killed_claims_nothing(tmp_path):
    folder = tmp_path / "kernel-float32"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "True\n"
    with claims.claimed(folder, wait=False) as mine:
        assert not mine
    holder.kill()
    with claims.claimed(folder) as mine:
        assert mine
    holder.communicate()


def test_where_nothing_can_be_locked_everybody_compiles(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with claims.claimed(tmp_path / "file" / "kernel-float32", wait=False) as mine:
        assert mine


def interrupt_once_something_is_written(cache: Path) -> None:
    with compile_workers.publishing(warm.everything("float32")):
        wait_for(lambda: bool(left(cache)))
        raise KeyboardInterrupt


def test_an_interrupt_ends_them_and_what_they_were_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_workers, "available_threads", lambda: 3)
    monkeypatch.setattr(compile_workers.cache, "root", lambda: tmp_path)
    started: list[compile_workers.Process] = []
    begin = compile_workers._start
    monkeypatch.setattr(compile_workers, "_start", lambda: [started.append(each) or each for each in begin()])
    with pytest.raises(KeyboardInterrupt):
        interrupt_once_something_is_written(tmp_path)
    assert len(started) == 2
    assert [process.wait(10) for process in started] == [0, 0]
    assert left(tmp_path) == []


def test_an_interrupt_that_is_lost_comes_again():
    """LLVM calls Python while it compiles, and ctypes drops what is raised there."""
    code = """
import ctypes, threading, time
from mlpjit.training import publishing
def called():
    print("begun", flush=True)
    time.sleep(20)
threading.Thread(target=publishing._end_with_input, daemon=True).start()
try:
    ctypes.CFUNCTYPE(None)(called)()
    time.sleep(20)
except KeyboardInterrupt:
    print("ended")
"""
    beside = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert beside.stdout
    assert beside.stdout.readline() == "begun\n"
    assert beside.communicate()[0] == "ended\n"


def test_they_are_told_to_end_where_nothing_is_to_be_compiled(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_workers, "available_threads", lambda: 2)
    monkeypatch.setattr(compile_workers.cache, "root", lambda: tmp_path)
    compile_workers.expect()
    (process,) = compile_workers._waiting
    with compile_workers.publishing([]):
        assert process.wait(10) != 0
    assert compile_workers._waiting == []


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_ends_while_it_compiles_leaves_no_process(tmp_path, number):
    """The signal goes to the command alone, not to its group as a terminal's would."""
    cache = tmp_path / "cache"
    command = subprocess.Popen(
        [sys.executable, "-m", "mlpjit.cli", "run", "quick", "--out", str(tmp_path / "out")],
        env={**os.environ, "MLPJIT_CACHE_DIR": str(cache)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: len(list(cache.glob("*/.writing-*"))) >= min(2, available_threads()))
    command.send_signal(number)
    ended = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    assert command.wait(60) == ended[number]
    assert wait_for(lambda: not alive(command.pid))


def wait_for(happens: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not (happened := happens()) and time.monotonic() < until:
        time.sleep(0.01)
    return happened


def alive(group: int) -> bool:
    """Say whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
