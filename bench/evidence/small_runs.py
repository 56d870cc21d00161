"""Many small runs, timed whole: `mlpjit run` of this tree beside other revisions, process by process, in turns.

    python bench/evidence/small_runs.py                            # this tree: 3,200 runs, three rounds
    python bench/evidence/small_runs.py --against main --threads 1,2
    python bench/evidence/small_runs.py --seeds 800                # 32,000 runs

`one_shape`: two moons, 2 x 8 tanh, Adam, two epochs of batch 64 (22 steps), 40 rates, 80 seeds. Each side fills its
cache of kernels with a first process that is not counted; then each runs in a process of its own, from its start to its
end. What a run costs is told beside it: the seconds of a study of 40 runs, which all start-up is in, taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "bench" / "small_runs.json"
RATES = [10.0 ** (-4.0 + 3.5 * place / 39.0) for place in range(40)]
HEAD = """
name = "one_shape"
title = "One shape"
question = "What does a run of 22 steps cost?"
dataset = "two_moons"
depth = 2
width = 8
activation = "tanh"
init = "xavier_normal"
optimizer = "adam"
batch_size = 64
epochs = 2
"""
FEW = 1  # seeds of the study that shows what start-up costs


def main() -> int:
    options = parsed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {"tree": ROOT, **{revision: checked_out(revision, folder) for revision in options.against}}
        found = {
            f"{side}, {threads} threads": {"runs": options.seeds * len(RATES), "rounds": []}
            for side in sides for threads in options.threads
        }  # fmt: skip
        for side, source in sides.items():
            timed(source, folder, side, FEW, options.threads[0])
        for _ in range(options.rounds):
            for side, source in sides.items():
                for threads in options.threads:
                    few, many = (timed(source, folder, side, seeds, threads) for seeds in (FEW, options.seeds))
                    found[f"{side}, {threads} threads"]["rounds"].append({"few": few, "many": many})
                    tell(f"{side}, {threads} threads", found)
    for each in found.values():
        each |= summary(each)
    text = json.dumps(found, indent=2)
    print(text)
    if str(options.out) != "-":
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=lambda text: text.split(","), default=[], help="git revisions")
    parser.add_argument("--seeds", type=int, default=80, help="40 runs each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=lambda text: [int(each) for each in text.split(",")], default=[1])
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON file; - prints only")
    return parser.parse_args()


def checked_out(revision: str, folder: Path) -> Path:
    """The sources of a revision, in a folder of their own."""
    made = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True, check=True).stdout
    target = folder / f"source-{revision.replace('/', '-')}"
    with tarfile.open(fileobj=BytesIO(made)) as packed:
        packed.extractall(target, filter="data")
    return target


def timed(source: Path, folder: Path, side: str, seeds: int, threads: int) -> dict[str, float]:
    """Seconds on the wall and of cores of one process that makes 40 runs for each seed."""
    study, place = folder / "one_shape.toml", folder / side.replace("/", "-")
    sweep = f"\n[sweep]\nlearning_rate = {RATES}\nseed = {list(range(seeds))}\n"
    study.write_text(HEAD + sweep, encoding="utf-8")
    store = tempfile.mkdtemp(dir=folder)
    command = ["-m", "mlpjit.cli", "run", str(study), "--no-report", "--out", store, "--threads", str(threads)]
    surroundings = {**os.environ, "PYTHONPATH": str(source), "MLPJIT_CACHE_DIR": str(place / "cache")}
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, env=surroundings, capture_output=True, check=True)
    wall, after = time.perf_counter() - start, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_seconds": wall, "cpu_seconds": spent}


def summary(side: dict[str, Any]) -> dict[str, float]:
    """Medians over the rounds: whole processes, and what one run adds to them, in milliseconds."""
    rounds, more = side["rounds"], side["runs"] - FEW * len(RATES)
    found = {}
    for kind in ("cpu", "wall"):
        whole = [each["many"][f"{kind}_seconds"] for each in rounds]
        added = [each["many"][f"{kind}_seconds"] - each["few"][f"{kind}_seconds"] for each in rounds]
        found[f"{kind}_seconds"] = statistics.median(whole)
        found[f"{kind}_milliseconds_per_run"] = 1000.0 * statistics.median(added) / more
    return found


def tell(name: str, found: dict[str, Any]) -> None:
    numbers = summary(found[name])
    line = f"{numbers['cpu_seconds']:.2f} s of cores, {numbers['wall_seconds']:.2f} s"
    print(f"{name}: {line}, {numbers['cpu_milliseconds_per_run']:.3f} ms of cores a run", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
