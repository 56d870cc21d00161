"""The tutorial's commands, its Python example and tests in a namespace without a network interface.

Tests have the loopback, over which a cluster of processes on one machine speaks, and nothing else.

    python bench/evidence/no_network.py [PYTEST'S ARGUMENT ...] | tee bench/evidence/no_network.log

Needs Linux and `unshare` (util-linux; as root, or where users may make namespaces). Without arguments no test is run;
`tests` are the default ones. The compile cache is a new folder, as for who begins,
unless MLPJIT_CACHE_DIR names one.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
ISOLATED = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
MLPJIT = f"{shlex.quote(sys.executable)} -m mlpjit.cli"
# What must fail inside, or there is a network after all.
PROBE = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
# What `ip link set lo up` does: up, loopback, running.
LOOPBACK = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x49))
"""


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command of the tutorial with what the shell is to run; what installs is left out."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
    for line in "".join(text for language, text in blocks if not language).splitlines():
        if line.startswith("mlpjit "):
            yield line, re.sub("^mlpjit", MLPJIT, line)
    (example,) = (text for language, text in blocks if language == "python")
    yield "the example in Python", f"{shlex.quote(sys.executable)} -W error -c {shlex.quote(example)}"
    yield "mlpjit plan mine.toml", f"{MLPJIT} plan mine.toml"


def isolated(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell without a network."""
    environment = {"MLPJIT_CACHE_DIR": str(folder / "cache"), **os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*ISOLATED, "sh", "-c", line], cwd=folder, env=environment, text=True, capture_output=True, check=False
    )


def told(name: str, line: str, folder: Path) -> bool:
    """Run a line, print how it ended, and return whether it did well."""
    began = time.monotonic()
    done = isolated(line, folder)
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or [""]
    print(f"{name:28} {done.returncode} {time.monotonic() - began:6.1f} s  {last[-1][:100]}", flush=True)
    return done.returncode == 0


def main(tests: Sequence[str]) -> int:
    """Return 0 where everything that was run did well."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if isolated(f"{shlex.quote(sys.executable)} -c {shlex.quote(PROBE)}", folder).returncode == 0:
            print("there is a network")
            return 1
        failed = sum(not told(name, line, folder) for name, line in commands())
        if tests:
            python = shlex.quote(sys.executable)
            run = f"cd {shlex.quote(str(ROOT))} && {python} -m pytest {shlex.join(tests)}"
            line = f"{python} -c {shlex.quote(LOOPBACK)} && {run}"
            failed += not told("pytest", line, folder)
    print(f"{failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
