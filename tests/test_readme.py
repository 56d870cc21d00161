"""What the README shows works as it is written there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from mlpjit.study.estimate import competing
from mlpjit.study.study import Study

README = (Path(__file__).parents[1] / "README.md").read_text()


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert len(found) == 1
    return found[0]


def test_the_python_example_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block("python"), "README.md", "exec"), names)
    assert capsys.readouterr().out.startswith("done 0.9")
    assert names["state"].step == 1
    assert names["params"].shape == names["grads"].shape


def test_the_study_example_is_a_study(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(block("toml"))
    table = tomllib.loads(block("toml"))
    study = Study.load(path)
    assert len(study.runs) == 3 * 2 * 2 * 4 * 3  # adam has two settings more
    assert {"adam", "sgd"} == set(*competing(study).values())
    assert table["final"]["per"] == "optimizer"


def test_pictures_and_files_it_names_exist():
    root = Path(__file__).parents[1]
    named = [*re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README), "results/reference/digits_accuracy.json"]
    assert [name for name in named if not (root / name).is_file()] == []
