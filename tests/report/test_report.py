"""The report on a real store, written by a real sweep whose runs are made up."""

from __future__ import annotations

import contextlib
import html
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fakes import TABLE, Fake

from mlpjit import files, report
from mlpjit.errors import StoreError
from mlpjit.kernels.compiler.claims import claimed
from mlpjit.report.machines import toml
from mlpjit.store.seals import seal_all
from mlpjit.study.study import Study, built_in


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with its report."""
    directory = tmp_path_factory.mktemp("reported")
    Study.from_table(TABLE).run(directory, runner=Fake().runner())
    report.write(directory)
    return directory


@pytest.fixture
def directory(reported: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(reported, tmp_path / "copy"))


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Instead of drawing, note which folder would be drawn."""
    noted: list[Path] = []
    stamp: dict[str, Any] = {"files": {}, "answer": []}
    monkeypatch.setattr(report, "render", lambda store, directory, pdf, version: noted.append(directory) or stamp)
    return noted


def written(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.suffix in (".svg", ".png", ".csv", ".html")]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def test_answer_ranks_the_labels_on_fresh_seeds(directory: Path) -> None:
    rows = report.answer(directory)
    assert {row["label"] for row in rows} == {"sgd", "adam(b1=0.95)"}
    assert {(row["stage"], row["runs"], row["score"]) for row in rows} == {("final", 3, 0.9)}
    assert {(row["learning_rate"], row["tuning_diverged"], row["tuning_runs"]) for row in rows} == {(0.1, 4, 12)}


def test_every_file_is_written_and_named(directory: Path) -> None:
    paths = report.write(directory)
    assert paths[0] == directory / "report.html"
    assert {str(path.relative_to(directory)) for path in paths} == set(written(directory))
    assert all(path.stat().st_size > 0 for path in paths)


def test_drawn_anew_with_force_every_byte_is_the_same(directory: Path) -> None:
    before = written(directory)
    (directory / "report.html").unlink()
    report.write(directory, force=True)
    assert written(directory) == before


def test_nothing_is_drawn_when_nothing_changed(directory: Path, drawings: list[Path]) -> None:
    assert report.write(directory)[0] == directory / "report.html"
    assert drawings == []


@pytest.mark.parametrize("lost", ["report.html", "figures/rate_curves.svg", "tables/answer.csv", "figures/.stamp"])
def test_a_missing_file_is_drawn_again(directory: Path, drawings: list[Path], lost: str) -> None:
    (directory / lost).unlink()
    report.write(directory)
    assert drawings == [directory]


@pytest.mark.parametrize("cut", ["report.html", "figures/rate_curves.svg", "tables/answer.csv"])
def test_a_cut_file_is_drawn_again(directory: Path, drawings: list[Path], cut: str) -> None:
    os.truncate(directory / cut, (directory / cut).stat().st_size - 1)
    report.write(directory)
    assert drawings == [directory]


def test_while_another_writes_a_report_one_waits_and_then_draws_nothing(directory: Path, drawings: list[Path]) -> None:
    second = threading.Thread(target=report.write, args=(directory,))
    with claimed(directory / "report"):
        second.start()
        second.join(0.2)
        assert second.is_alive()
    second.join()
    assert drawings == []


@pytest.mark.parametrize("text", ["[", "[]", "\udcff", "{}", "\n{}"])
def test_a_damaged_stamp_is_no_stamp(directory: Path, drawings: list[Path], text: str) -> None:
    (directory / report.STAMP).write_bytes(text.encode(errors="surrogateescape"))
    report.write(directory)
    assert drawings == [directory]


def test_a_pdf_not_drawn_before_is_drawn(directory: Path, drawings: list[Path]) -> None:
    report.write(directory, pdf=True)
    assert drawings == [directory]


def test_a_change_of_the_report_itself_draws_anew(
    directory: Path, drawings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "sources_hash", lambda: "another")
    report.write(directory)
    assert drawings == [directory]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device stands for the full disk")
