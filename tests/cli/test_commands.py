"""The command line as a user meets it: output, exit codes, what is imported, how long help takes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake
from typer.testing import CliRunner

from mlpjit import cli
from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.cli import app
from mlpjit.cli.listing import KINDS
from mlpjit.cli.tables import dump, seconds, table
from mlpjit.store import Store, opening
from mlpjit.study import pool
from mlpjit.study.study import Study

TOML = """
name = "tiny"
width = 4
epochs = 1
[sweep]
optimizer = ["sgd", "adam"]
seed = [0, 1]
"""


def mlpjit(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TOML)
    return tmp_path / "tiny.toml"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr("mlpjit.study.sweep.compiled_runner", made.runner)
    return made


def test_run_makes_a_study_and_again_does_nothing(study: Path, tmp_path: Path, fake: Fake) -> None:
    first = mlpjit("run", str(study), "--out", str(tmp_path / "out"), "--no-report", "--threads", "2")
    assert first.exit_code == 0, first.output
    assert "4 runs (4 done), 4 made now" in first.stderr
    assert first.stdout.splitlines() == [f"store    {tmp_path / 'out' / 'store.sqlite'}"]
    again = mlpjit("run", str(study), "--out", str(tmp_path / "out"), "--no-report", "--json")
    assert "nothing left to run" in again.stderr
    assert json.loads(again.stdout)["ran"] == 0
    assert len(fake.made) == 4


def test_writing_is_announced_only_when_something_is_written(study: Path, tmp_path: Path, fake: Fake) -> None:
    arguments = ["run", str(study), "--out", str(tmp_path / "out")]
    said = ["writing figures and page" in mlpjit(*arguments).stderr for _ in range(2)]
    assert said == [True, False]


def test_a_folder_of_another_study_is_told(study: Path, tmp_path: Path, fake: Fake) -> None:
    other = tmp_path / "other.toml"
    other.write_text(TOML.replace("tiny", "other"))
    said = [mlpjit("run", str(path), "--out", str(tmp_path / "out"), "--no-report").stderr for path in (study, other)]
    assert "holds the study" not in said[0]
    assert f"{tmp_path / 'out'} holds the study 'tiny': its runs stay stored;" in said[1]


def test_stored_runs_that_serve_no_more_are_told(study: Path, tmp_path: Path, fake: Fake) -> None:
    arguments = ["run", str(study), "--out", str(tmp_path / "out"), "--no-report"]
    said = [mlpjit(*arguments).stderr for _ in range(2)]
    study.write_text(TOML.replace("epochs = 1", "epochs = 2"))
    assert not any("none of them of this plan" in text for text in said)
    assert "holds 4 runs, none of them of this plan: their settings, or the version" in mlpjit(*arguments).stderr


def test_a_run_leaves_one_file_of_a_store(study: Path, tmp_path: Path, fake: Fake) -> None:
    for _ in range(2):
        mlpjit("run", str(study), "--out", str(tmp_path / "out"))
        assert [path.name for path in (tmp_path / "out").glob("store*")] == ["store.sqlite"]


def test_the_store_is_opened_once_to_run_and_once_to_report(
    study: Path, tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, real = [], opening.connect
    monkeypatch.setattr(opening, "connect", lambda path, mode: opened.append(mode) or real(path, mode))
    for ways in (["rw", "ro", "ro"], ["ro", "ro"]):  # the second finds all of it
        assert mlpjit("run", str(study), "--out", str(tmp_path / "out")).exit_code == 0
        assert opened == ways
        opened.clear()


def test_lost_runs_end_with_1(study: Path, tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "put_all", lambda *_: 0)
    result = mlpjit("run", str(study), "--out", str(tmp_path / "out"), "--no-report")
    assert result.exit_code == 1
    assert "error: 4 runs failed: is not in the store, though it was made" in result.stderr


def test_an_error_in_the_thread_that_writes_ends_with_3(
    study: Path, tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlpjit.store.rows.MOST", 2**80)
    monkeypatch.setattr("fakes.total_steps", lambda config: 2**70)
    result = mlpjit("run", str(study), "--out", str(tmp_path / "out"), "--no-report")
    assert result.exit_code == 3
    assert "store.sqlite: cannot be written: OverflowError" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["store.sqlite"]


def test_a_number_beyond_64_bits_is_refused_before_a_run(tmp_path: Path, fake: Fake) -> None:
    (tmp_path / "vast.toml").write_text(f"batch_size = {10**19}\n[sweep]\nseed = {list(range(120))}")
    result = mlpjit("run", str(tmp_path / "vast.toml"), "--out", str(tmp_path / "out"))
    assert (result.exit_code, fake.made) == (2, [])
    assert "batch_size: got 10000000000000000000, need a whole number from 1 up to 2^63 - 1" in result.stderr


def test_one_run_is_one_run(tmp_path: Path, fake: Fake) -> None:
    (tmp_path / "one.toml").write_text("epochs = 1")
    assert (
        "1 run (1 done), 1 made now"
        in mlpjit("run", str(tmp_path / "one.toml"), "--out", str(tmp_path / "out"), "--no-report").stderr
    )
    fake.fails = ("relu",)
    (tmp_path / "one.toml").write_text("epochs = 2")
    assert (
        "error: 1 run failed: ValueError"
        in mlpjit("run", str(tmp_path / "one.toml"), "--out", str(tmp_path / "out"), "--no-report").stderr
    )


def test_run_with_failures_ends_with_1_and_says_why(study: Path, tmp_path: Path, fake: Fake) -> None:
    fake.fails = ("relu",)
    result = mlpjit("run", str(study), "--out", str(tmp_path / "out"), "--no-report")
    assert result.exit_code == 1
    assert "error: 4 runs failed: ValueError: no luck at all" in result.stderr


def test_five_mistakes_are_five_lines_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(
        'optimiser = 1\nlearning_rate = "fast"\nseed = -1\n[sweep]\ndepth = [1, -2]\ninit = ["he"]\n'
    )
    result = mlpjit("run", str(tmp_path / "wrong.toml"))
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("error: wrong.toml") for line in lines)


SEVERAL = """
name = "several"
width = 4
epochs = 1
[sweep]
dataset = ["wine", "iris"]
optimizer = ["sgd", "adam"]
learning_rate = [0.01, 0.1]
[final]
per = ["optimizer"]
seeds = [100, 101]
"""


def test_a_study_over_several_datasets_reports_each_and_names_it(tmp_path: Path, fake: Fake) -> None:
    (tmp_path / "several.toml").write_text(SEVERAL)
    result = mlpjit("run", str(tmp_path / "several.toml"), "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert [line for line in result.stdout.splitlines() if line in ("wine", "iris")] == ["iris", "wine"]
    assert result.stdout.count("test accuracy  ") == 2
    assert result.stdout.count("2 seeds are too few to say which is better: it takes at least 7.") == 2
    page = (tmp_path / "report.html").read_text()
    assert "2 problems are too few for a verdict over them: it takes 6." in result.stdout
    assert '<p class="answer">2 problems are too few for a verdict over them: it takes 6.</p>' in page
    assert "<h2>Which optimizer is best on iris, and at which setting?</h2>" in page
    assert "<h2>Which optimizer is best on wine, and at which setting?</h2>" in page
    assert "has not run yet" not in page
    planned = json.loads(mlpjit("plan", str(tmp_path / "several.toml"), "--out", str(tmp_path), "--json").stdout)
    assert (planned["final_runs"], planned["new"]) == (8, 0)


ERRORS = {
    ("run", "nothing"): (
        2,
        "unknown study 'nothing' (known: activations, initialization, optimizers, pathologies, quick, sche",
    ),
    ("plan", "quik"): (2, "unknown study 'quik': did you mean 'quick'?\n"),
    ("run", "mine.tml"): (2, "mine.tml: there is no such study file (looked in "),
    ("plan", "some/where"): (2, "some/where: there is no such study file (looked in "),
    ("plan", "."): (2, ".: cannot be read: Is a directory"),
    ("list", "adem"): (2, "unknown kind or name 'adem': did you mean 'adam'?"),
    ("list", "zzz"): (2, "unknown kind or name 'zzz' (known: the names that `mlpjit list` prints)"),
    ("list", "optimizer", "relu"): (2, "unknown optimizer 'relu'"),
    ("list", "adam", "sgd"): (2, "unknown kind 'adam'"),
    ("export", "nowhere"): (3, "there is no store here"),
    ("report", "nowhere"): (3, "there is no store here"),
}


@pytest.mark.parametrize("arguments", ERRORS, ids=" ".join)
def test_errors_are_lines_with_their_exit_code(arguments: tuple[str, ...]) -> None:
    code, line = ERRORS[arguments]
    result = mlpjit(*arguments)
    assert result.exit_code == code
    assert line in result.stderr
    assert result.stdout == ""


def test_plan_counts_stored_and_new(study: Path, tmp_path: Path) -> None:
    loaded = Study.load(study)
    before = json.loads(mlpjit("plan", str(study), "--out", str(tmp_path / "out"), "--json").stdout)
    loaded.run(tmp_path / "out", threads=1, runner=Fake().runner())
    after = json.loads(mlpjit("plan", str(study), "--out", str(tmp_path / "out"), "--json").stdout)
    assert (before["total"], before["new"], before["cached"], before["measured"]) == (4, 4, 0, False)
    assert (after["total"], after["new"], after["cached"], after["measured"]) == (4, 0, 4, True)
    assert before["steps"] == 4 * 20
    assert before["parts"]["runs"] > after["parts"]["runs"] == 0
    assert before["seconds"] > after["seconds"]
    assert not (tmp_path / "results").exists()


def test_plan_says_that_duplicates_count_once(tmp_path: Path) -> None:
    (tmp_path / "twice.toml").write_text("width = 4\n[[sweep]]\nseed = [0, 1]\n[[sweep]]\nseed = [1, 2]\n")
    text = mlpjit("plan", str(tmp_path / "twice.toml")).stdout
    assert "duplicates      1 left out" in text


def test_plan_of_quick_counts_its_final_runs() -> None:
    found = json.loads(mlpjit("plan", "quick", "--json", "--out", "nowhere").stdout)
    assert (found["tuning_runs"], found["final_runs"], found["new"]) == (1920, 40, 1960)


def test_plan_says_what_can_be_claimed_at_all(tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text(SEVERAL)
    text = mlpjit("plan", str(tmp_path / "few.toml"), "--out", str(tmp_path)).stdout
    assert "final seeds            2, smallest p = 0.5; corrected by Holm, at 5 %:" in text
    assert "2 comparisons: p = 1 at best, so none can be claimed; it takes 7 seeds" in text
    assert "1 comparison: p = 0.5 at best, so none can be claimed; it takes 6 problems" in text
    quick = json.loads(mlpjit("plan", "quick", "--json", "--out", "nowhere").stdout)["claims"]
    assert [(one["comparisons"], one["possible"]) for one in quick] == [(6, True), (3, True)]


def test_every_registry_is_a_kind() -> None:
    assert set(KINDS) == {*REGISTRIES, "datasets", "spaces", "studies"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed(kind: str) -> None:
    records = json.loads(mlpjit("list", kind, "--json").stdout)
    text = mlpjit("list", kind).stdout
    assert records
    assert all(part in text for record in records for part in record["name"].split())
    assert all(record.get("space", record["name"]) in mlpjit("list").stdout for record in records)


def test_export_prints_its_files(study: Path, tmp_path: Path) -> None:
    Study.load(study).run(tmp_path / "out", threads=1, runner=Fake().runner())
    paths = json.loads(mlpjit("export", str(tmp_path / "out"), "--json").stdout)
    assert [Path(path).name for path in paths] == ["runs.csv", "curves.csv"]


def test_the_compact_export_is_one_file(study: Path, tmp_path: Path) -> None:
    Study.load(study).run(tmp_path / "out", threads=1, runner=Fake().runner())
    assert mlpjit("export", str(tmp_path / "out"), "--compact").stdout == f"{tmp_path / 'out' / 'runs.csv.xz'}\n"
    refused = mlpjit("export", str(tmp_path / "out"), "--compact", "--layers")
    assert (refused.exit_code, "alone" in refused.stderr) == (2, True)


def test_unexpected_errors_are_not_hidden(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(pool, "available_threads", broken)
    result = mlpjit("plan", str(study))
    assert isinstance(result.exception, ZeroDivisionError)


IMPORTED = """
import sys
sys.argv = ["mlpjit", *sys.argv[1:]]
from mlpjit.cli import main
try:
    main()
