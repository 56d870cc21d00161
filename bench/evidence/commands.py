"""The command line as the campaigns of faults run it: a process of its own in a folder, marked so that none is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "MLPJIT_EVIDENCE"
CODE = "import sys; sys.argv[0] = 'mlpjit'; from mlpjit.cli import main; main()"


def started(
    arguments: Sequence[str], folder: Path, cache: Path | str | None = None, code: str = CODE
) -> subprocess.Popen[str]:
    """Start a command in a folder and a group of its own, as a terminal does; its cache is the user's unless given."""
    chosen = {"MLPJIT_CACHE_DIR": str(cache)} if cache else {}
    environment = {**os.environ, MARK: str(folder), "PYTHONPATH": str(ROOT), **chosen}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def machine() -> dict[str, object]:
    """Return where a campaign ran, and how much ran beside it."""
    from mlpjit.host import cpu_name

    load = [round(each, 1) for each in os.getloadavg()]
    return {"cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "load_at_the_end": load}
