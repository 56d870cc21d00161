"""Malformed studies, data sets, paths, stores and options through the command line, each in a process of its own.

    python bench/evidence/malformed.py [CATEGORY ...] | tee bench/evidence/malformed.log

A refusal is right where it ends with code 2 or 3 within a second of processor time, with one to three lines on
standard error that name the file and the key, nothing on standard output, no run, and the folder as it was.
A process is forked from this one, which has imported all that a command may need.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence import bad_arrays, bad_places, bad_studies, bad_tables
from bench.evidence.bad_case import Case

CATEGORIES: dict[str, Callable[[], Iterator[Case]]] = {
    **bad_studies.CATEGORIES, **bad_tables.CATEGORIES,
    **bad_arrays.CATEGORIES, **bad_places.CATEGORIES
}  # fmt: skip
MOST_SECONDS, CPU_SECONDS = 20.0, 1.0
MOST_LINES, LONGEST = 3, 320
INTERNALS = ("Traceback", "<class ", "object at 0x", "pydantic", "numpy.", "np.", "ValidationError", "Errno", '.py"')
NOBODY = 65534


@dataclass(frozen=True)
class Ended:
    """How a command ended: code (None: it never did), output, errors, seconds of processor, what it left behind."""

    code: int | None
    output: str
    errors: str
    seconds: float
    left: tuple[str, ...]


def ended(case: Case) -> Ended:
    """Carry out a command in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="malformed") as made:
        top = Path(made)
        top.chmod(0o755)
        folder = top / "below" / "work"
        folder.mkdir(parents=True)
        case.prepare(folder)
        if case.plain:
            os.chown(folder, NOBODY, NOBODY)
        before = _held(top)
        code, seconds = _forked(case, folder, top)
        output, errors = ((top / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        after = _held(top)
        left = tuple(sorted(str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)))
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
    return Ended(code, output, errors, seconds, left)


def _held(top: Path) -> dict[Path, object]:
    """Return every file below a folder with its content, except what the command says."""
    found: dict[Path, object] = {}
    for path in top.rglob("*"):
        if path.name in ("stdout", "stderr"):
            continue
        regular = path.is_file() and not path.is_symlink()
        found[path.relative_to(top)] = hash(path.read_bytes()) if regular else path.lstat().st_mode
    return found


def _forked(case: Case, folder: Path, top: Path) -> tuple[int | None, float]:
    """Return a command's exit code, None where it had to be ended, and its seconds of processor time."""
    process = os.fork()
    if process == 0:
        _serve(case, folder, top)
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        found, status, usage = os.wait4(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        time.sleep(0.002)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    _, _, usage = os.wait4(process, 0)
    return None, usage.ru_utime + usage.ru_stime


def _serve(case: Case, folder: Path, top: Path) -> None:
    """Be the command, and end."""
    code = 70
    try:
        os.setsid()
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(top / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if case.plain and os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.chdir(folder)
        sys.argv = ["mlpjit", *case.command]
        from mlpjit.cli import main

        main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def faults(case: Case, found: Ended) -> list[str]:
    """Return what is wrong with the way a command ended."""
    if found.code is None:
        return ["hangs"]
    if case.valid:
        wrong = [] if found.code == 0 else [f"code {found.code}"]
        return wrong + (["traceback"] if "Traceback" in found.errors else [])
    wrong = [] if found.code in (2, 3) else [f"code {found.code}"]
    lines = [line for line in found.errors.splitlines() if line.strip()]
    wrong += [f"{len(lines)} lines"] if not 1 <= len(lines) <= MOST_LINES else []
    wrong += [f"a line of {max(map(len, lines))}"] if lines and max(map(len, lines)) > LONGEST else []
    wrong += [f"says {word!r}" for word in INTERNALS if word in found.errors]
    wrong += [f"does not name {name!r}" for name in case.names if name not in found.errors]
    wrong += [f"{found.seconds:.1f} s"] if found.seconds > CPU_SECONDS else []
    wrong += ["output"] if found.output else []
    return wrong + ([f"left {', '.join(found.left[:3])}"] if found.left else [])


def imported() -> None:
    """Import what commands import, and look up what they keep."""
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import mlpjit.comparison.stored
    import mlpjit.report
    import mlpjit.study.trial
    import mlpjit.training.warm  # noqa: F401
    from mlpjit.config.run_config import RunConfig

    RunConfig(epochs=1).run_id  # noqa: B018


def main(names: Sequence[str]) -> None:
    """Carry out the commands of some categories, or of all."""
    imported()
    total: Counter[str] = Counter()
    for category in names or CATEGORIES:
        cases = list(CATEGORIES[category]())
        wrong, slowest = 0, 0.0
        for case in cases:
            found = ended(case)
            told = faults(case, found)
            slowest, wrong = max(slowest, found.seconds), wrong + bool(told)
            total["hangs"] += found.code is None
            total["tracebacks"] += "Traceback" in found.errors
            total["runs started"] += any("store.sqlite" in path for path in found.left)
            if told:
                first = found.errors.strip().splitlines()
                print(f"  {case.name}: {'; '.join(told)}: {(first or ['silence'])[-1][:200]}", flush=True)
        valid = sum(case.valid for case in cases)
        total.update(inputs=len(cases), valid=valid, wrong=wrong)
        print(f"{category:10} {len(cases):4} inputs, {valid} of them valid: {wrong} wrong, {slowest:.2f} s", flush=True)
    told = ", ".join(
        f"{total[name]} {name}" for name in ("inputs", "valid", "wrong", "tracebacks", "hangs", "runs started")
    )
    print(told)


if __name__ == "__main__":
    main(sys.argv[1:])
