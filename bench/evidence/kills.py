"""SIGKILL at random moments of `mlpjit run`: nothing that was told as done is lost, nothing made twice, same tables.

    python bench/evidence/kills.py [KILLS [SEED [NAME ...]]] > results/reference/kills.json

A study of 500 runs is killed at a random moment and started again until it ends; then comes another, until so many
kills have met them. A moment lies behind the first sign of a phase, by as much as the phase takes at most: by the clock
alone nearly all would lie in a start. Kills of one study are meant for its phases in their order.

After each the folder is copied, and every second time the copy is read in place of the folder, so that the same command
meets both what a kill leaves and what a reader has put away. NAMEs are threads and dask, each with so many kills; both
without. Prints JSON; exits with 1 unless all counts of faults are 0.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import MARK, machine, started
from bench.evidence.own_rules import ended
from mlpjit.report.export import export
from mlpjit.store import Store

# Of half of the runs sixteen are made at once, in lanes; the others are too wide.
STUDY = """
name = "killed"
dataset = "two_moons"
epochs = 20
[sweep]
optimizer = ["sgd", "adam"]
learning_rate = [0.01, 0.03, 0.1, 0.3, 30.0]
hidden = [[32, 32], [64, 64]]
seed = [{seeds}]
[final]
per = "optimizer"
seeds = [{final}]
"""
RUNS, SETTINGS, FINAL = 500, 20, 100
OPTIONS = {"threads": ("--threads", "2"), "dask": ("--dask", "local:2")}
# The phases of a command, and how many of twelve kills of a study are meant for each: what is late may meet the next.
PHASES = {"start": 2, "preparing": 2, "tuning": 4, "final runs": 3, "behind the runs": 1}
AT_ONCE = 3  # studies that are killed beside each other: a command waits more than it works
# A line for everything that progress is told, not one every five seconds: what was reported is counted.
CODE = """
import sys
from mlpjit.cli import main, progress
progress.LINE_SECONDS = 0.0
sys.argv[0] = "mlpjit"
main()
"""
FAULTS = ("lost", "twice", "tables", "damaged", "left", "code", "traceback")
Known = dict[str, tuple[Any, ...]]


class Watched:
    """A command that runs, and what it has told so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.told = process, ""
        self.since = {"start": time.monotonic()}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.told += line
                self.since.setdefault(phase_of(line), time.monotonic())

    def wait_for(self, phase: str) -> None:
        """Wait until it is in this phase or behind it, or has ended."""
        awaited = set(list(PHASES)[list(PHASES).index(phase) :])
        while self.process.poll() is None and not awaited & self.since.keys():
            time.sleep(0.002)

    def finished(self) -> int:
        """Wait for its end; return its code."""
        assert self.process.stdout is not None
        with self.process.stdout:
            code = self.process.wait()
        self._reader.join()
        return code

    def lengths(self) -> dict[str, float]:
        """Return how long each phase took, of a command that has just ended."""
        begins = [self.since[phase] for phase in PHASES]
        ends = [*begins[1:], time.monotonic()]
        return {phase: end - begin for phase, begin, end in zip(PHASES, begins, ends, strict=True)}


@dataclass
class Campaign:
    """What is killed, how long its phases take undisturbed and what its tables are then; and what was found."""

    folder: Path
    draw: random.Random
    options: Sequence[str]
    runs: int = RUNS
    lengths: dict[str, float] = field(default_factory=dict)
    right: dict[str, list[Any]] = field(default_factory=dict)
    moments: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make the study undisturbed, twice: the second time kernels lie in the cache."""
        seeds, final = range((self.runs - FINAL) // SETTINGS), range(100, 100 + FINAL // 2)
        text = STUDY.format(seeds=", ".join(map(str, seeds)), final=", ".join(map(str, final)))
        self.folder.mkdir(exist_ok=True)
        (self.folder / "killed.toml").write_text(text)
        for name in ("cold", "right"):
            command = self.start(name)
            code = command.finished()
            self.lengths = command.lengths()
            assert code == 0, command.told
        self.right = tables(self.folder / "right")

    def start(self, out: str) -> Watched:
        """Start the command that makes the study into a folder."""
        command = ["run", "killed.toml", "--no-report", "--out", out, *self.options]
        return Watched(started(command, self.folder, code=CODE))

    def finished(self, command: Watched) -> tuple[int, str]:
        """Wait for a command; return its code and what it told, which is a fault where it is a traceback."""
        code = command.finished()
        if "Traceback" in command.told:
            self.faults.append(f"traceback: {command.told}")
        if left := ended(f"{MARK}={self.folder}"):
            self.faults.append(f"left: {len(left)} processes")
        return code, command.told

    def one_study(self, kills: int) -> int:
        """Kill one study until it ends by itself or has been killed so often; return how often it was."""
        name, known, number = "study", Known(), 0
        shutil.rmtree(self.folder / name, ignore_errors=True)
        phases = [phase for phase, count in PHASES.items() for _ in range(count)]
        meant = min(kills, len(phases))
        for phase in (phases[place * len(phases) // meant] for place in range(meant)):
            command = self.start(name)
            killed = self._killed(command, phase)
            _, errors = self.finished(command)
            if not killed:
                break
            number += 1
            self.moments[moment(errors)] += 1
            known = self._judged(name, known, errors, by_copy=number % 2 == 0)
        self._complete(name, known)
        return number

    def _killed(self, command: Watched, phase: str) -> bool:
        """Kill a command at a random moment of a phase; False where it was faster."""
        command.wait_for(phase)
        try:
            command.process.wait(self.draw.uniform(0.0, self.lengths[phase]))
        except subprocess.TimeoutExpired:
            command.process.send_signal(signal.SIGKILL)
        return command.process.wait() == -signal.SIGKILL

    def _judged(self, name: str, before: Known, errors: str, by_copy: bool) -> Known:
        place = self.folder / name
        if by_copy and place.exists():
            shutil.rmtree(self.folder / "copy", ignore_errors=True)
            place = Path(shutil.copytree(place, self.folder / "copy"))
        known = stored(place)
        if len(known) < reported(errors):
            self.faults.append(f"lost: {reported(errors)} reported, {len(known)} stored:\n{errors}")
        if gone := before.keys() - known.keys():
            self.faults.append(f"lost: {len(gone)} that were stored before")
        if again := [run_id for run_id in before.keys() & known.keys() if before[run_id] != known[run_id]]:
            self.faults.append(f"twice: {len(again)} that were stored before")
        return known

    def _complete(self, name: str, before: Known) -> None:
        """Let the study end, and compare all of it with the undisturbed one."""
        code, errors = self.finished(self.start(name))
        known = self._judged(name, before, "", by_copy=False)
        made = re.search(r"([\d,]+) made now", errors)
        number = int(made[1].replace(",", "")) if made else 0
        if before and number and number != self.runs - len(before):
            self.faults.append(f"twice: {number} made with {len(before)} of {self.runs} stored")
        if code or len(known) != self.runs:
            self.faults.append(f"code: {code}, {len(known)} stored:\n{errors}")
        self.faults += [f"tables: {table}" for table in different(self.right, tables(self.folder / name))]
        with Store.open(self.folder / name, readonly=True) as store:
            self.faults += [f"damaged: {said}" for said in [store.check()] if said]


def stored(out: Path) -> Known:
    """Return what tells one making of a run from another, by run: its session and date."""
    store = Store.find(out / "store.sqlite")
    if store is None:
        return {}
    with store, closing(store.connection.execute("SELECT run_id, session, started_at FROM runs")) as rows:
        return {run_id: made for run_id, *made in rows}  # type: ignore[misc]


def reported(errors: str) -> int:
    """Return how many runs a command had told as stored: those of each stage's last line, and those from before."""
    told = re.findall(r"^(\w[\w ]*): ([\d,]+) of [\d,]+(?: \(([\d,]+) stored before)?", errors, re.MULTILINE)
    return sum(int((number or "0").replace(",", "")) for numbers in {one[0]: one[1:] for one in told}.values()
               for number in numbers)  # fmt: skip