@pytest.mark.parametrize(
    "name", ["tables/answer.csv", "figures/rate_curves.svg", "figures/rate_curves.png", "report.html"]
)
def test_a_full_disk_is_one_clear_line(directory: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "uuid4", lambda: UUID(int=0))
    path = directory / name
    path.with_name(f".{path.name}.{'0' * 12}.partial").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        report.write(directory, force=True)
    report.write(directory)
    assert (directory / "report.html").stat().st_size > 1000


def test_a_folder_that_cannot_be_written_is_one_clear_line(directory: Path) -> None:
    shutil.rmtree(directory / "figures")
    (directory / "figures").write_text("in the way")
    with pytest.raises(StoreError, match=r"figures.*: cannot be written: "):
        report.write(directory)


def test_new_runs_draw_anew_and_figures_without_data_disappear(directory: Path) -> None:
    assert (directory / "figures" / "depth_rate.svg").is_file()
    table: dict[str, Any] = {**TABLE, "sweep": {"optimizer": ["sgd"], "depth": [1], "learning_rate": [0.01, 0.1]}}
    Study.from_table(table).run(directory, runner=Fake().runner())
    report.write(directory)
    assert not (directory / "figures" / "depth_rate.svg").exists()
    assert (directory / "figures" / "rate_curves.svg").is_file()


def test_pdf_on_request(directory: Path) -> None:
    assert not list(directory.rglob("*.pdf"))
    pdfs = [path for path in report.write(directory, pdf=True) if path.suffix == ".pdf"]
    assert len(pdfs) >= 4
    assert all(path.read_bytes().startswith(b"%PDF") for path in pdfs)


