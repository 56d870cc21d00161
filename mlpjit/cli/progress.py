"""Progress on standard error: a live bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlpjit.cli.tables import seconds

if TYPE_CHECKING:
    from mlpjit.study.progress import Snapshot

LINE_SECONDS = 5.0
NAMES = {
    "tune": "tuning", "final": "final runs", "default": "untuned runs", "pairs": "pairs on fresh seeds",
    "timing": "step times",
}  # fmt: skip


def facts(shown: Snapshot) -> str:
    """Return rate, ETA, best and diverged in words."""
    if shown.done == 0:
        return "preparing kernels" if shown.eta_seconds is None else ""
    parts = [f"{shown.rate:.1f}/s", f"ETA {seconds(shown.eta_seconds)}"]
    if shown.best_loss is not None:
        parts.append(f"best {shown.best_loss:.4g} ({shown.best_label})")
    parts += [f"{shown.diverged} diverged"] if shown.diverged else []
    parts += [f"{shown.failed} failed"] if shown.failed else []
    return ", ".join(parts)


@contextmanager
def display() -> Iterator[Callable[[Snapshot], None]]:
    """Yield the callback of a sweep."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield Lines()


class Lines:
    """One line when a stage begins, every few seconds, and when it ends."""

    def __init__(self) -> None:
        self._last: tuple[str, float] = ("", 0.0)

    def __call__(self, shown: Snapshot) -> None:
        """Print a line if it is time."""
        now, ended = time.monotonic(), shown.done == shown.total
        if not ended and self._last[0] == shown.stage and now - self._last[1] < LINE_SECONDS:
            return
        self._last = (shown.stage, now)
        cached = f" ({shown.cached:,} stored before)" if shown.cached else ""
        line = f"{NAMES.get(shown.stage, shown.stage)}: {shown.done:,} of {shown.total:,}{cached}, {facts(shown)}"
        print(line.rstrip(", "), file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[Callable[[Snapshot], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}

        def show(shown: Snapshot) -> None:
            if shown.stage not in tasks:
                name = NAMES.get(shown.stage, shown.stage)
                tasks[shown.stage] = progress.add_task(name, total=shown.total, facts="")
            progress.update(tasks[shown.stage], completed=shown.done, facts=facts(shown))

        yield show