def phase_of(line: str) -> str:
    """Return the phase that a command is in by a line that it told."""
    stage, _, rest = line.partition(": ")
    if re.match(r"[\d,]+ runs \(|final runs: ([1-9][\d,]*) of \1\b", line):
        return "behind the runs"
    if stage == "tuning" and re.search("preparing|compiling", rest):
        return "preparing"
    return stage if stage in PHASES else "start"


def moment(errors: str) -> str:
    """Return the last phase of a command: others' lines, such as of processes that outlive it, may stand behind."""
    order = list(PHASES)
    return max(map(phase_of, errors.splitlines()), key=order.index, default=order[0])


def tables(out: Path) -> dict[str, list[Any]]:
    """Return every exported column that is no time, date or machine."""
    found: dict[str, list[Any]] = {}
    for path in export(out, layers=True):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [name for name in rows[0] if not name.endswith(("_seconds", "_at")) and not name.startswith("host_")]
        found[path.name] = [[row[name] for name in kept] for row in rows]
    return found


def different(right: dict[str, list[Any]], found: dict[str, list[Any]]) -> list[str]:
    """Return the tables that differ."""
    return [name for name, rows in right.items() if found.get(name) != rows]


def campaign(folder: Path, name: str, kills: int, seed: int, runs: int = RUNS) -> dict[str, Any]:
    """Kill studies so often in all; return what was found."""
    one, number, studies = Campaign(folder, random.Random(seed), OPTIONS[name], runs), 0, 0
    one.prepare()
    while number < kills:
        number += one.one_study(kills - number)
        studies += 1
    return {"kills": number, "studies": studies, "moments": one.moments, "lengths": one.lengths, "which": one.faults}


def together(parts: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return what campaigns on the same kind of command have found."""
    which = [fault for part in parts for fault in part["which"]]
    return {
        "options": OPTIONS[name], "kills": sum(part["kills"] for part in parts),
        "studies": sum(part["studies"] for part in parts),
        "undisturbed_seconds": {phase: [round(part["lengths"][phase], 2) for part in parts] for phase in PHASES},
        "moments": {phase: sum(part["moments"][phase] for part in parts) for phase in PHASES},
        **{what: sum(fault.startswith(what) for fault in which) for what in FAULTS}, "which": which,
    }  # fmt: skip


def main(kills: int = 200, seed: int = 0, *names: str) -> int:
    """Run the campaigns beside each other."""
    began, names = time.perf_counter(), names or tuple(OPTIONS)
    shares = [len(range(part, kills, AT_ONCE)) for part in range(AT_ONCE)]
    with tempfile.TemporaryDirectory() as place, ProcessPoolExecutor(AT_ONCE * len(names)) as pool:
        made = {name: [pool.submit(campaign, Path(place, f"{name}{part}"), name, share, AT_ONCE * seed + part)
                       for part, share in enumerate(shares)] for name in names}  # fmt: skip
        found = {name: together([one.result() for one in parts], name) for name, parts in made.items()}
    told = {"seed": seed, "runs_each": RUNS, **found, "seconds": round(time.perf_counter() - began, 1), **machine()}
    print(json.dumps(told, indent=1))
    return int(any(one["which"] for one in found.values()))


if __name__ == "__main__":
    numbers, chosen = sys.argv[1:3], sys.argv[3:]
    raise SystemExit(main(*map(int, numbers), *chosen))