def test_the_skip_imports_nothing_heavy(directory: Path) -> None:
    code = (
        "import sys; from mlpjit import report; report.write(sys.argv[1]); report.answer(sys.argv[1]);"
        "heavy = {'pandas', 'matplotlib', 'numba', 'jinja2'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(directory)], check=True)


def test_drawing_imports_no_kernels_and_no_pydantic() -> None:
    code = "import sys, mlpjit.report.page; heavy = {'numba', 'pydantic'} & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True)


BLOCKS: dict[str, Any] = {
    "name": "blocks", "dataset": "digits", "epochs": 1, "clip": {"name": "global_norm", "max_norm": 2.0},
    "sweep": [
        {"optimizer": "sgd", "learning_rate": [0.1, 1.0], "hidden": [[8, 4], [4]]},
        {"optimizer": {"name": "adam", "b1": 0.8}, "learning_rate": 1e-5, "activation": ["relu", ["tanh", "relu"]],
         "hidden": [[8, 4]]},
    ],
}  # fmt: skip


NAMED = 'name = "mine"\nwidth = 4\nepochs = 1\n'


@pytest.mark.parametrize(
    ("file", "out", "command"),
    [("mine.toml", None, "mlpjit run mine.toml"), ("a file.toml", None, "mlpjit run 'a file.toml'"),
     ("b.toml", "results/mine", "mlpjit run b.toml"), ("b.toml", "some where", "mlpjit run b.toml --out 'some where'")],
)  # fmt: skip
def test_the_page_names_the_command_that_ran(
    file: str, out: str | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_text(NAMED)
    Study.load(file).run(out, threads=1, runner=Fake().runner())
    text = report.write(out or "results/mine")[0].read_text(encoding="utf-8")
    assert f'<pre class="command">{html.escape(command).replace("&#x27;", "&#39;")}</pre>' in text


def test_a_store_that_keeps_no_command_is_run_by_its_name(directory: Path) -> None:
    with contextlib.closing(sqlite3.connect(directory / "store.sqlite")) as store:
        store.execute("UPDATE sessions SET provenance = '{}'")
        seal_all(store)
        store.commit()
    text = report.write(directory, force=True)[0].read_text(encoding="utf-8")
    assert '<pre class="command">mlpjit run small.toml</pre>' in text


AWKWARD: dict[str, Any] = {
    "name": "awkward", "title": 'He said "no\\yes"', "question": "Tab\there,\nnew line, \x7f, é, ∇?",
    "sweep": [
        {"clip": ["none", {"name": "global_norm", "max_norm": 2.0}], "loss": ["none", "mse"], "hidden": [[8, 4], []],
         "dataset": ["digits", {"name": 'we"ird\\ data é.csv', "target": 'the "y"\\'}]},
        {"clip": {"name": "value", "max_value": 1e-5}, "hidden": [[3]], "seed": [3, 2**63 - 1], "batch_size": "full"},
    ],
    "final": {"per": "clip", "seeds": [7]},
}  # fmt: skip


def on_the_page(study: Study) -> Study:
    """The study after a way through the store and the page."""
    return Study.from_table(tomllib.loads(toml(json.loads(json.dumps(study.canonical())))))


@pytest.mark.parametrize("table", [TABLE, BLOCKS, AWKWARD], ids=lambda table: table["name"])
def test_the_toml_on_the_page_is_the_study(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{n},{n % 3}\n" for n in range(30))
    Path('we"ird\\ data é.csv').write_text('x,"the ""y""\\"\n' + rows, encoding="utf-8")
    study = Study.from_table(table)
    again = on_the_page(study)
    assert again.runs.run_ids == study.runs.run_ids
    assert again.canonical() | {"blocks": 0} == study.canonical() | {"blocks": 0}


@pytest.mark.parametrize("drop", [["id"], ["id", "a, b"], [1]], ids=str)
def test_columns_of_a_table_are_lists_in_the_toml_on_the_page(drop: list[str | int], tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 5},{n % 7},{n % 3}\n" for n in range(30))
    (tmp_path / "mine.csv").write_text('id,"a, b",c,target\n' + rows)
    spec = {"name": str(tmp_path / "mine.csv"), "drop": drop, "categorical": "c"}
    study = Study.from_table({"name": "own", "dataset": spec, "sweep": {"seed": [0, 1]}})
    text = toml(json.loads(json.dumps(study.canonical())))
    assert f'categorical = ["c"], drop = {json.dumps(drop)}}}' in text
    assert on_the_page(study).runs.run_ids == study.runs.run_ids


@pytest.mark.parametrize("name", built_in())
def test_the_toml_on_the_page_is_the_built_in_study(name: str) -> None:
    study = Study.load(name)
    again = on_the_page(study)
    assert again.runs.run_ids == study.runs.run_ids
    assert again.canonical() | {"blocks": 0} == study.canonical() | {"blocks": 0}


@pytest.mark.parametrize("per", ["learning_rate", ["optimizer", "learning_rate"]])
def test_rates_may_compete(per: str | list[str], tmp_path: Path) -> None:
    """A rate's other settings are those of every other rate too, and its answer names it all the same."""
    Study.from_table({**TABLE, "final": {**TABLE["final"], "per": per}}).run(tmp_path, 1, runner=Fake().runner())
    report.write(tmp_path)
    answer = report.answer(tmp_path)
    assert {row["learning_rate"] for row in answer} == {0.01, 0.1, 10.0}
    assert [row["good_rates"] for row in answer if row["good_rates"]] == [
        [row["learning_rate"]] for row in answer if row["learning_rate"] < 10
    ]


def test_networks_without_a_common_width_compete_with_those_that_have_one(tmp_path: Path) -> None:
    table = {
        **TABLE,
        "sweep": {"hidden": [[], [4], [4, 8]], "seed": [0, 1]},
        "final": {"per": "width", "seeds": [7, 8]},
    }
    Study.from_table({name: value for name, value in table.items() if name != "width"}).run(
        tmp_path, 1, runner=Fake().runner()
    )
    report.write(tmp_path)
    assert {row["label"] for row in report.answer(tmp_path)} == {"width None", "width 4"}
