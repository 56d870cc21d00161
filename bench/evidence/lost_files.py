"""Any file of a store, its report and its tables missing, cut, foreign, a folder in its place, or not to be written.

    python bench/evidence/lost_files.py > results/reference/lost_files.json

Each fault is done to a copy of a finished study; then it is run, reported and exported. Each must end with 0, or with 3
and a line, without a traceback. With the cause gone (a folder in the way removed, writing permitted again) the same
commands must end with 0, and the tables be those of the undisturbed study. Prints JSON; exits with 1 unless all counts
of faults are 0.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from typer.testing import CliRunner

from bench.evidence.commands import machine
from bench.evidence.full_disk import STUDY
from bench.evidence.kills import different, tables
from mlpjit.cli import app

PLACES = (
    "store.sqlite", "store.sqlite-wal", "store.sqlite-made", "store.lock", "report.html", "figures", "tables",
    "figures/.stamp",
    "figures/rate_curves.svg", "tables/answer.csv", "runs.csv", "curves.csv", ".claim-report", ".",
)  # fmt: skip
COMMANDS = (["run", "full.toml", "--out"], ["report"], ["export", "--layers"])
FAULTS = ("traceback", "code", "line", "stays", "tables")


def missing(path: Path) -> None:
    """Delete it."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(path: Path) -> None:
    """Keep its first half."""
    os.truncate(path, path.stat().st_size // 2)


def foreign(path: Path) -> None:
    """Another program's file in its place."""
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(b"\x89not ours\n" * 500)


def a_folder(path: Path) -> None:
    """A folder in its place, with something in it."""
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "something").touch()


def read_only(path: Path) -> None:
    """Not to be written, not even by root."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)


def made_good(path: Path, fault: Callable[[Path], None]) -> None:
    """Remove the cause: what is in the way, or what keeps from writing; a file that is lost or damaged stays so."""
    if fault is read_only:
        subprocess.run(["umount", path], check=True)
    elif fault is a_folder or (fault is foreign and path.name in ("figures", "tables", "store.sqlite")):
        missing(path)


def possible(path: Path, fault: Callable[[Path], None]) -> bool:
    """Whether a fault can be done there."""
    if fault is read_only:
        return path.exists()
    if path.name == "damaged":
        return False
    return (
        path.is_file()
        if fault is cut
        else path.exists()
        if fault is missing
        else not (fault is a_folder and path.is_dir())
    )


def told(command: Sequence[str], out: Path) -> list[str]:
    """Give a command; return what is wrong with how it ended."""
    found = CliRunner().invoke(app, [*command, str(out)])
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    known = found.exception is None or isinstance(found.exception, SystemExit)
    wrong = [] if known else [f"traceback: {found.exception!r}"]
    wrong += [] if found.exit_code in (0, 3) or not known else [f"code: {found.exit_code} {found.stderr}"]
    return wrong + ([] if len(lines) == (found.exit_code == 3) else [f"line: {found.stderr}"])


def judged(folder: Path, place: str, fault: Callable[[Path], None], right: dict[str, Any]) -> list[str]:
    """Do a fault to a copy; return what is wrong."""
    out = folder / "damaged"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder / "finished", out)
    fault(out / place)
    wrong = [each for command in COMMANDS for each in told(command, out)]
    made_good(out / place, fault)
    for command in COMMANDS:
        found = CliRunner().invoke(app, [*command, str(out)])
        wrong += [f"stays: {command[0]}: {found.stderr} {found.exception!r}"] if found.exit_code else []
    with suppress(Exception):  # told already
        wrong += [f"tables: {name}" for name in different(right, tables(out))]
    return wrong


def campaign(folder: Path, faults: Sequence[Callable[[Path], None]], places: Sequence[str] = PLACES) -> dict[str, Any]:
    """Do every fault in every place; return what was found."""
    os.chdir(folder)
    Path("full.toml").write_text(STUDY)
    for command in COMMANDS:
        assert CliRunner().invoke(app, [*command, "finished"]).exit_code == 0
    right, wrong, done = tables(folder / "finished"), list[str](), Counter[str]()
    for fault in faults:
        for place in places:
            if possible(folder / "damaged" / place if place == "." else folder / "finished" / place, fault):
                done[fault.__name__] += 1
                wrong += [f"{each} ({fault.__name__}: {place})" for each in judged(folder, place, fault, right)]
    counts = {what: sum(each.startswith(what) for each in wrong) for what in FAULTS}
    return {"done": done, **counts, "which": wrong}


def main() -> int:
    """Run the campaign."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder, faults = Path(name).resolve(), [missing, cut, foreign, a_folder]
        (folder / "damaged").mkdir()
        try:
            read_only(folder / "damaged")
            made_good(folder / "damaged", read_only)
            faults.append(read_only)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"nothing can be mounted here ({error}): not tried read-only", file=sys.stderr)
        found = campaign(folder, faults)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - began, 1), **machine()}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    raise SystemExit(main())
