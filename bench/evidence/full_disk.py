"""A disk that is full at every write: the store, the page, the cache of kernels; and the same command afterwards.

    python bench/evidence/full_disk.py [LEVELS] > results/reference/full_disk.json

A file system of 20 MB is filled until so much is left, from nothing to more than is needed, in LEVELS (30) steps. On it
lie the results, or the cache: of kernels then some are missing. The command must end with 0 or 3 and a line, without a
traceback; with room again the same command must end with 0 and the tables of an undisturbed one. Needs the right to
mount; says so where there is none. Prints JSON; exits with 1 unless all counts of faults are 0.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.commands import machine, started
from bench.evidence.kills import different, tables

STUDY = """
name = "full"
dataset = "two_moons"
hidden = [8]
epochs = 10
[sweep]
optimizer = ["sgd", "adam"]
learning_rate = [0.003, 0.03, 0.3]
seed = [0, 1, 2, 3, 4, 5, 6, 7]
[final]
per = "optimizer"
seeds = [100, 101]
"""
SIZE, PAGE, LACKING = 20 * 2**20, 4096, 3
ROOM = {"results": 900_000, "cache": 700_000}  # more than each needs
FAULTS = ("traceback", "silence", "code", "blocked", "tables")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount an empty file system of 20 MB. Raises CalledProcessError where that is not permitted."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "mlpjit", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill a file system until so many bytes are left; return the file that does it."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        found = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - left))
    return filler


def run(folder: Path, out: Path, cache: Path) -> tuple[int, str]:
    """Run the study with its page; return the code and what was told."""
    process = started(["run", "full.toml", "--out", str(out)], folder, cache)
    _, errors = process.communicate(timeout=600)
    return process.returncode, errors


def judged(folder: Path, out: Path, cache: Path, filler: Path, right: dict[str, Any]) -> tuple[str, list[str]]:
    """Run on a full disk, then with room; return how the first ended, and what is wrong."""
    code, errors = run(folder, out, cache)
    last = (errors.splitlines() or [""])[-1]
    wrong = ["traceback"] * ("Traceback" in errors)
    wrong += ["code"] * (code not in (0, 3)) + ["silence"] * (code != 0 and not last.startswith("error: "))
    filler.unlink()
    again, said = run(folder, out, cache)
    wrong += ["blocked"] * (again != 0) + ["traceback"] * ("Traceback" in said)
    wrong += ["tables"] * bool(again == 0 and different(right, tables(out)))
    how = f"{code}, {last.partition(': ')[2][-60:] if code else 'done'}"
    return how, [f"{what}: {errors}\nthen {again}: {said}" for what in wrong]


def take_away(cache: Path, draw: random.Random) -> None:
    """Remove a few kernels from a cache."""
    kernels = sorted(path for path in cache.glob("*/*") if path.is_dir())
    for path in draw.sample(kernels, LACKING):
        shutil.rmtree(path)


def level(folder: Path, warm: Path, kind: str, left: int, right: dict[str, Any], draw: random.Random) -> Any:
    """One level: results or the cache on the small disk."""
    with small_disk(folder / "disk") as disk:
        out, cache = (disk / "out", warm) if kind == "results" else (folder / "out", disk / "cache")
        if kind == "cache":
            shutil.copytree(warm, cache)
            cache.chmod(0o700)
            take_away(cache, draw)
        found = judged(folder, out, cache, fill(disk, left), right)
        shutil.rmtree(out)
    (folder / "disk").rmdir()
    return found


def campaign(folder: Path, levels: int, kinds: tuple[str, ...] = tuple(ROOM)) -> dict[str, Any]:
    """Fill the disk to so many levels for each kind; return what was found."""
    (folder / "full.toml").write_text(STUDY)
    warm, draw = folder / "warm", random.Random(0)
    assert run(folder, folder / "right", warm)[0] == 0
    right, ends, wrong = tables(folder / "right"), Counter[str](), list[str]()
    for kind in kinds:
        for number in range(levels):
            left = ROOM[kind] * number // max(1, levels - 1) // PAGE * PAGE
            how, faults = level(folder, warm, kind, left, right, draw)
            ends[f"{kind}: {how}"] += 1
            wrong += [f"{kind}, {left} bytes left: {fault}" for fault in faults]
    counts = {what: sum(f": {what}: " in fault for fault in wrong) for what in FAULTS}
    return {"levels": levels, "kinds": kinds, **counts, "ends": dict(ends.most_common()), "which": wrong}


def main(levels: int) -> int:
    """Run the campaign."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder) / "tried"):
                pass
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no file system can be mounted here ({error}): nothing was tried", file=sys.stderr)
            return 0
        found = campaign(Path(folder), levels)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - began, 1), **machine()}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
