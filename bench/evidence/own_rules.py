"""Files with bad behaviour under `mlpjit try`: each ends with a line and a code and leaves nothing.

    python bench/evidence/own_rules.py | tee bench/evidence/own_rules.log

Run limit 3 s, reading 5 s, checks 20 s in place of 60 and 120, so that it takes minutes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.bad_files import FILES
from bench.evidence.commands import MARK

STUDY = """
name = "tiny"
width = 8
epochs = 1
timeout = 3
optimizer = "sgd"
[sweep]
learning_rate = [0.03, 0.3]
seed = [0, 1]
"""
CODE = """
import sys
from mlpjit.study import worker, workers
worker.LOAD_SECONDS, workers.MOST_SECONDS = 5.0, 20.0
sys.argv[0] = "mlpjit"
from mlpjit.cli import main
main()
"""
MOST_SECONDS = 120


@dataclass(frozen=True)
class Tried:
    """How a command ended: its code, what it printed, its last line, its seconds, how many processes it left."""

    code: int
    output: str
    errors: str
    seconds: float
    left: int

    @property
    def faults(self) -> list[str]:
        """What is wrong with the way it ended."""
        found = [] if self.code in (0, 1, 2) else [f"exit code {self.code}"]
        found += ["silence"] if self.code and "error: " not in self.errors else []
        found += ["traceback"] if "Traceback" in self.errors else []
        fits = _is_json(self.output) if self.output else self.code != 0
        found += [] if fits else ["output"]
        found += [f"{self.left} processes left"] if self.left else []
        return found

    @property
    def line(self) -> str:
        """The line that says why."""
        return next((each for each in self.errors.splitlines() if each.startswith("error: ")), "done")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def tried(text: str, folder: Path) -> Tried:
    """Try a file in a folder of its own; what it leaves is ended."""
    (folder / "mine.py").write_text(text)
    (folder / "tiny.toml").write_text(STUDY)
    mark, began = f"{MARK}={folder}", time.monotonic()
    command = [sys.executable, "-c", CODE, "try", "mine.py", "tiny.toml", "--cap", "3", "--json", "--no-report"]
    environment = {**os.environ, MARK: str(folder)}
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            code = process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    seconds = time.monotonic() - began
    return Tried(code, (folder / "out").read_text(), (folder / "err").read_text(), seconds, len(ended(mark)))


def ended(mark: str) -> list[int]:
    """Return the processes with a mark in their environment, ended: those of our own that were left."""
    time.sleep(0.3)  # the kernel takes a moment for those that were just ended
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            running = entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if running and mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                found.append(int(entry.name))
    return found


def main(names: Sequence[str]) -> None:
    """Try some of the files, or all."""
    wrong, left = 0, 0
    for name in names or FILES:
        with tempfile.TemporaryDirectory() as folder:
            made = tried(FILES[name], Path(folder))
        wrong, left = wrong + bool(made.faults), left + made.left
        print(f"{name:40} {made.code} {made.seconds:5.1f} s  {'; '.join(made.faults) or made.line[:90]}", flush=True)
    print(f"{len(names or FILES)} files: {wrong} wrong, {left} processes left")


if __name__ == "__main__":
    main(sys.argv[1:])
