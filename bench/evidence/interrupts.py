"""SIGINT, two of them, and SIGTERM at random moments of `mlpjit run` and `mlpjit try`: code, line, time, nothing lost.

    python bench/evidence/interrupts.py [COUNT [SEED]] | tee bench/evidence/interrupts.log

Each kind COUNT times (50), at moments that cover the whole command, every fourth without kernels in the cache. What the
last line says was stored is looked for in the store. The bound is two seconds. The first moment is that from which on
the command has its handlers, 0.1 s after Python's start; before it a signal ends Python as Python does.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import MARK, ROOT, machine, started
from bench.evidence.own_rules import ended

STUDY = """
name = "tiny"
epochs = 3
width = 16
[sweep]
optimizer = ["sgd", "adam"]
learning_rate = [0.003, 0.03, 0.3]
seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
[final]
per = "optimizer"
seeds = [100, 101]
"""
RULE = (ROOT / "docs/examples/soft_sign.py").read_text()
KINDS = {"SIGINT": [signal.SIGINT], "SIGINT twice": [signal.SIGINT] * 2, "SIGTERM": [signal.SIGTERM]}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
COMMANDS = (
    ["run", "tiny.toml"],
    ["try", "mine.py", "tiny.toml", "--cap", "3", "--no-report"],
    ["run", "tiny.toml", "--no-report"],
)
SECONDS = 2.0


@dataclass(frozen=True)
class Ended:
    """How a command ended after its signals: where it was, code, seconds, what is wrong."""

    stage: str
    code: int
    seconds: float
    faults: list[str]


def interrupted(command: list[str], folder: Path, cache: Path, wait: float, signals: list[signal.Signals]) -> Ended:
    """Send a command signals after some seconds; return how it ended."""
    began, process = time.monotonic(), started(command, folder, cache)
    while process.poll() is None and not _has_handlers(process.pid):
        time.sleep(0.005)
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    sent = time.monotonic()
    for number in signals:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)  # as a terminal does it
        time.sleep(0.05)
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
    seconds = time.monotonic() - sent
    faults = _faults(process.returncode, errors, seconds, signals[0], folder)
    left = ended(f"{MARK}={folder}")
    faults += [f"{len(left)} processes left"] if left else []
    faults += [f"it said:\n{errors}"] if faults else []
    return Ended(f"{sent - began:4.1f} s, {_stage(errors)}", process.returncode, seconds, faults)


def _has_handlers(process: int) -> bool:
    """Whether a process catches SIGTERM: what Python itself does not."""
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        return bool(int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def _stage(errors: str) -> str:
    lines = [line for line in errors.splitlines() if not line.startswith(("interrupted", "resume"))]
    return lines[-1][:50] if lines else "start"


def _faults(code: int, errors: str, seconds: float, number: signal.Signals, folder: Path) -> list[str]:
    if code == 0:  # it was faster than the signal
        return [f"went on for {seconds:.1f} s"] if seconds > SECONDS else []
    found = [] if code == CODES[number] else [f"exit code {code}"]
    found += [] if "resume with: mlpjit" in errors else ["no resume line"]
    found += ["traceback"] if "Traceback" in errors else []
    found += [f"{seconds:.1f} s"] if seconds > SECONDS else []
    told = re.search(r"interrupted; (\d+) runs were stored", errors)
    states = _states(folder)
    found += ["lost"] if told and len(states) < int(told[1]) else []
    found += [f"{states.count('failed')} failed"] if "failed" in states else []
    return found


def _states(folder: Path) -> list[str]:
    path = folder / "results/tiny/store.sqlite"
    if not path.exists():
        return []
    with sqlite3.connect(path) as connection, suppress(sqlite3.OperationalError):
        return [state for (state,) in connection.execute("SELECT state FROM runs")]
    return []


def _prepared(folder: Path) -> Path:
    (folder / "tiny.toml").write_text(STUDY)
    (folder / "mine.py").write_text(RULE)
    return folder


def _lasts(command: list[str], cache: Path) -> float:
    """Return how many seconds a command takes with a cache as it is."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        interrupted(command, _prepared(Path(folder)), cache, 600.0, [signal.SIGCONT])
    return time.monotonic() - began


def main(count: int, seed: int) -> None:
    """Interrupt every command in every way."""
    draw, wrong, made, slowest = random.Random(seed), 0, 0, 0.0
    with tempfile.TemporaryDirectory() as warm:
        [_lasts(command, Path(warm)) for command in COMMANDS]
        lasts = [_lasts(command, Path(warm)) for command in COMMANDS]
        for kind, signals in KINDS.items():
            for number in range(count):
                which, cold = number % len(COMMANDS), number % 4 == 3
                with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as fresh:
                    wait, cache = draw.uniform(0.0, lasts[which]), Path(fresh if cold else warm)
                    one = interrupted(COMMANDS[which], _prepared(Path(folder)), cache, wait, signals)
                wrong, made, slowest = wrong + bool(one.faults), made + (one.code != 0), max(slowest, one.seconds)
                what = f"{kind:12} {COMMANDS[which][0]} {'cold' if cold else 'warm'} at {one.stage}"
                print(f"{what:90} {one.code:3} {one.seconds:4.1f} s  {'; '.join(one.faults)}", flush=True)
    print(f"{len(KINDS) * count} signals, {made} before the end: {wrong} wrong, slowest {slowest:.1f} s")
    print(f"seed {seed}, {machine()}")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(50, 0)[len(given) :])