finally:
    found = [name for name in ("numba", "matplotlib", "pandas", "scipy") if name in sys.modules]
    print(found, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "optimizers"], ["plan", "quick"]], ids=" ".join)
def test_help_list_and_plan_import_nothing_heavy(arguments: list[str]) -> None:
    result = process(IMPORTED, *arguments)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (0, "[]")


def test_help_imports_neither_pydantic_nor_rich_nor_numpy() -> None:
    code = IMPORTED.replace('("numba", "matplotlib", "pandas", "scipy")', '("pydantic", "rich", "numpy", "numba")')
    assert process(code, "--help").stderr.splitlines()[-1] == "[]"


def test_a_complete_study_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    Study.load(tmp_path / "tiny.toml").run(tmp_path / "out", threads=1, runner=Fake().runner())
    arguments = ["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out"), "--no-report"]
    assert process(IMPORTED, *arguments).stderr.splitlines()[-1] == "[]"


def test_help_is_quick() -> None:
    """Measured: 0.09 s; the processor's time, best of three, for a machine that does other things too."""
    times = []
    for _ in range(3):
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        process("from mlpjit.cli import main; main()", "--help")
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime)
    assert min(times) < 0.3


INTERRUPTED = """
import sys
sys.path.insert(0, sys.argv.pop())
from fakes import Fake
import mlpjit.study.sweep
mlpjit.study.sweep.compiled_runner = Fake(seconds=30.0).runner
from mlpjit.cli import main
sys.argv[0] = "mlpjit"
main()
"""


