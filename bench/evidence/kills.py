"""SIGKILL at random moments of `mlpjit run`: nothing that was told as done is lost, nothing made twice, same tables.

    python bench/evidence/kills.py [KILLS [SEED [OPTION ...]]] > results/reference/kills.json

A study of 500 runs is killed at a random moment and started again until it ends; then comes another, until so many
kills have met it. After each the folder is copied, and every second time the copy is read in place of the folder, so
that the same command meets both what a kill leaves and what a reader has put away. OPTIONs go to `mlpjit run`. Prints
JSON; exits with 1 unless all counts of faults are 0.
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
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import MARK, machine, started
from bench.evidence.own_rules import ended
from mlpjit.report.export import export
from mlpjit.store import Store

STUDY = """
name = "killed"
dataset = "two_moons"
hidden = [32, 32]
epochs = 8
[sweep]
optimizer = ["sgd", "adam"]
learning_rate = [0.003, 0.01, 0.03, 0.1, 0.3, 30.0]
seed = [{seeds}]
[final]
per = "optimizer"
seeds = [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]
"""
FINAL = 20
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


@dataclass
class Campaign:
    """What is killed, how long it takes undisturbed and what its tables are then; and what was found."""

    folder: Path
    draw: random.Random
    options: Sequence[str]
    runs: int = 500
    seconds: float = 0.0
    right: dict[str, list[Any]] = field(default_factory=dict)
    moments: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make the study undisturbed, twice: the second time kernels lie in the cache."""
        seeds = ", ".join(map(str, range((self.runs - FINAL) // 12)))
        (self.folder / "killed.toml").write_text(STUDY.format(seeds=seeds))
        for name in ("cold", "right"):
            began = time.monotonic()
            code, errors = self.finished(self.start(name))
            self.seconds = time.monotonic() - began
            assert code == 0, errors
        self.right = tables(self.folder / "right")

    def start(self, out: str) -> subprocess.Popen[str]:
        """Start the command that makes the study into a folder."""
        command = ["run", "killed.toml", "--no-report", "--out", out, *self.options]
        return started(command, self.folder, code=CODE)

    def finished(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a command; return its code and what it told, which is a fault where it is a traceback."""
        _, errors = process.communicate()
        if "Traceback" in errors:
            self.faults.append(f"traceback: {errors}")
        if left := ended(f"{MARK}={self.folder}"):
            self.faults.append(f"left: {len(left)} processes")
        return process.returncode, errors

    def one_study(self, kills: int) -> int:
        """Kill one study until it ends by itself or has been killed so often; return how often it was."""
        name, known, number = "study", Known(), 0
        shutil.rmtree(self.folder / name, ignore_errors=True)
        while number < kills:
            process = self.start(name)
            killed = self._killed(process)
            _, errors = self.finished(process)
            if not killed:
                break
            number += 1
            self.moments[moment(errors)] += 1
            known = self._judged(name, known, errors, by_copy=number % 2 == 0)
        self._complete(name, known)
        return number

    def _killed(self, process: subprocess.Popen[str]) -> bool:
        """Kill a process at a random moment; False where it was faster."""
        try:
            process.wait(self.draw.uniform(0.05, 0.8 * self.seconds))  # or half of the kills would come too late
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL

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
    """Return how many runs a command had told as stored: those of each stage's last line."""
    told = re.findall(r"^(\w[\w ]*): ([\d,]+) of [\d,]+", errors, re.MULTILINE)
    return sum(int(number.replace(",", "")) for number in dict(told).values())


def moment(errors: str) -> str:
    """Return where a command was by its last line."""
    last = (errors.splitlines() or [""])[-1]
    if re.match(r"\d+ runs \(", last):
        return "behind the runs"
    return last.partition(": ")[0] if " of " in last else "start"


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


def campaign(folder: Path, kills: int, seed: int, options: Sequence[str] = (), runs: int = 500) -> dict[str, Any]:
    """Kill studies so often in all; return what was found."""
    one, number, studies = Campaign(folder, random.Random(seed), options, runs), 0, 0
    one.prepare()
    while number < kills:
        number += one.one_study(kills - number)
        studies += 1
    counts = {what: sum(fault.startswith(what) for fault in one.faults) for what in FAULTS}
    return {"kills": number, "seed": seed, "studies": studies, "runs_each": runs, "options": list(options),
            "undisturbed_seconds": round(one.seconds, 2), "moments": dict(one.moments.most_common()),
            **counts, "which": one.faults}  # fmt: skip


def main(kills: int = 200, seed: int = 0, *options: str) -> int:
    """Run the campaign."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), kills, seed, options)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - began, 1), **machine()}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    numbers, options = sys.argv[1:3], sys.argv[3:]
    raise SystemExit(main(*map(int, numbers), *options))
