"""Any study on the user's own table: `--data` from the file to the answer."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pytest
from fakes import Fake
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.report.figures.results import Results
from mlpjit.store import Store
from mlpjit.study.study import Study

TINY = """
name = "tiny"
dataset = "digits"
loss = "cross_entropy"
width = 4
epochs = 1
[[sweep]]
optimizer = "sgd"
dataset = ["digits", "wine"]
learning_rate = [0.03, 0.3]
[[sweep]]
optimizer = "adam"
learning_rate = [0.003]
[final]
seeds = [100, 101]
"""


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A table with the target in the middle, text, row numbers and missing cells."""
    rows = []
    for i in range(80):
        area = "" if i % 9 == 4 else 30 + i
        rows.append(f"{i + 1},{('north', 'south', 'east')[i % 3]},{1000 + 7 * i},{area},{('gas', 'oil')[i % 2]}")
    (tmp_path / "houses.csv").write_text("\n".join(["id,district,price,area,heating", *rows]) + "\n")
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "houses.csv"


def mlpjit(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("target", "task", "loss"), [("price", "regression", "mse"), ("heating", "2 classes", "cross_entropy")]
)
def test_a_study_runs_on_a_table(houses: Path, target: str, task: str, loss: str) -> None:
    chosen = ["--data", houses, "--target", target, "--drop", "id", "--out", houses.parent / "out"]
    code, printed, said = mlpjit("run", houses.parent / "tiny.toml", *chosen, "--json")
    assert code == 0, said
    assert "houses.csv: 80 rows, " in said
    assert f"target {target!r}, {task}" in said
    assert "'district': 3 categories, one column each" in said
    assert "'area': 9 of 80 missing: the training part's median, and marked" in said
    assert json.loads(printed)["states"] == {"done": 3 + 2 * 2}
    results = Study.load(houses.parent / "tiny.toml", {"name": str(houses), "target": target, "drop": ["id"]})
    assert {config.factors()["loss"] for config in results.configs()} == {loss}


def test_the_page_states_the_data_and_asks_of_it(houses: Path) -> None:
    study = houses.parent / "tiny.toml"
    study.write_text(TINY.replace('dataset = "digits"', 'question = "Which is best on digits?"\ndataset = "digits"', 1))
    chosen = ["--data", houses, "--target", "price", "--drop", "id", "--out", houses.parent / "out"]
    assert mlpjit("run", study, *chosen)[0] == 0
    page = html.unescape((houses.parent / "out" / "report.html").read_text())
    assert '<p class="question">Which is best?</p>' in page
    assert "<p class=\"question\">houses.csv: 80 rows, 6 inputs, target 'price', regression</p>" in page
    assert "<th scope=\"row\">'area'</th><td>9 of 80 missing: the training part's median, and marked</td>" in page


def test_the_same_command_again_has_nothing_left(houses: Path) -> None:
    chosen = ["--data", houses, "--target", "price", "--out", houses.parent / "out", "--no-report"]
    mlpjit("run", houses.parent / "tiny.toml", *chosen)
    _, _, said = mlpjit("run", houses.parent / "tiny.toml", *chosen)
    assert "nothing left to run" in said


def test_the_command_that_resumes_names_the_data(houses: Path) -> None:
    spec = {"name": str(houses), "target": "price", "drop": ["id"], "missing": "drop"}
    study = Study.load(houses.parent / "tiny.toml", spec)
    words = study.command(Path("out"))
    assert words.endswith(f"--data {houses} --target price --drop id --missing drop --out out")
    assert study.name == "tiny_houses"
    assert study.title == "tiny on houses.csv"


@pytest.mark.usefixtures("own_records_are_forgotten")
def test_an_idea_is_tried_on_a_table(houses: Path) -> None:
    rule, out = Path(__file__).parents[2] / "docs" / "examples" / "soft_sign.py", houses.parent / "out"
    chosen = ["--data", houses, "--target", "price", "--drop", "id", "--cap", "3", "--no-report", "--out", out]
    code, printed, said = mlpjit("try", rule, houses.parent / "tiny.toml", *chosen)
    assert code == 0, said
    assert f"--data {houses} --target price --drop id --out {out}" in said.splitlines()[0]
    assert printed.startswith("soft_sign on ")
    assert "houses.csv" in printed.partition("best setting")[0].replace("\n", "")
    with Store.open(out, readonly=True) as store:
        command = store.sessions()[-1]["provenance"]["command"]
    assert command.endswith(f"tiny.toml --data {houses} --target price --drop id --cap 3 --out {out}")


def test_a_plan_states_the_data(houses: Path) -> None:
    _, printed, _ = mlpjit("plan", "quick", "--data", houses, "--target", "price", "--json")
    assert json.loads(printed)["data"][0] == "houses.csv: 80 rows, 7 inputs, target 'price', regression"
    _, printed, _ = mlpjit("plan", "quick", "--json")
    assert json.loads(printed)["data"] == ["digits: 1,797 rows, 64 inputs, 10 classes of 174 to 183 samples"]


def test_what_is_wrong_is_told_once(houses: Path) -> None:
    code, printed, said = mlpjit("run", "quick", "--data", houses)
    assert (code, printed) == (2, "")
    assert said.count("\n") == 1
    assert "is the target? There are id, district, price, area, heating: say which, as --target NAME\n" in said
    assert mlpjit("run", "quick", "--target", "price")[2].startswith("error: --target is for the columns of --data")


def test_a_remedy_is_in_the_words_of_who_is_told(houses: Path) -> None:
    text = houses.read_text().replace("district", "built on")
    houses.write_text(text.replace("north", "2020-01-31").replace("east", "2021-12-01").replace("south", "1999-09-09"))
    with pytest.raises(ConfigError, match=r"or leave it out: drop=\['built on'\]$"):
        RunConfig(dataset={"name": str(houses), "target": "price"})
    houses.write_text(houses.read_text() + "\n")  # what is wrong with a file is kept while it is the same
    assert "or leave it out: --drop 'built on'\n" in mlpjit("plan", "quick", "--data", houses, "--target", "price")[2]
    study = houses.parent / "mine.toml"
    study.write_text(f'dataset = {{name = "{houses}", target = "price"}}\nsweep.seed = [0, 1]\n')
    houses.write_text(houses.read_text() + "\n")
    assert "or leave it out: drop = ['built on']\n" in mlpjit("plan", study)[2]


@pytest.mark.parametrize("name", ["two_moons", "wine"])
def test_a_built_in_dataset_serves_too(name: str) -> None:
    study = Study.load("quick", name)
    assert {config.dataset["name"] for config in study.configs()} == {name}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read dataset"):
        Study.load("quick", str(tmp_path / "none.csv"))


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_classes_with_a_loss_of_numbers_are_scored_in_points(tmp_path: Path, loss: str) -> None:
    """Of a built-in dataset its record says that it has classes; of a file nothing in a run's row does."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "mine.npz", x=x, y=(x[:, 0] > 0).astype(int))
    given = {"dataset": str(tmp_path / "mine.npz"), "loss": loss, "width": 4, "epochs": 1, "final": {"seeds": [7, 8]}}
    study = Study.from_table({**given, "sweep": {"optimizer": ["sgd", "adam"], "seed": [0, 1]}})
    found = study.run(tmp_path / "out", 1, runner=Fake().runner())
    assert set(found.compare()["unit"]) == {"points"}
    with Store.open(tmp_path / "out", readonly=True) as store:
        assert Results.read(store).score_name == "accuracy"