def test_ctrl_c_ends_with_130_and_says_how_to_resume(study: Path, tmp_path: Path) -> None:
    arguments = ["run", str(study), "--out", str(tmp_path / "my out"), str(Path(__file__).parents[1])]
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED, *arguments], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "my out" / "store.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert f"resume with: mlpjit run {study} --out '{tmp_path / 'my out'}'" in errors
    assert "Traceback" not in errors


def test_tables_are_aligned() -> None:
    assert table(("a", "long"), [("x", 1), ("yyy", 22)], right=[1]).splitlines() == [
        "a    long", "---  ----", "x       1", "yyy    22",
    ]  # fmt: skip


DURATIONS = [
    (0.0234, "23 ms"),
    (1.23, "1.2 s"),
    (59.6, "1 min 0 s"),
    (200, "3 min 20 s"),
    (7500, "2 h 5 min"),
    (300 * 3600, "12 days"),
    (None, "?"),
]


@pytest.mark.parametrize(("value", "text"), DURATIONS)
def test_durations_read_well(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_json_has_no_infinities() -> None:
    assert json.loads(dump({"a": float("inf"), "b": [float("nan"), 1.5]})) == {"a": None, "b": [None, 1.5]}


@pytest.mark.parametrize("asked", [*cli.COMMANDS, "--help", "data", "rum", ""])
def test_a_command_that_is_asked_for_is_described_alone(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To describe all takes longer than most parts of a warm start; help and mistakes need them."""
    monkeypatch.setattr(sys, "argv", ["mlpjit", *filter(None, [asked]), "--json"])
    described = [each.name for each in cli._asked().registered_commands]
    assert described == ([asked] if asked in cli.COMMANDS else list(cli.COMMANDS))
    assert len(app.registered_commands) == len(cli.COMMANDS)
