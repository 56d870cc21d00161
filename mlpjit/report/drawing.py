"""Drawing figures into files: each alone, so that a second process can take its share of them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from mlpjit.files import replacing
from mlpjit.report import style
from mlpjit.report.figures import FigureRecord
from mlpjit.report.figures.results import Results

DOTS_PER_INCH = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SUFFIXES = ("svg", "png", "pdf")
# Without dates or versions, so that the same results give the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": "mlpjit"},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "mlpjit"},
}
# The default compression takes 4 times as long.
OPTIONS: dict[str, dict[str, Any]] = {"png": {"pil_kwargs": {"compress_level": 3}}}


@dataclass(frozen=True)
class Drawing:
    """A figure to be drawn: its data and the path of its files, less their suffixes."""

    record: FigureRecord
    table: pd.DataFrame
    results: Results
    path: Path

    def files(self, pdf: bool) -> list[Path]:
        """Return the files it is saved to."""
        return [self.path.with_name(f"{self.path.name}.{suffix}") for suffix in SUFFIXES[: 3 if pdf else 2]]

    def save(self, pdf: bool) -> float:
        """Draw and save; return the width in inches."""
        with mpl.rc_context(style.RC):
            drawn: Figure = self.record.draw(self.table, self.results)
            for file, suffix in zip(self.files(pdf), SUFFIXES, strict=False):
                options = OPTIONS.get(suffix, {})
                with replacing(file) as partial:
                    drawn.savefig(partial, format=suffix, dpi=DOTS_PER_INCH, metadata=METADATA[suffix], **options)
        return float(drawn.get_figwidth())


@contextmanager
def saving(drawings: Sequence[Drawing], pdf: bool, processes: int | None = None) -> Iterator[list[float]]:
    """Save all drawings and yield a list of their widths in inches, which is filled when the block ends.

    Every other one is drawn in a second process where there is room, from the beginning of the block on. Measured on
    two cores: all of the page of `quick` takes 1.7 s instead of 2.6 s; without a free core nothing is won.
    """
    widths: list[float] = []
    if (processes or _processes()) < 2 or len(drawings) < 2:
        yield widths
        widths += _saved(drawings, pdf)
        return
    context: Any = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_save_share, args=(drawings[1::2], pdf, sender), daemon=True)
    # A signal that comes meanwhile waits: neither may the child raise what is not its own, nor this process miss it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        child.start()
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()
        yield widths
        widths += [0.0] * len(drawings)
        widths[::2] = _saved(drawings[::2], pdf)
        widths[1::2] = _share(receiver) or _saved(drawings[1::2], pdf)
    except BaseException:
        child.kill()
        raise
    finally:
        child.join()


def _saved(drawings: Sequence[Drawing], pdf: bool) -> list[float]:
    """Save drawings and return their widths.

    A figure is a circle of references that would lie about, megabytes each; what was there before is not looked at.
    """
    widths = []
    gc.freeze()
    try:
        for drawing in drawings:
            widths.append(drawing.save(pdf))
            gc.collect()
    finally:
        gc.unfreeze()
    return widths


def _processes() -> int:
    """A fork copies this thread alone and is sound where no other runs; elsewhere than on Linux it is not."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(2, len(os.sched_getaffinity(0)))  # `executors` knows too, but would import pydantic: a fifth of the time


def _save_share(drawings: Sequence[Drawing], pdf: bool, sender: Connection) -> None:
    """In the second process: save some drawings and send their widths, or the error of the first that fails.

    Formulas that this process has set before hold open font files, and a fork shares the place in a file with its
    parent: they would read each other's glyphs. Matplotlib forgets its other fonts at a fork by itself.
    """
    from matplotlib.mathtext import MathTextParser

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which takes this one along
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    MathTextParser._parse_cached.cache_clear()  # type: ignore[attr-defined]
    try:
        sender.send(_saved(drawings, pdf))
    except Exception as error:
        sender.send(error)


def _share(receiver: Connection) -> list[float] | None:
    """Wait for the second process; None when it was killed. Raises its error."""
    try:
        answer = receiver.recv()
    except EOFError:
        return None
    finally:
        receiver.close()
    if isinstance(answer, Exception):
        raise answer
    return list(answer)
