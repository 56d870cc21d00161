"""`mlpjit compare` as a user meets it: what is printed, exit codes, and that a pair's numbers are its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake, FakeResult, drawn_for
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.comparison.reported import columns_needed
from mlpjit.report.export import export, read_rows
from mlpjit.store import Store
from mlpjit.study.study import Study, StudyResults

SEEDS = list(range(100, 108))


@dataclass
class Scored(Fake):
    """Test scores drawn for each run: adam's around 0.9, the others' around 0.6."""

    def execute(self, config: Any, control: Any) -> FakeResult:
        result = super().execute(config, control)
        middle = 0.9 if config.optimizer.name == "adam" else 0.6
        result.metrics["test_score"] = drawn_for(config).normal(middle, 0.05)
        return result


def made(directory: Path, optimizers: list[str], datasets: list[str], final: bool = True) -> Path:
    table = {"name": "made", "width": 4, "epochs": 1, "sweep": {"optimizer": optimizers, "dataset": datasets}}
    study = Study.from_table({**table, **({"final": {"seeds": SEEDS}} if final else {})})
    study.run(directory, threads=1, runner=Scored().runner())
    return directory


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("several"), ["sgd", "adam", "momentum"], ["wine", "iris"])


def mlpjit(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def pairs(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(mlpjit("compare", str(directory), "--json", *arguments).stdout)["comparisons"])


def test_every_problem_has_a_table_and_the_family_is_named(several: Path) -> None:
    text = mlpjit("compare", str(several)).stdout
    for dataset in ("iris", "wine"):
        assert f"{dataset}: test accuracy in points, 8 fresh seeds, sign-flip test" in text
    assert "Holm over 6 comparisons: every pair of 3 on 2 problems." in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("adam")] == ["better"] * 4
    assert max(map(len, text.splitlines())) <= 100


def test_against_a_control_its_name_heads_the_table(several: Path) -> None:
    text = mlpjit("compare", str(several), "--control", "adam").stdout
    assert text.count("against adam  effect") == 2
    assert [line.split()[-1] for line in text.splitlines() if line.startswith(("sgd", "momentum"))] == ["worse"] * 4


def test_another_competitor_changes_no_bit_of_a_pair(several: Path, tmp_path: Path) -> None:
    few = pairs(made(tmp_path, ["sgd", "adam"], ["wine", "iris"]))
    own = ("competitor", "control", "problem", "effect", "low", "high", "p", "wins", "ties", "losses")
    before, after = ([tuple(pair[name] for name in own) for pair in some] for some in (few, pairs(several)))
    assert len(before) == 2
    assert set(before) < set(after)
    assert {pair["family"] for pair in few} == {"2 comparisons: every pair of 2 on 2 problems"}


def test_the_same_in_python(several: Path) -> None:
    frame = StudyResults(several).compare(control="adam", by="optimizer")
    assert frame["level"].tolist() == ["on problems"] * 4
    columns = ["competitor", "problem", "effect", "low", "high", "p", "corrected_p", "verdict"]
    assert frame[columns].to_dict("records") == [
        {name: pair[name] for name in columns} for pair in pairs(several, "--control", "adam", "--by", "optimizer")
    ]


def test_six_problems_have_a_verdict_over_them(tmp_path: Path) -> None:
    datasets = ["wine", "iris", "digits", "breast_cancer", "two_moons", "circles"]
    text = mlpjit("compare", str(made(tmp_path, ["sgd", "adam"], datasets)), "--control", "sgd").stdout
    assert "6 problems: mean test score in seed SDs of sgd, Wilcoxon's signed ranks" in text
    over = next(line for line in text[text.index("6 problems:") :].splitlines() if line.startswith("adam"))
    assert over.split()[-4:] == ["6/0/0", ".031", ".031", "better"]


def test_without_a_final_stage_that_is_said(tmp_path: Path) -> None:
    result = mlpjit("compare", str(made(tmp_path, ["sgd", "adam"], ["wine"], final=False)))
    assert result.exit_code == 0
    assert "Note: the study has no [final] stage: validation data over the very seeds" in result.stdout
    assert "1 tuning seed," in result.stdout


ERRORS = {
    ("--control", "adm"): "unknown control 'adm': did you mean 'adam'?",
    ("--by", "optimiser"): "unknown column 'optimiser': did you mean 'optimizer'?",
    ("--metric", "tst_score"): "unknown metric 'tst_score': did you mean 'test_score'?",
    ("--margin", "-1"): "margin: got -1, need a finite number above 0",
}


@pytest.mark.parametrize("options", ERRORS, ids=" ".join)
def test_mistakes_are_one_line_and_exit_2(several: Path, options: tuple[str, ...]) -> None:
    result = mlpjit("compare", str(several), *options)
    assert (result.exit_code, result.stderr, result.stdout) == (2, f"error: {ERRORS[options]}\n", "")


def test_no_store_is_exit_3() -> None:
    result = mlpjit("compare", "nowhere")
    assert result.exit_code == 3
    assert "there is no store here" in result.stderr


def test_many_competitors_stand_against_the_best_in_one_table(tmp_path: Path) -> None:
    optimizers = [{"name": "adam", "b1": at / 20} for at in range(13)]
    table = {"name": "many", "width": 4, "epochs": 1, "final": {"seeds": SEEDS, "per": "optimizer"},
             "sweep": {"optimizer": optimizers, "dataset": ["wine", "iris"]}}  # fmt: skip
    Study.from_table(table).run(tmp_path, threads=1, runner=Scored().runner())
    text = mlpjit("compare", str(tmp_path)).stdout
    assert text.startswith("2 problems: test accuracy in points, 8 fresh seeds, sign-flip test\nagainst adam(b1=")
    assert (max(map(len, text.splitlines()[:15])), len(text.splitlines())) <= (80, 60)
    assert "Holm over 156 comparisons: every pair of 13 on 2 problems." in text
    assert text.rstrip().endswith("All of it, on each problem: --all, or --json; another control: --control.")
    assert len(pairs(tmp_path)) == 156
    assert mlpjit("compare", str(tmp_path), "--all").stdout.count("adam(b1=0.6)") >= 2 * 12


def test_an_exported_table_without_its_store_is_compared_alike(tmp_path: Path) -> None:
    folder = tmp_path / "quick"
    folder.mkdir()
    shutil.copy(Path(__file__).parents[2] / "results" / "reference" / "quick" / "runs.csv", folder)
    text = mlpjit("compare", str(folder)).stdout
    assert "adam        rmsprop    +3.30  0.83 to 6.67   9/0/1  .006  .035  better" in text
    drawn = mlpjit("report", str(folder))
    assert (drawn.exit_code, drawn.stderr.count("\n")) == (3, 1)
    assert "an exported table has no curves to draw" in drawn.stderr
    named = mlpjit("compare", str(folder.rename(tmp_path / "mine")))
    assert (named.exit_code, named.stderr.count("\n")) == (3, 1)


def test_rows_of_a_table_are_those_of_the_store(several: Path, tmp_path: Path) -> None:
    shutil.copy(several / "store.sqlite", tmp_path)
    columns = (*columns_needed(), "test_score", "train_seconds")
    with Store.open(several, readonly=True) as store:
        stored = [dict(zip(columns, values, strict=True)) for values in store.rows(columns)]
    read = [{name: row[name] for name in columns} for row in read_rows(export(tmp_path)[0])]
    assert [{**row, "shuffle": None} for row in read] == [{**row, "shuffle": None} for row in stored]
    assert {type(row["depth"]) for row in read} == {int}
