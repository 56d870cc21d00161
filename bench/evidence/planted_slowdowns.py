"""Does `mlpjit bench --compare` see what it should? Twenty planted slowdowns, twenty identical pairs, twenty of 3 %.

    python bench/evidence/planted_slowdowns.py --log results/asv/planted_slowdowns.log

Copies of the committed sources get a tenth (or 3 %) more work in one place each (`plants.py`) and are compared with the
sources as they are. At least 18 of 20 tenths must be reported as slower, in a case that times the place itself; no
identical pair may alarm, and nothing that got 3 % more work may be called faster. What the log holds of this commit is
not measured again. Give it a quiet machine, and an hour.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.plants import PLANTS, Plant, plant
from mlpjit.host import cpu_name
from mlpjit.measure.versions.compare import Comparison, compare
from mlpjit.measure.versions.launches import Version
from mlpjit.measure.versions.revisions import against

KINDS = {"10 %": 10, "same": 0, "3 %": 33}
OWN = "its own"
NOTHING = "no evidence"
CACHE = "from mlpjit.kernels.compiler import jit; print(jit.cache_folder())"
LOAD = "from mlpjit.measure.cases import cases\nfor case in cases().values(): case.make()"


def python(tree: Path, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def share_kernels(source: Path, target: Path, what: Plant) -> None:
    """Give a planted tree the compiled kernels of the base, but for those that its plant changes."""
    if source == target:
        return
    shutil.rmtree(target, ignore_errors=True)
    for folder in source.iterdir():
        if not folder.name.startswith((".", *what.kernels)):
            shutil.copytree(folder, target / folder.name, copy_function=os.link)


def jobs() -> Iterator[tuple[str, str, Plant | None]]:
    for kind in KINDS:
        for place, what in enumerate(PLANTS):
            yield (kind, f"pair {place + 1}", None) if kind == "same" else (kind, what.name, what)


def measure(base: Path, kind: str, what: Plant | None) -> Comparison:
    with tempfile.TemporaryDirectory(prefix="mlpjit-planted-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(base, tree)
        if what is None:
            return compare(Version("before", base), Version("after", tree))
        plant(tree, what, KINDS[kind])
        cache, shared = Path(python(tree, CACHE)), Path(python(base, CACHE))
        try:
            share_kernels(shared, cache, what)
            python(tree, LOAD)
            return compare(Version("before", base), Version("after", tree))
        finally:
            if cache != shared:
                shutil.rmtree(cache, ignore_errors=True)


def shown(what: Plant | None, found: Comparison) -> str:
    """Return whether a case that times the plant's own place was found slower."""
    if what is None:
        return "-"
    own = any(case.name.startswith(what.shows) and case.verdict == "slower" for case in found.decided)
    return OWN if own else "not its own"


def line(kind: str, name: str, commit: str, found: Comparison, seconds: float, own: str) -> str:
    """Return a row of the log; `Row` reads it."""
    cases = [f"{case.name} {case.ratio:.3f} ({case.low:.3f}-{case.high:.3f})" for case in found.decided]
    more = f" and {len(cases) - 3} more" if len(cases) > 3 else ""
    sure = f"{min(found.confidence, 0.9999):.2%}" if cases else "-"
    told = (kind, name, commit, found.verdict, sure, f"{seconds:.0f} s", own, "; ".join(cases[:3]) + more or "-")
    return " | ".join(told)


class Row(NamedTuple):
    kind: str
    name: str
    commit: str
    verdict: str
    sure: str
    seconds: str
    own: str
    cases: str


def rows(log: Path, commit: str) -> list[Row]:
    """Return what a log holds of a commit."""
    parts = [line.split(" | ") for line in log.read_text().splitlines()] if log.exists() else []
    found = [Row(*part) for part in parts if len(part) == len(Row._fields)]
    return [row for row in found if row.commit == commit]


def summary(found: list[Row]) -> list[str]:
    by_kind = {kind: [row for row in found if row.kind == kind] for kind in KINDS}
    tenth, same, less = by_kind.values()
    seconds = sorted(float(row.seconds.split()[0]) for row in found)
    return [
        f"# 10 % more work: {sum(row.own == OWN for row in tenth)} of {len(tenth)} reported as slower, at their place",
        f"# identical: {sum(row.verdict != NOTHING for row in same)} of {len(same)} alarmed",
        f"# 3 % more work: {sum('faster' in row.verdict for row in less)} of {len(less)} called faster, "
        f"{sum(row.own == OWN for row in less)} slower at their place",
        f"# a comparison took {seconds[len(seconds) // 2]:.0f} s in the median" if seconds else "#",
    ]


def passed(found: list[Row]) -> bool:
    missed = sum(row.kind == "10 %" and row.own != OWN for row in found)
    wrong = any((row.kind == "same" and row.verdict != NOTHING) or (row.kind == "3 %" and "faster" in row.verdict)
                for row in found)  # fmt: skip
    return missed <= math.floor(0.1 * len(PLANTS)) and not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", type=Path, required=True, help="where the results are appended")
    parser.add_argument("--only", default="", help="only places with this in their name")
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    given = parser.parse_args()
    given.log.parent.mkdir(parents=True, exist_ok=True)
    with against("HEAD", Path(__file__).parent) as (version, _), given.log.open("a") as log:
        commit = version.tree.name
        done = {(row.kind, row.name) for row in rows(given.log, commit)}
        python(version.tree, LOAD)
        print(f"# {version.name}, {cpu_name()}, load {os.getloadavg()[0]:.1f}", file=log, flush=True)
        for kind, name, what in jobs():
            if (kind, name) in done or given.only not in name or given.kind not in (None, kind):
                continue
            began = time.monotonic()
            found = measure(version.tree, kind, what)
            told = line(kind, name, commit, found, time.monotonic() - began, shown(what, found))
            print(told, file=log, flush=True)
            print(told, flush=True)
        told = "\n".join(summary(rows(given.log, commit)))
        print(told, file=log)
    print(told)
    return 0 if passed(rows(given.log, commit)) else 1


if __name__ == "__main__":
    sys.exit(main())
