"""Progress on standard error: a live bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlpjit.cli.tables import seconds

if TYPE_CHECKING:
    from mlpjit.study.progress import Snapshot

LINE_SECONDS = 5.0
AHEAD_SECONDS = 3.0
WIDE = 120  # columns of a terminal that have room for a long bar
REPORT = ("mlpjit.report.page", "scipy.special")
NAMES = {
    "tune": "tuning", "final": "final runs", "default": "untuned runs", "pairs": "pairs on fresh seeds",
    "timing": "step times",
}  # fmt: skip


def facts(shown: Snapshot, room: int | None = None) -> str:
    """Return rate, ETA, best and diverged in words, without what is best where `room` characters do not hold it."""
    if shown.done == 0:
        return _cut(_beginning(shown), room)
    known = [f"{shown.rate:.1f}/s", f"ETA {seconds(shown.eta_seconds)}"]
    best = f"best {shown.best_loss:.4g}" if shown.best_loss is not None else ""
    lost = [f"{shown.diverged} diverged"] if shown.diverged else []
    lost += [f"{shown.failed} failed"] if shown.failed else []
    ways = [[*known, f"{best} ({shown.best_label})", *lost], [*known, best, *lost]] if best else []
    texts = [", ".join(parts) for parts in (*ways, [*known, *lost])]
    return next((text for text in texts if room is None or len(text) <= room), _cut(texts[-1], room))


def _cut(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else text[: max(0, room - 3)] + "..."


def _beginning(shown: Snapshot) -> str:
    """Return what happens before the first run has ended: compiling, or nothing to be named."""
    if shown.eta_seconds is not None:
        return ""
    return f"compiling {shown.preparing}" if shown.preparing else "preparing kernels"


@contextmanager
def display() -> Iterator[Callable[[Snapshot], None]]:
    """Yield the callback of a sweep."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield Lines()


def importing_ahead(show: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    """Pass progress on, and have a thread import what a report is written with while tuning runs keep the cores busy.

    A core would import for 0.6 s afterwards with the others idle. Not where so little is left to tune that it might
    still import beside step times.
    """
    begun = False

    def shown(snapshot: Snapshot) -> None:
        nonlocal begun
        show(snapshot)
        if not begun and snapshot.stage == "tune" and snapshot.done and (snapshot.eta_seconds or 0.0) > AHEAD_SECONDS:
            begun = True
            threading.Thread(target=_import, daemon=True).start()

    return shown


def _import() -> None:
    for name in REPORT:
        importlib.import_module(name)


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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    console = Console(stderr=True)
    bar = 40 if console.width >= WIDE else 10
    columns = (
        TextColumn("{task.description}"), BarColumn(bar), MofNCompleteColumn(), TextColumn("{task.fields[facts]}")
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}
        wide = [0, 0]  # of the names and of the counts so far

        def show(shown: Snapshot) -> None:
            if shown.stage not in tasks:
                name, total = NAMES.get(shown.stage, shown.stage), str(shown.total)
                wide[:] = [max(wide[0], len(name)), max(wide[1], 2 * len(total) + 1)]
                tasks[shown.stage] = progress.add_task(name, total=shown.total, facts="")
            told = facts(shown, console.width - bar - sum(wide) - 3)
            progress.update(tasks[shown.stage], completed=shown.done, facts=told)

        yield show
