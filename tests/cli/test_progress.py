"""What progress says while kernels are compiled."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from mlpjit.cli import progress
from mlpjit.cli.progress import Lines, facts
from mlpjit.study.progress import Snapshot, Tracker


def told(steps: list[tuple[int, int, str]]) -> list[str]:
    shown: list[Snapshot] = []
    tracker = Tracker("tune", 10, 0, 10.0, shown.append, interval=0.0)
    for step in steps:
        tracker.prepare(*step)
    return [facts(each) for each in shown]


def test_it_names_what_is_compiled_and_how_much_there_is():
    found = told([(0, 2, "training loop, float32"), (1, 2, "optimizer adam"), (2, 2, "")])
    assert found == [
        "compiling 1 of 2: training loop, float32",
        "compiling 2 of 2: optimizer adam",
        "preparing kernels",
    ]


def test_where_there_is_little_room_what_is_best_is_left_out_first():
    shown = Snapshot("tune", 10, 0, 5, 2, 0, 1.0, 250.0, 3.0, 0.0123, "adam, rate 0.1")
    assert facts(shown) == "250.0/s, ETA 3.0 s, best 0.0123 (adam, rate 0.1), 2 diverged"
    assert facts(shown, 45) == "250.0/s, ETA 3.0 s, best 0.0123, 2 diverged"
    assert facts(shown, 40) == "250.0/s, ETA 3.0 s, 2 diverged"
    assert facts(shown, 20) == "250.0/s, ETA 3.0 ..."


def test_a_line_says_so_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]):
    tracker = Tracker("tune", 10, 0, 10.0, Lines(), interval=0.0)
    tracker.prepare(6, 19, "training loop, float32")
    assert capsys.readouterr().err == "tuning: 0 of 10, compiling 7 of 19: training loop, float32\n"


@pytest.mark.parametrize(
    ("stage", "done", "eta", "imports"),
    [("tune", 1, 9.0, 1), ("tune", 0, 9.0, 0), ("tune", 1, 1.0, 0), ("tune", 1, None, 0), ("timing", 1, 9.0, 0)],
)
def test_a_report_is_imported_once_while_much_is_left_to_tune(
    stage: str, done: int, eta: float | None, imports: int, monkeypatch: pytest.MonkeyPatch
):
    imported, shown = threading.Semaphore(0), []
    monkeypatch.setattr(progress, "_import", imported.release)
    show = progress.importing_ahead(shown.append)
    snapshot = Snapshot(stage, 10, 0, done, 0, 0, 1.0, 1.0, eta)
    show(snapshot)
    show(snapshot)
    assert shown == [snapshot, snapshot]
    assert [imported.acquire(timeout=5 if wanted else 0.05) for wanted in (imports, 0)] == [bool(imports), False]


def test_what_is_imported_ahead_is_there():
    progress._import()
    assert {"matplotlib", "jinja2", "scipy.special"} <= set(sys.modules)


@pytest.mark.parametrize(("need", "label"), [
    (("train", "", "float64"), "training loop, float64"), (("optimizer", "adam", "float32"), "optimizer adam"),
    (("loss_sample", "cross_entropy", "float32"), "loss sample cross_entropy"),
    (("curvature", "", "float32"), "curvature"),
    (("init", '{"name": "he_normal"}', "float32"), "init he_normal"),
])  # fmt: skip
def test_each_need_has_a_label(need: Any, label: str):
    from mlpjit.training.warm import label as found

    assert found(need) == label
