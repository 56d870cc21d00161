"""Does asv report a planted slowdown? `asv continuous` between this commit and one with a tenth more work in it.

    python bench/evidence/planted_asv.py --log results/asv/planted_asv.log

In a clone of the repository, a commit plants more work in the loops of all optimizers (`plants.py`); asv builds both
and times a few benchmarks in turns. Beside the optimizers stand losses, whose code is the same.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence.plants import PLANTS, plant

ROOT = Path(__file__).parents[2]
BENCHMARKS = r"kernels.Optimizers.time_hundred\('(adam|rmsprop|yogi|adabelief|lion|nadam)'|kernels.Losses"
FACTOR = "1.05"
OPTIONS = ("--interleave-rounds", "--cpu-affinity", "1", "-a", "rounds=10", "-a", "warmup_time=0.05")


def clone(folder: Path) -> None:
    """Clone the committed state, plant a slowdown, commit it."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=planted", "-c", "user.email=planted@example.org"]
        subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)

    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    plant(folder, next(what for what in PLANTS if what.name == "optimizer loops"), 10)
    git("checkout", "--quiet", "-B", "main")
    git("commit", "--quiet", "--all", "--message", "Plant a tenth more work in the loops of all optimizers")


def rows(text: str) -> list[str]:
    """Return the lines of asv's table of changes, without what differs from machine to machine."""
    return [re.sub(r"\s*\[[^]]*\]", "", line) for line in text.splitlines() if line.startswith("|")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--machine", default="zen3-2core")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlpjit-asv-") as folder:
        tree = Path(folder) / "mlpjit"
        clone(tree)
        known = [sys.executable, "-m", "asv", "machine", "--yes", "--machine", given.machine]
        subprocess.run(known, cwd=tree, check=True, capture_output=True)
        command = [sys.executable, "-m", "asv", "continuous", "--machine", given.machine, "--factor", FACTOR]
        command += ["--bench", BENCHMARKS, *OPTIONS, "HEAD~1", "HEAD"]
        done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True)
    found = rows(done.stdout)
    if not found:
        print(done.stdout)
        return 1
    slower = [row for row in found if row.startswith("| +") and "Optimizers" in row]
    wrong = [row for row in found if row.startswith(("| +", "| -")) and "Optimizers" not in row]
    head = f"# asv continuous --factor {FACTOR}, a tenth more work in the loops of all optimizers"
    text = [head, *found, f"# {len(slower)} of 6 optimizers reported as slower, {len(wrong)} of 7 losses reported"]
    given.log.parent.mkdir(parents=True, exist_ok=True)
    given.log.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))
    return 0 if slower else 1


if __name__ == "__main__":
    sys.exit(main())
