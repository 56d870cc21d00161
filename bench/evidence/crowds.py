"""Two and eight processes at once on one folder of results: run, and report and export side by side.

    python bench/evidence/crowds.py [ROUNDS] > results/reference/crowds.json

10 rounds of each without a number. Of those that run a study into a new folder each must end with 0, or with 3 and the
one line that another process is at it; every run is made once, and the tables are those of one process alone. Of those
that write reports and tables of a finished study each must end with 0 and leave what one leaves. Prints JSON; exits
with 1 unless all counts of faults are 0.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import machine, started
from bench.evidence.full_disk import STUDY
from bench.evidence.kills import different, tables

RUNS = 52
BUSY = re.compile(r"error: .*: process \d+ is running this study: wait until it ends, or choose another --out")
FAULTS = ("code", "line", "traceback", "twice", "tables", "files")
Ended = tuple[int, str]


def at_once(folder: Path, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Start commands together; return the code of each, and what it told."""
    processes = [started(command, folder) for command in commands]
    told = [process.communicate()[1] for process in processes]
    return [(process.returncode, errors) for process, errors in zip(processes, told, strict=True)]


def running(folder: Path, number: int, right: dict[str, list[Any]]) -> tuple[list[str], Counter[str]]:
    """So many processes run one study into one new folder; return what is wrong, and how they ended."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = ["run", "full.toml", "--no-report", "--out", "out"]
    ended = at_once(folder, [command] * number)
    wrong = [fault for code, errors in ended for fault in _faults(code, errors)]
    made = sum(int(found) for _, errors in ended for found in re.findall(r"(\d+) made now", errors))
    wrong += [f"twice: {made} made of {RUNS}"] if made != RUNS else []
    wrong += [f"tables: {name}" for name in different(right, tables(folder / "out"))]
    return wrong, Counter("made or found all" if code == 0 else "another is at it" for code, _ in ended)


def _faults(code: int, errors: str) -> list[str]:
    found = ["traceback"] if "Traceback" in errors else []
    found += [] if code in (0, 3) else [f"code: {code}"]
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    fits = not lines if code == 0 else len(lines) == 1 and BUSY.fullmatch(lines[0])
    return [f"{fault}: {errors}" for fault in found + ([] if fits else ["line"])]


def writing(folder: Path, number: int, right: dict[str, bytes]) -> list[str]:
    """Half of so many processes write the report, the others the tables of a finished study."""
    ended = at_once(folder, [["report", "right", "--force"], ["export", "right", "--layers"]] * (number // 2))
    wrong = [f"code: {code}: {errors}" for code, errors in ended if code or errors]
    found = files(folder / "right")
    return wrong + [f"files: {name}" for name in {*right, *found} if right.get(name) != found.get(name)]


def files(out: Path) -> dict[str, bytes]:
    """Return every file that a report or an export writes, and whatever else lies there."""
    paths = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def campaign(folder: Path, rounds: int, crowds: Sequence[int] = (2, 8)) -> dict[str, Any]:
    """Run so many rounds of each; return what was found."""
    (folder / "full.toml").write_text(STUDY)
    [(code, errors)] = at_once(folder, [["run", "full.toml", "--out", "right"]])
    assert code == 0, errors
    right, whole = tables(folder / "right"), files(folder / "right")
    wrong, ends = list[str](), dict[str, Counter[str]]()
    for number in crowds:
        ends[f"{number} run"] = Counter()
        for _ in range(rounds):
            faults, how = running(folder, number, right)
            wrong += faults + writing(folder, number, whole)
            ends[f"{number} run"] += how
    counts = {what: sum(fault.startswith(what) for fault in wrong) for what in FAULTS}
    return {"rounds": rounds, "crowds": crowds, "ends": ends, **counts, "which": wrong}


def main(rounds: int = 10) -> int:
    """Run the campaign."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), rounds)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - began, 1), **machine()}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
