"""Does `mlpjit bench --compare` see what it should? Twenty planted slowdowns, twenty identical pairs, twenty of 3 %.

    python bench/planted_slowdowns.py --log results/asv/planted_slowdowns.log

Copies of the committed sources get a tenth (or 3 %) more work in one place each (`plants.py`) and are compared with the
sources as they are. At least 18 of 20 tenths must be reported as slower, no identical pair may alarm, and nothing that
got 3 % more work may be called faster. What the log holds already is not measured again; give it a quiet machine.
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

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.plants import PLANTS, Plant, plant
from mlpjit.measure.compare import Comparison, compare
from mlpjit.measure.launches import Version
from mlpjit.measure.revisions import against
from mlpjit.provenance import cpu_name

KINDS = {"10 %": 10, "same": 0, "3 %": 33}
OWN = "its own"
CACHE = "from mlpjit.kernels import jit; print(jit.cache_folder())"
LOAD = "from mlpjit.measure.cases import cases\nfor case in cases().values(): case.make()"


def python(tree: Path, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def share_kernels(base: Path, tree: Path, what: Plant) -> None:
    """Give a planted tree the compiled kernels of the base, but for those that its plant changes."""
    source, target = Path(python(base, CACHE)), Path(python(tree, CACHE))
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
        if what is not None:
            plant(tree, what, KINDS[kind])
            share_kernels(base, tree, what)
            python(tree, LOAD)
        try:
            return compare(Version("before", base), Version("after", tree))
        finally:
            if what is not None and (cache := Path(python(tree, CACHE))) != Path(python(base, CACHE)):
                shutil.rmtree(cache, ignore_errors=True)


def shown(what: Plant | None, found: Comparison) -> str:
    """Return whether a case that times the plant's own place was found slower."""
    if what is None:
        return "-"
    own = any(case.name.startswith(what.shows) and case.verdict == "slower" for case in found.decided)
    return OWN if own else "not its own"


def line(kind: str, name: str, found: Comparison, seconds: float, own: str) -> str:
    cases = [f"{case.name} {case.ratio:.3f} ({case.low:.3f}-{case.high:.3f})" for case in found.decided]
    more = f" and {len(cases) - 3} more" if len(cases) > 3 else ""
    sure = f"{min(found.confidence, 0.9999):.2%}" if cases else "-"
    return " | ".join((kind, name, found.verdict, sure, f"{seconds:.0f} s", own, "; ".join(cases[:3]) + more))


def summary(lines: list[str]) -> list[str]:
    parts = [line.split(" | ") for line in lines if " | " in line]
    found = {kind: [part[2] for part in parts if part[0] == kind] for kind in KINDS}
    own = {kind: sum(part[5] == OWN for part in parts if part[0] == kind) for kind in KINDS}
    seconds = sorted(float(part[4].split()[0]) for part in parts)
    return [
        f"# 10 % more work: {own['10 %']} of {len(found['10 %'])} reported as slower, in a case of their own",
        f"# identical: {sum(v != 'no evidence' for v in found['same'])} of {len(found['same'])} alarmed",
        f"# 3 % more work: {sum('faster' in v for v in found['3 %'])} of {len(found['3 %'])} called faster, "
        f"{own['3 %']} slower",
        f"# a comparison took {seconds[len(seconds) // 2]:.0f} s in the median" if seconds else "#",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", type=Path, required=True, help="where the results are appended")
    parser.add_argument("--only", default="", help="only places with this in their name")
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    given = parser.parse_args()
    given.log.parent.mkdir(parents=True, exist_ok=True)
    known = given.log.read_text().splitlines() if given.log.exists() else []
    done = {tuple(each.split(" | ")[:2]) for each in known}
    with against("HEAD", Path(__file__).parent) as (version, _), given.log.open("a") as log:
        python(version.tree, LOAD)
        print(f"# {version.name}, {cpu_name()}, load {os.getloadavg()[0]:.1f}", file=log, flush=True)
        for kind, name, what in jobs():
            if (kind, name) in done or given.only not in name or given.kind not in (None, kind):
                continue
            began = time.monotonic()
            found = measure(version.tree, kind, what)
            told = line(kind, name, found, time.monotonic() - began, shown(what, found))
            print(told, file=log, flush=True)
            print(told, flush=True)
        lines = given.log.read_text().splitlines()
        print("\n".join(summary(lines)), file=log)
    print("\n".join(summary(lines)))
    verdicts = [each.split(" | ")[:6] for each in lines if " | " in each]
    missed = sum(kind == "10 %" and own != OWN for kind, *_, own in verdicts)
    wrong = sum("faster" in verdict if kind == "3 %" else kind == "same" and verdict != "no evidence"
                for kind, _, verdict, *_ in verdicts)  # fmt: skip
    return int(missed > math.floor(0.1 * len(PLANTS)) or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
