"""Figures saved by one process and by two are the same; what goes wrong in the second one is not lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from conftest import STUDIES, SyntheticStore

from mlpjit.report.drawing import Drawing, saving
from mlpjit.report.figures import figures
from mlpjit.report.figures.results import Results

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process draws everything")


def drawings(directory: Path, name: str = "two_optimizers") -> list[Drawing]:
    results = Results.read(STUDIES[name]())
    tables = [(record, record.data(results)) for record in figures()]
    return [Drawing(record, table, results, directory / record.name) for record, table in tables if not table.empty]


def written(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def save_all(drawings: list[Drawing], pdf: bool, processes: int) -> list[float]:
    with saving(drawings, pdf, processes) as widths:
        assert widths == []
    return widths


@pytest.mark.parametrize("pdf", [False, True])
def test_two_processes_write_the_same_bytes(tmp_path: Path, pdf: bool) -> None:
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
    one, two = (save_all(drawings(tmp_path / str(n)), pdf, processes=n) for n in (1, 2))
    assert one == two
    assert written(tmp_path / "1") == written(tmp_path / "2")
    assert len(written(tmp_path / "1")) == len(one) * (3 if pdf else 2) >= 4


def second_replaced(directory: Path, draw: Callable[..., Any]) -> list[Drawing]:
    """Drawings of which the second one, the second process's first, is drawn by `draw`."""
    found = drawings(directory)
    return [found[0], replace(found[1], record=replace(found[1].record, draw=draw)), *found[2:]]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ZeroDivisionError("a bug")])
def test_an_error_in_the_second_process_is_raised(tmp_path: Path, error: Exception) -> None:
    def draw(table: Any, results: Any) -> None:
        raise error

    with pytest.raises(type(error), match=str(error.args[-1])):
        save_all(second_replaced(tmp_path, draw), pdf=False, processes=2)


def test_what_a_killed_second_process_leaves_is_drawn_by_the_first(tmp_path: Path) -> None:
    first, original = os.getpid(), drawings(tmp_path)[1].record.draw

    def draw(table: Any, results: Any) -> Any:
        if os.getpid() != first:
            os.kill(os.getpid(), 9)
        return original(table, results)

    widths = save_all(second_replaced(tmp_path, draw), pdf=False, processes=2)
    assert all(widths)
    assert len(written(tmp_path)) == 2 * len(widths)


def test_the_second_process_leaves_ctrl_c_to_the_first(tmp_path: Path) -> None:
    first, original = os.getpid(), drawings(tmp_path)[1].record.draw

    def draw(table: Any, results: Any) -> Any:
        if os.getpid() != first:
            os.kill(os.getpid(), signal.SIGINT)
        (tmp_path / "second").write_text(str(os.getpid()))
        return original(table, results)

    before = signal.getsignal(signal.SIGINT)
    save_all(second_replaced(tmp_path, draw), pdf=False, processes=2)
    assert (tmp_path / "second").read_text() != str(first)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_the_second_process_begins_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = BaseProcess.start

    def start(process: BaseProcess) -> None:
        # Not to the process: a thread of the test's own might take it, and tell of it at any time.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        begin(process)

    monkeypatch.setattr(BaseProcess, "start", start)
    with pytest.raises(KeyboardInterrupt):
        save_all(drawings(tmp_path), pdf=False, processes=2)
    assert multiprocessing.active_children() == []


def test_signals_wait_no_longer_where_no_second_process_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(process: BaseProcess) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(BaseProcess, "start", start)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        with pytest.raises(BlockingIOError):
            save_all(drawings(tmp_path), pdf=False, processes=2)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("name", ["quick", "pathologies", "regression"])
def test_drawing_reads_no_store(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of SQLite must not be carried across a fork."""
    made = drawings(tmp_path, name)
    for method in ("columns", "curves", "layers", "timing", "study", "sessions"):
        monkeypatch.delattr(SyntheticStore, method)
    for drawing in made:
        drawing.record.draw(drawing.table, drawing.results)
