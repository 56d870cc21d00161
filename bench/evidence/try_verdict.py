"""How long `mlpjit try` takes to a verdict against 25 tuned baselines whose runs are stored: about five minutes.

    python bench/evidence/try_verdict.py [FOLDER]

The baselines are made first (950 runs, not counted), then docs/examples/soft_sign.py is tried as a user would, with two
threads: with a margin of one point, then without, which goes on from there. What is left in FOLDER is used again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY, EXAMPLE = ROOT / "bench/evidence/baselines.toml", ROOT / "docs/examples/soft_sign.py"


def mlpjit(*arguments: str | Path) -> tuple[float, str]:
    """Run a command; return its seconds and what it printed."""
    began = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mlpjit.cli", *map(str, arguments), "--threads", "2", "--no-report"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return time.perf_counter() - began, done.stdout


def main(folder: Path) -> None:
    """Make the baselines, then try."""
    seconds, _ = mlpjit("run", STUDY, "--out", folder)
    print(f"baselines: {seconds:.0f} s")
    for margin in (["--margin", "1"], []):
        seconds, text = mlpjit("try", EXAMPLE, STUDY, "--out", folder, "--json", *margin)
        (made,) = json.loads(text)["tries"]
        answers = [record["answer"] for record in made["verdicts"]]
        counts = ", ".join(f"{answers.count(name)} {name}" for name in dict.fromkeys(answers))
        pairs = sum(record["pairs"] for record in made["verdicts"])
        print(f"try {' '.join(margin) or 'without a margin'}: {seconds:.0f} s; {counts}; {pairs:,} pairs looked at")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
